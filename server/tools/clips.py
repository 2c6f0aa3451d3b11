"""Clips: the pictures of a video or still file with their times, and ready for an encoder.

Not here: to the pipeline's Frame (server/frames/convert.py), writing a film (film.py), encoded
frames (server/tools/caller/rtc_caller.py). Source: FFmpeg, by PyAV.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.refusal import Refusal
from server.frames.convert import fit, quarter_turns

Timed = tuple[float, av.VideoFrame]
"""A picture and its time, seconds from 0."""


class MediaError(Refusal):
    """A file cannot be played. `code` is stable, `text` is for people."""


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
