"""The part of a frame around a face, at a size that does not depend on the camera's.

Here: cutting, scaling, masks of face regions and of the background ring. Not here: any measurement.
Source of the regions: the numbering of MediaPipe's face mesh.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.nets import Floats, Image

Ids = NDArray[np.intp]
"""Numbers of the mesh's points. Arrays: a tuple of numbers is turned into one at every use."""


def _ids(*ids: int) -> Ids:
    return np.array(ids, np.intp)


# fmt: off
OVAL = _ids(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
            152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
"""Outline of the face."""
EYE_IMAGE_LEFT = _ids(33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161,
                      246)
EYE_IMAGE_RIGHT = _ids(263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388,
                       466)
LIPS = _ids(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40,
            185)
FOREHEAD = _ids(67, 109, 10, 338, 297, 333, 334, 296, 336, 9, 107, 66, 105, 104)
CHEEK_IMAGE_LEFT = _ids(116, 117, 118, 101, 36, 205, 187, 123)
CHEEK_IMAGE_RIGHT = _ids(345, 346, 347, 330, 266, 425, 411, 352)
# fmt: on

RING_INNER, RING_OUTER = 1.55, 2.6
"""The background ring, in face outlines: past the hair, and near enough to be on the same screen or
paper as the face. Ends at the chin: below are shoulders, which move with the head or do not."""
MIN_FACE_PX = 16.0
"""Narrower faces have no regions worth measuring."""

NEAR_PX = 72.0
"""Least width of the face where only means are taken."""


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A rectangle of a frame, scaled."""

    image: Image
    """uint8 hxw (luma) or hxwx3 (BGR)."""
    left_px: int
    """Where it lies in the frame."""
    top_px: int
    """Where it lies in the frame."""
    factor: int
    """Frame pixels a patch pixel, each way: whole cells were averaged."""

    def here(self, points_px: Floats) -> Floats:
        """float32 (n, 2): points of the frame in pixels of the patch (centres are whole)."""
        moved: Floats = (points_px[:, :2] - self._corner()) / np.float32(self.factor)
        return moved - np.float32(0.5)

    def back(self, points: Floats) -> Floats:
        """The way back of `here`."""
        moved: Floats = (points + np.float32(0.5)) * np.float32(self.factor)
        return moved + self._corner()

    def _corner(self) -> Floats:
        return np.array((self.left_px - 0.5, self.top_px - 0.5), np.float32)

    def mask(self, points: Floats, grow: float = 1.0) -> Image:
        """uint8 hxw, 255 inside the convex hull of `points` (patch pixels) grown about its mean."""
        mask = np.zeros(self.image.shape[:2], np.uint8)
        fill(mask, points, grow)
        return mask

    def ring(self, mesh: Floats) -> Image:
        """uint8 hxw, 255 on the background ring of a mesh in patch pixels."""
        oval = mesh[OVAL]
        mask = self.mask(oval, RING_OUTER)
        fill(mask, oval, RING_INNER, 0)
        mask[max(0, int(mesh[:, 1].max())) :] = 0
        return mask


def cut(image: Image, low_px: Floats, high_px: Floats, factor: int) -> Patch | None:
    """The rectangle between two corners, as far as the frame has it, made smaller by averaging.

    Whole factors only: anything between costs five times as much. None if nothing or a sliver of
    the rectangle lies in the frame.
    """
    height, width = image.shape[:2]
    left, top = (max(0, math.floor(v)) for v in low_px.tolist())
    right, bottom = (math.ceil(v) + 1 for v in high_px.tolist())
    wide, tall = (min(width, right) - left) // factor, (min(height, bottom) - top) // factor
    if wide < 8 or tall < 8:
        return None
    part = image[top : top + tall * factor, left : left + wide * factor]
    if factor > 1:
        small = cv2.resize(part, (wide, tall), interpolation=cv2.INTER_AREA)
        return Patch(small.astype(np.uint8, copy=False), left, top, factor)
    return Patch(part, left, top, 1)


def fill(mask: Image, points: Floats, grow: float, value: int = 255) -> None:
    """Draw the convex hull of `points`, grown about its mean, into a mask."""
    cv2.fillConvexPoly(mask, _hull(points, grow), (value,))


def near(image: Image, mesh_px: Floats) -> Patch | None:
    """The face and its background ring in colour, the face NEAR_PX wide or up to twice that; None
    if it is too small in the frame."""
    corners = around(mesh_px, RING_OUTER)
    if corners is None:
        return None
    return cut(image, *corners, whole_factor(mesh_px, NEAR_PX))


def whole_factor(mesh_px: Floats, face_px: float) -> int:
    """By how much to shrink a face to `face_px` or up to twice that; 1 if it is smaller."""
    return max(1, int(float(np.ptp(mesh_px[:, 0])) / face_px))


def around(mesh_px: Floats, reach: float) -> tuple[Floats, Floats] | None:
    """Corners of the rectangle that holds the face's outline grown by `reach`; None if the face is
    too small to measure."""
    oval = mesh_px[OVAL, :2]
    low, high = oval.min(0), oval.max(0)
    if not float(high[0] - low[0]) >= MIN_FACE_PX:
        return None
    centre = oval.mean(0)
    return centre + (low - centre) * reach, centre + (high - centre) * reach


def _hull(points: Floats, grow: float) -> NDArray[np.int32]:
    centre = np.add.reduce(points, 0) / np.float32(len(points))
    grown = np.rint((points - centre) * np.float32(grow) + centre)
    # Far outside any patch it makes no difference where, and drawing counts in 16 bits
    whole = np.minimum(np.maximum(grown, -8000), 8000).astype(np.int32)
    hull: NDArray[np.int32] = cv2.convexHull(whole).astype(np.int32, copy=False)
    return hull
