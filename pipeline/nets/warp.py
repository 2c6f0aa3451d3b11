"""A square of a frame, turned and scaled to a net's size.

Here: the one way in which crops are made that no resize can make. Not here: which square.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from pipeline.nets import Floats, Image
from pipeline.observation import Roi

RIM_PX = 2
"""What interpolation reads beyond the square's corners, and rounding."""


def usable(roi: Roi, width: int, height: int) -> bool:
    """Whether a square is worth looking at: finite, 16 px or more, not far larger than the frame,
    its centre within half a side of it."""
    x, y, side = roi.x_px, roi.y_px, roi.side_px
    if not all(map(math.isfinite, (x, y, side, roi.roll_rad))):
        return False
    inside = -side / 2 < x < width + side / 2 and -side / 2 < y < height + side / 2
    return inside and 16 <= side <= 4 * max(width, height)


def to_frame(roi: Roi, size_px: int) -> Floats:
    """float32 (2, 3): from the pixels of the square's crop, of that side, to the frame's."""
    scale = roi.side_px / size_px
    c, s = math.cos(roi.roll_rad) * scale, math.sin(roi.roll_rad) * scale
    half = size_px / 2
    return np.array(
        [[c, -s, roi.x_px - (c - s) * half], [s, c, roi.y_px - (s + c) * half]], np.float32
    )


def warp(image: Image, to_frame: Floats, size_px: int, *, rgb: bool = False) -> Image:
    """uint8 (size_px, size_px, 3), BGR or RGB, of uint8 HxWx3 BGR. `to_frame`: float32 (2, 3),
    finite, from the crop's pixels to the frame's. Beyond the frame its outermost pixels go on."""
    height, width = image.shape[:2]
    (a, b, x), (c, d, y) = to_frame.tolist()
    left, right = _reach(x, a * size_px, b * size_px, width)
    top, bottom = _reach(y, c * size_px, d * size_px, height)
    # OpenCV 5 takes two and a half times as long for three channels as for four
    part = cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_BGR2BGRA)
    moved = to_frame.copy()
    moved[0, 2], moved[1, 2] = x - left, y - top
    square = cv2.warpAffine(
        part,
        moved,
        (size_px, size_px),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    code = cv2.COLOR_BGRA2RGB if rgb else cv2.COLOR_BGRA2BGR
    return cv2.cvtColor(square, code)  # type: ignore[return-value]


def _reach(start: float, along: float, across: float, end: int) -> tuple[int, int]:
    """From where to where the square reaches on one axis of the frame, at least one pixel of it."""
    low = start + min(along, 0.0) + min(across, 0.0)
    high = start + max(along, 0.0) + max(across, 0.0)
    first = min(max(math.floor(low) - RIM_PX, 0), end - 1)
    return first, max(min(math.ceil(high) + RIM_PX + 1, end), first + 1)
