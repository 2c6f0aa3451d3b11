"""Pictures into a video file: mp4 for people and `lookgate login --video`, y4m and mjpeg for
Chromium's fake camera. Not here: reading (clips.py), what is in the pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from server.tools.clips import MediaError

Timed = tuple[float, NDArray[np.uint8]]
"""Seconds from 0, uint8 HxWx3 BGR."""

FORMATS = {".mp4": "mp4", ".y4m": "yuv4mpegpipe", ".mjpeg": "mjpeg"}
"""By the file's ending. y4m and mjpeg hold pictures one after the other and no times."""
TICK = Fraction(1, 1000)
"""Times in an mp4, s: finer than any camera's, coarse enough for MPEG-4's 16 bits."""


def write(path: Path, pictures: Iterable[Timed], fps: float) -> int:
    """Write a film and say how many pictures it has. All pictures have the first one's size.

    Raises MediaError (film_format, film_empty, film_failed). A film that could not be finished
    leaves no file.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise MediaError("film_format", f"the file must end in one of {', '.join(FORMATS)}")
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file, av.open(file, "w", format=form) as container:
            count = _encode(container, form, iter(pictures), fps)
        part.replace(path)
    except av.FFmpegError as fault:
        raise MediaError("film_failed", "the film could not be encoded") from fault
    finally:
        part.unlink(missing_ok=True)
    return count


def _encode(
    container: av.container.OutputContainer, form: str, pictures: Iterator[Timed], fps: float
) -> int:
    first = next(pictures, None)
    if first is None:
        raise MediaError("film_empty", "the film has no picture")
    rate = Fraction(fps).limit_denominator(1001)
    height, width = first[1].shape[:2]
    stream = container.add_stream(_codec(form), rate=rate)
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height = width, height
    stream.pix_fmt = "yuvj420p" if form == "mjpeg" else "yuv420p"
    # One thread: several split the work, and with it the bytes, by the number of processors
    stream.codec_context.thread_count = 1
    if form == "mp4":
        stream.codec_context.time_base = TICK
        stream.codec_context.bit_rate = int(0.25 * width * height * fps)
    elif form == "mjpeg":
        stream.codec_context.qmin = stream.codec_context.qmax = 3
    count = 0
    for time_s, image in _with(first, pictures):
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
        picture = picture.reformat(format=stream.pix_fmt, threads=1)
        picture.pts = round(time_s / TICK) if form == "mp4" else count
        picture.time_base = TICK if form == "mp4" else 1 / rate
        container.mux(stream.encode(picture))
        count += 1
    container.mux(stream.encode(None))
    return count


def _with(first: Timed, rest: Iterator[Timed]) -> Iterator[Timed]:
    yield first
    yield from rest


def _codec(form: str) -> str:
    if form == "mp4":
        # Builds without GPL parts have no libx264; every one has MPEG-4 part 2
        return "libx264" if "libx264" in av.codecs_available else "mpeg4"
    return "mjpeg" if form == "mjpeg" else "wrapped_avframe"
