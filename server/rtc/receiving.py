"""From a receiver's packets to pictures: whole frames at once, queues that end, nothing too large.

Not here: the list of what is patched (stack.py), what a key frame is (keyframes.py), the newest
picture (slot.py). Source: aiortc 1.16, its modules jitterbuffer and rtcrtpreceiver.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiortc.codecs
import aiortc.jitterbuffer
import aiortc.rtcrtpreceiver

from server.rtc.keyframes import KeyFrameAsked, is_key

MAX_PIXELS = 1920 * 1088
"""Larger pictures are not decoded: a VP8 key frame of 40 bytes may claim 16383x16383 (400 MB)."""
MAX_WAITING = 60
"""Encoded frames that may wait for the decoder: two seconds; a decoder needs 1 ms for each."""


def remove_frame(
    self: aiortc.jitterbuffer.JitterBuffer, sequence_number: int
) -> aiortc.jitterbuffer.JitterFrame | None:
    """A frame is complete with its last packet (RTP marker, RFC 7741 section 4.1 and RFC 6184
    section 5.1). aiortc waits for the next frame's first packet: 30 to 70 ms more, measured."""
    packets: list[Any] = []
    first = None
    frames, remove = 0, 0
    origin = self._origin
    if origin is None:
        return None
    for count in range(self._capacity):
        packet = self._packets[(origin + count) % self._capacity]
        if packet is None:
            return None
        if packets and packet.timestamp != packets[0].timestamp:
            if first is None:
                first, remove = _join(packets), count
            frames += 1
            if frames >= self._prefetch:
                self.remove(remove)
                return first
            packets = []
        packets.append(packet)
        if self._is_video and packet.marker and first is None:
            self.remove(count + 1)
            return _join(packets)
    return None


def _join(packets: list[Any]) -> aiortc.jitterbuffer.JitterFrame:
    return aiortc.jitterbuffer.JitterFrame(
        data=b"".join(packet._data for packet in packets), timestamp=packets[0].timestamp
    )


_get_decoder_of_stack = aiortc.codecs.get_decoder


def get_decoder(codec: Any) -> Any:
    """The stack's decoder, with one thread, which takes no picture larger than MAX_PIXELS."""
    decoder = _get_decoder_of_stack(codec)
    context = getattr(decoder, "codec", None)
    if context is not None:
        context.options = {"max_pixels": str(MAX_PIXELS)}
        context.thread_count = 1
    return decoder


# The decoder's queues, which in aiortc grow without end.


class _DecodedQueue:
    """Stands in for a track's asyncio.Queue: hands each picture on at once."""

    def __init__(self, on_picture: Callable[[Any], None]) -> None:
        self._on_picture = on_picture

    async def put(self, picture: Any) -> None:
        self._on_picture(picture)


class _EncodedQueue(queue.Queue[Any]):
    """Between the event loop and the decoder's thread; bounded, and open to a recorder."""

    def __init__(
        self, on_encoded: Callable[[str, int, bytes], None] | None, fault: threading.Event
    ) -> None:
        super().__init__()
        self.discarded = 0
        self._on_encoded = on_encoded
        self._fault = fault
        self._wait_for_key = False

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if item is None:
            # The stack joins the thread on the event loop: it must not decode a backlog first.
            with contextlib.suppress(queue.Empty):
                while True:
                    self.get_nowait()
        else:
            codec, frame = item
            full = self.qsize() >= MAX_WAITING
            if full or (self._wait_for_key and not is_key(codec.name, frame.data)):
                # What follows a gap refers to what is missing: wait for a whole picture.
                self._wait_for_key = True
                self.discarded += 1
                self._fault.set()  # asks for a key frame (PLI, RFC 4585 section 6.3.1)
                return
            self._wait_for_key = False
            if self._on_encoded is not None:
                self._on_encoded(codec.name, frame.timestamp, frame.data)
        super().put(item, block, timeout)


@dataclass(slots=True)
class Tap:
    """Where a video receiver's frames go, and what was lost on the way."""

    faults: KeyFrameAsked
    encoded: _EncodedQueue

    @property
    def decode_errors(self) -> int:
        """Frames that could not be decoded."""
        return self.faults.count - self.encoded.discarded

    @property
    def discarded(self) -> int:
        """Encoded frames that were thrown away because the decoder was too far behind."""
        return self.encoded.discarded


def tap(
    receiver: aiortc.rtcrtpreceiver.RTCRtpReceiver,
    on_picture: Callable[[Any], None],
    on_encoded: Callable[[str, int, bytes], None] | None = None,
) -> Tap:
    """Let a receiver that has not started hand over its pictures (av.VideoFrame, None at the end).

    Both callbacks run on the event loop. `on_encoded(codec, rtp_ticks, data)` sees each frame
    before it is decoded; ticks of 1/90000 s from 0.
    """
    faults = KeyFrameAsked()
    encoded = _EncodedQueue(on_encoded, faults)
    receiver._RTCRtpReceiver__decoder_error = faults  # type: ignore[attr-defined]
    receiver._RTCRtpReceiver__decoder_queue = encoded  # type: ignore[attr-defined]
    receiver.track._queue = _DecodedQueue(on_picture)  # type: ignore[attr-defined]
    return Tap(faults, encoded)
