"""The decoder's thread, one a session: encoded frames in, pictures on the event loop.

Not here: which frames are decoded (intake.py), the queue before it (receiving.py), the newest
picture (slot.py). Source: aiortc 1.16, `decoder_worker` of its module rtcrtpreceiver.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import aiortc.codecs
import av

from pipeline.tape import video


class _Encoded(Protocol):
    def get(self) -> Any:
        """The next (codec, frame), waiting for it; None at the end."""


class _Pictures(Protocol):
    def put_nowait(self, picture: Any) -> None:
        """Take a picture, or None at the end. On the event loop."""


class _Undecodable(Protocol):
    def set(self) -> None:
        """A frame could not be decoded."""


_get_decoder_of_stack = aiortc.codecs.get_decoder


def get_decoder(codec: Any) -> Any:
    """The stack's decoder around the one that replays tapes: one thread, the same limits.

    What is too large does not come so far (intake.py). FFmpeg is told the limit as well, as a
    second reader of the same bytes.
    """
    decoder = _get_decoder_of_stack(codec)
    if codec.name in video.DECODERS:
        decoder.codec = video.decoder(codec.name)  # type: ignore[attr-defined]
    return decoder


def decode(
    loop: asyncio.AbstractEventLoop,
    encoded: _Encoded,
    pictures: _Pictures,
    undecodable: _Undecodable,
) -> None:
    """What the thread does until the end; in place of aiortc's.

    That one makes a task and two futures for each picture, which lie in a ring until the collector
    comes, and holds its last picture while it waits.
    """
    name: str | None = None
    decoder: Any = None
    while (task := encoded.get()) is not None:
        codec, frame = task
        if codec.name != name:
            decoder, name = get_decoder(codec), codec.name
        try:
            found = decoder.decode(frame)
        except av.FFmpegError:
            undecodable.set()  # the decoder's state stays: until the next key frame all would fail
            continue
        for picture in found:
            loop.call_soon_threadsafe(pictures.put_nowait, picture)
        picture = found = frame = task = None
    loop.call_soon_threadsafe(pictures.put_nowait, None)
