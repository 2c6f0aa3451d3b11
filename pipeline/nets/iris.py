"""MediaPipe iris net: how far each eye is open, from the contour of its lids.

Here: the crops and the aspect ratio. Not here: what a blink is (cues/). The mesh has eyelids, too,
but they hardly move when the eye closes. Source: iris_landmark model card; eye aspect ratio:
Soukupova and Cech, CVWW 2016.
"""

from __future__ import annotations

import math

import numpy as np

from pipeline.nets import Floats, Image, Run, Spec
from pipeline.nets.warp import warp

SIZE_PX = 64
REACH = 2.3
"""Side of the crop over the width of the eye (model card)."""
MIN_EYE_PX = 5.0
"""Narrower eyes, corner to corner, have no lids to see."""
SPEC = Spec("iris", (1, SIZE_PX, SIZE_PX, 3), ((1, 71, 3), (1, 5, 3)))  # RGB 0..1

EYES = ((33, 133), (362, 263))
"""Corners of the image left and the image right eye in the mesh, image left corner first. The net
knows the first kind; the other is mirrored."""
_CORNERS = (0, 8)
_LOWER, _UPPER = slice(3, 6), slice(11, 14)
"""The middle three of the contour's seven lower and upper lid points, which face each other."""


def openness(image: Image, mesh_px: Floats, run: Run) -> tuple[float, float] | None:
    """Eye aspect ratio, lid gap over width, of the image left and the image right eye.

    None if an eye is too small in the frame or the net gave nothing usable.
    """
    left = _one(image, mesh_px[list(EYES[0]), :2], run, mirrored=False)
    right = None if left is None else _one(image, mesh_px[list(EYES[1]), :2], run, mirrored=True)
    return None if left is None or right is None else (left, right)


def _one(image: Image, corners: Floats, run: Run, *, mirrored: bool) -> float | None:
    dx, dy = (corners[1] - corners[0]).tolist()
    width = math.hypot(dx, dy)
    x, y = corners.mean(0).tolist()
    height, wide = image.shape[:2]
    if not (width >= MIN_EYE_PX and 0 <= x < wide and 0 <= y < height):
        return None
    feed = np.empty(SPEC.feed, np.float32)
    eye = _crop(image, x, y, dx, dy, mirrored=mirrored)
    np.multiply(eye, np.float32(1 / 255), out=feed[0])
    contour = run("iris", feed)[0][0, :, :2].astype(np.float64)
    if not (np.abs(contour) < 4 * SIZE_PX).all():  # nan and infinite, too
        return None
    gap = np.linalg.norm(contour[_LOWER] - contour[_UPPER], axis=1).mean()
    across = np.linalg.norm(contour[_CORNERS[0]] - contour[_CORNERS[1]])
    # An eye that spans less than a tenth of its crop is none
    return float(gap / across) if across > SIZE_PX / 10 else None


def _crop(image: Image, x: float, y: float, dx: float, dy: float, *, mirrored: bool) -> Image:
    """uint8 (64, 64, 3) RGB: the eye level and in the middle."""
    scale = REACH / SIZE_PX
    c, s = dx * scale, dy * scale
    flip = -1.0 if mirrored else 1.0
    half = (SIZE_PX - 1) / 2
    to_frame = np.array(
        [
            [flip * c, -s, x - (flip * c - s) * half],
            [flip * s, c, y - (flip * s + c) * half],
        ],
        np.float32,
    )
    return warp(image, to_frame, SIZE_PX, rgb=True)
