"""One decoded picture and when it came. No conversion here (server/media.py does that once)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
