"""A film as packets that are encoded once and sent by any number of callers.

Encoding is what a caller's CPU goes to; without it one process plays dozens of cameras. Not here:
which films (cast.py), sending (server/tools/caller/rtc_caller.py). Source: the encoder's options
are aiortc 1.16's for VP8, which stay close to those of browsers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from numpy.typing import NDArray

from pipeline.tape.video import packet
from server.tools.caller.rtc_caller import CLOCK_HZ, KBPS, Encoded
from tests.e2e.cameras import FPS, SIZE

KEY_S = 2
"""Between key frames, seconds: the longest that a server waits for one that it asked for. A browser
sends fewer, and one within a tenth of a second when asked."""
START_S = 6
"""Between the starts of logins: at every third key frame."""
LONGEST_S = 60.0
"""No session is longer; a film that is shorter begins again."""
ROOM_S = 12.0
"""What a start leaves of its film at least: three windows of evidence and some more, so that no
usual login sees the jump to the film's beginning."""


@dataclass(frozen=True, slots=True)
class Reel:
    """An encoded film."""

    frames: Sequence[bytes]
    """VP8 at FPS; every KEY_S seconds a key frame, with which a login may begin."""
    unclear_s: Collection[int] = ()
    """Where no login should begin, seconds from the first frame."""

    @property
    def starts(self) -> list[int]:
        """Numbers of the frames that a login may begin with."""
        room = max(1, len(self.frames) - round(ROOM_S * FPS))
        return [n for n in range(0, room, START_S * FPS) if n // FPS not in self.unclear_s]

    def take(self, start: int) -> Encoded:
        """What one caller sends who begins with that frame, in turn for as long as it takes."""
        return Encoded("VP8", _Take(self.frames, start))


class _Take(Sequence[tuple[float, Any]]):
    """Seconds and packets, made when they are due: a packet belongs to one sender."""

    def __init__(self, frames: Sequence[bytes], start: int) -> None:
        self._frames, self._start = frames, start

    def __len__(self) -> int:
        return round(LONGEST_S * FPS)

    def __getitem__(self, n: Any) -> Any:
        if not 0 <= n < len(self):
            raise IndexError(n)
        data = self._frames[(self._start + n) % len(self._frames)]
        return n / FPS, packet(data, round(n * CLOCK_HZ / FPS))


def encode(
    images: Iterable[NDArray[np.uint8]], kbps: int = KBPS, *, unclear_s: Collection[int] = ()
) -> Reel:
    """Encode pictures of SIZE, FPS of them a second."""
    return Reel(tuple(_encoded(images, kbps * 1000)), unclear_s)


def _encoded(images: Iterable[NDArray[np.uint8]], bits: int) -> Iterator[bytes]:
    codec = av.CodecContext.create("libvpx", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height = SIZE
    codec.pix_fmt, codec.time_base, codec.bit_rate = "yuv420p", Fraction(1, FPS), bits
    codec.gop_size, codec.qmin, codec.qmax, codec.thread_count = 3000, 2, 56, 1
    codec.options = {
        "bufsize": str(bits), "minrate": str(bits), "maxrate": str(bits), "cpu-used": "-6",
        "deadline": "realtime", "lag-in-frames": "0", "noise-sensitivity": "4",
        "overshoot-pct": "15", "partitions": "0", "static-thresh": "1", "undershoot-pct": "100",
    }  # fmt: skip
    for n, image in enumerate(images):
        frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format="yuv420p")
        frame.pts, frame.time_base = n, Fraction(1, FPS)
        frame.pict_type = PictureType.I if n % (KEY_S * FPS) == 0 else PictureType.NONE
        yield from map(bytes, codec.encode(frame))
    yield from map(bytes, codec.encode(None))
