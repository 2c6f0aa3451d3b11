"""A square of a frame, turned and scaled to a net's size.

Here: the one way in which crops are made that no resize can make. Not here: which square.
"""

from __future__ import annotations

import math

import cv2

from pipeline.nets import Floats, Image

RIM_PX = 2
"""What interpolation reads beyond the square's corners, and rounding."""


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
