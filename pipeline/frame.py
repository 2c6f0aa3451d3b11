"""One decoded picture and when it came.

No conversion here: server/frames/convert.py does that once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.observation import Ask


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame as the pipeline takes it."""

    image: NDArray[np.uint8]
    """uint8 HxWx3 BGR, full range, contiguous."""
    seq: int
    """Number of the frame in its session, from 0, gaps where frames were dropped."""
    arrival_s: float
    """Server's monotonic clock at arrival: the only time that decisions may use."""
    media_s: float
    """The sender's claim (RTP timestamp / clock rate): evidence, never a clock."""
    reference: NDArray[np.uint8] | None = None
    """The image of the newest earlier frame that was asked for `motion` without `tracks`, kept by
    the shell; None before the first."""


class Reference:
    """The one earlier picture that a session goes back to: whoever shows frames to `see` has one
    for each session, around every call.

        frame = reference.attach(frame)
        observation = see(frame, ask, run)
        reference.keep(frame, ask)
    """

    __slots__ = ("_image",)

    def __init__(self) -> None:
        self._image: NDArray[np.uint8] | None = None

    def attach(self, frame: Frame) -> Frame:
        """The frame with its reference."""
        return frame if self._image is None else replace(frame, reference=self._image)

    def keep(self, frame: Frame, ask: Ask) -> None:
        """Make a frame that `motion` began in the reference; the one before is let go."""
        if ask.motion and ask.tracks is None:
            self._image = frame.image
