"""Decoded pictures: to the pipeline's Frame, and out of files. The one door to PyAV in the server.

The one converter for live and replay: another converter is off by up to 11 grey levels (swscale
against OpenCV, measured), which is more than some cues look for. No network, no encoding.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from pipeline.frame import Frame

MAX_SIDE = 1920
"""Longest side of a Frame, px. Not less: 1920x1080 converts whole in 1.0 CPU-ms, but in 3.6 if it
has to become 1280x720 on the way (swscale, one thread, measured), and what comes later looks at
crops. Live pictures above 1920x1088 are not decoded (rtc/receiving.py): this is for files."""

Timed = tuple[float, av.VideoFrame]
"""A picture and its time, seconds from 0."""

_local = threading.local()


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A picture as the decoder left it, and when it came."""

    picture: av.VideoFrame
    """Any pixel format and size."""
    seq: int
    """Number of the picture in its session, from 0, in the order of decoding."""
    arrival_s: float
    """Server's monotonic clock when the picture was there."""
    media_s: float
    """The sender's time, from 0 at its first picture."""


class MediaError(Exception):
    """A file cannot be played. `code` is stable, `text` is for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code)
        self.code = code
        self.text = text


def to_frame(vf: av.VideoFrame, seq: int, arrival_s: float, media_s: float) -> Frame:
    """Convert to upright uint8 HxWx3 BGR, full range, at most `MAX_SIDE` on the longer side.

    One reformatter a thread, each with one swscale thread: 0.16 instead of 0.27 CPU-ms for
    640x480 (measured), and no second thread pool under ours.
    """
    return Frame(image=to_bgr(vf), seq=seq, arrival_s=arrival_s, media_s=media_s)


def to_bgr(vf: av.VideoFrame, max_side: int = MAX_SIDE) -> NDArray[np.uint8]:
    """As `to_frame`, the picture only: uint8 HxWx3, contiguous."""
    reformatter: VideoReformatter | None = getattr(_local, "reformatter", None)
    if reformatter is None:
        reformatter = _local.reformatter = VideoReformatter()
    width, height = fit(vf.width, vf.height, max_side)
    bgr = reformatter.reformat(vf, width, height, "bgr24", threads=1)
    image: NDArray[np.uint8] = np.asarray(bgr.to_ndarray(), dtype=np.uint8)
    turns = quarter_turns(vf)
    if turns:
        image = np.rot90(image, turns)
    return np.ascontiguousarray(image)


def fit(width: int, height: int, max_side: int) -> tuple[int, int]:
    """The size with the same shape whose longer side is at most `max_side`, never larger, px."""
    scale = min(1.0, max_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def quarter_turns(vf: av.VideoFrame) -> int:
    """How often to turn the picture by 90 degrees counterclockwise until it is upright, 0..3."""
    return round(vf.rotation / 90) % 4


def read_clip(
    path: Path | str,
    *,
    fps: float | None = None,
    max_s: float | None = None,
) -> Iterator[Timed]:
    """Pictures of a video or still image file with their time in seconds, the first at 0.

    `fps` thins out to at most that many a second and never repeats a picture, `max_s` ends early.
    Pictures are upright. Raises MediaError (media_missing, media_unreadable, media_no_video,
    media_broken) at the first picture that is asked for.
    """
    file = Path(path)
    if not file.is_file():
        raise MediaError("media_missing", "there is no such video file")
    with contextlib.ExitStack() as stack:
        try:
            # An open file, not its name: a name may say a protocol that reaches the network.
            container = stack.enter_context(av.open(stack.enter_context(file.open("rb")), mode="r"))
        except (av.FFmpegError, OSError, ValueError) as fault:
            raise MediaError("media_unreadable", "the file is no video that we can read") from fault
        if not container.streams.video:
            raise MediaError("media_no_video", "the file has no video")
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        pictures = 0
        try:
            for time_s, picture in _thin(container.decode(stream), fps, max_s):
                pictures += 1
                yield time_s, _upright(picture)
        except av.FFmpegError as fault:
            raise MediaError("media_broken", "the video breaks off or is damaged") from fault
        if pictures == 0:
            raise MediaError("media_no_video", "the file has no picture")


def resize(vf: av.VideoFrame, max_side: int) -> av.VideoFrame:
    """The picture as yuv420p with even sides, at most `max_side` long, for an encoder."""
    width, height = fit(vf.width, vf.height, max_side)
    width, height = max(2, width & ~1), max(2, height & ~1)
    return vf.reformat(width, height, "yuv420p", interpolation="AREA", threads=1)


def _thin(
    pictures: Iterator[av.VideoFrame], fps: float | None, max_s: float | None
) -> Iterator[Timed]:
    first_s: float | None = None
    last_s, due_s = -1.0, 0.0
    for picture in pictures:
        stamp_s = picture.time if picture.pts is not None else last_s + 1 / 30
        first_s = stamp_s if first_s is None else first_s
        time_s = stamp_s - first_s
        if time_s <= last_s:
            continue  # a damaged index must not run time backwards
        last_s = time_s
        if max_s is not None and time_s > max_s:
            return
        if fps is not None:
            if time_s < due_s - 0.25 / fps:
                continue
            due_s = max(due_s + 1 / fps, time_s)
        yield time_s, picture


def _upright(picture: av.VideoFrame) -> av.VideoFrame:
    turns = quarter_turns(picture)
    if not turns:
        return picture
    flat: NDArray[np.uint8] = np.asarray(picture.to_ndarray(format="bgr24"), dtype=np.uint8)
    turned = np.ascontiguousarray(np.rot90(flat, turns))
    upright = av.VideoFrame.from_ndarray(turned, format="bgr24")
    upright.pts, upright.time_base = picture.pts, picture.time_base
    return upright
