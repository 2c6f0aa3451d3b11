"""Films as they arrive by WebRTC: paced, through VP8 and back. The evaluation's one door to PyAV.

Cues are judged on what a codec left of a picture (docs/liveness.md: margins shrink at low
bitrates); a recording that never went through one would flatter them. For `lookgate evaluate` and
the liveness benchmark alike. Not here: opening files (server/tools/clips.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType

from server.frames.convert import to_bgr
from server.tools.clips import Timed, read_clip, resize

KBPS = 600
FPS = 15
SIDE = 640
"""Longest side, px."""
MOST_S = 15.0
"""Of a film that is played: three windows and time to find the face."""
OPTIONS = {
    "quality": "realtime",
    "speed": "-8",
    "lag-in-frames": "0",
    "threads": "1",
    "error-resilient": "1",
    "g": "3000",
}
"""As a WebRTC sender encodes: no look-ahead, no key frames unless asked. The speed is negative,
because libvpx takes a positive one for a share of the time that has passed, and codes other
pictures on a busy machine."""


Crop = tuple[int, int, int]
"""Left, top and side of a square part of a picture, px."""


def pictures(path: Path, begin_s: float = 0.0) -> Iterator[Timed]:
    """MOST_S of a file from `begin_s` on, at up to FPS pictures a second, the first at 0; slower
    films keep their own pace, as cameras do. Raises MediaError, and OSError, at the first picture
    that is asked for."""
    first_s: float | None = None
    for at_s, picture in read_clip(path, fps=FPS, max_s=begin_s + MOST_S):
        if at_s >= begin_s:
            first_s = at_s if first_s is None else first_s
            yield at_s - first_s, picture


def film(
    path: Path,
    begin_s: float = 0.0,
    crop: Callable[[float, int, int], Crop] | None = None,
) -> Iterator[Timed]:
    """The same, coded. `crop` says, from the time and the width and height in pixels, which part of
    each picture is shown alone, enlarged to SIDE. Raises what `pictures` raises."""
    shown = pictures(path, begin_s)
    if crop is None:
        return through(shown)
    parts = ((at_s, _part(p, crop(at_s, p.width, p.height))) for at_s, p in shown)
    return through(parts)


def _part(picture: av.VideoFrame, crop: Crop) -> av.VideoFrame:
    left, top, side = crop
    image = to_bgr(picture, max(picture.width, picture.height))
    part = np.ascontiguousarray(image[top : top + side, left : left + side])
    found = av.VideoFrame.from_ndarray(part, format="bgr24")
    return found.reformat(SIDE, SIDE, "yuv420p", interpolation="BICUBIC", threads=1)


def through(pictures: Iterable[Timed]) -> Iterator[Timed]:
    """The same pictures at the same times, at most SIDE px, coded with KBPS at FPS."""
    coder: Coder | None = None
    for time_s, picture in pictures:
        small = resize(picture, SIDE)
        if coder is None or coder.size != (small.width, small.height):
            coder = Coder(small.width, small.height)
        for coded in coder.code(small):
            yield time_s, coded


class Coder:
    """An encoder and the decoder of its packets."""

    def __init__(self, width: int, height: int, kbps: int = KBPS) -> None:
        self.size = (width, height)
        encoder = av.CodecContext.create("libvpx", "w")
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
        encoder.bit_rate, encoder.framerate = kbps * 1000, Fraction(FPS)
        encoder.time_base, encoder.options = Fraction(1, FPS), OPTIONS
        encoder.thread_count = 1
        self._encoder = encoder
        decoder = av.CodecContext.create("vp8", "r")
        assert isinstance(decoder, av.VideoCodecContext)
        decoder.thread_count = 1
        self._decoder = decoder
        self._count = 0

    def code(self, picture: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """What a receiver has of it."""
        picture.pts, picture.time_base = self._count, Fraction(1, FPS)
        # Else what was a key frame in the file is made one again, which no sender does.
        picture.pict_type = PictureType.NONE
        self._count += 1
        for packet in self._encoder.encode(picture):
            yield from self._decoder.decode(packet)
