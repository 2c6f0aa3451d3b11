"""From a decoder's picture to the pipeline's Frame: the one converter for live and replay.

Another converter is off by up to 11 grey levels (swscale against OpenCV, measured), which is more
than some cues look for. Not here: files (server/tools/clips.py), who looks at a frame
(inference.py), encoding. Source: FFmpeg's swscale, by PyAV.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from pipeline.frame import Frame
from server.frames.orientation import orientation

MAX_SIDE = 1920
"""Longest side of a Frame, px. Not less: 1920x1080 converts whole in 1.0 CPU-ms, but in 3.6 if it
has to become 1280x720 on the way (swscale, one thread, measured), and what comes later looks at
crops. Live pictures above 1920x1088 are not decoded at all (pipeline/encoded.py); this is for
files."""

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
    return np.ascontiguousarray(orientation(vf).turned(image))


def fit(width: int, height: int, max_side: int) -> tuple[int, int]:
    """The size with the same shape whose longer side is at most `max_side`, never larger, px."""
    scale = min(1.0, max_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
