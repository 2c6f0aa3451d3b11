"""MediaPipe hand landmarks: a square of the frame in, 21 points in frame pixels out.

Here: the crop, the way back, the next square, which hand and which side of it. Not here: where the
first square is from (palm.py), which hand to follow. Source: hand_landmark full and its model card;
MediaPipe's hand_landmark_landmarks_to_roi graph.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipeline.nets import Floats, Image, Run, Spec
from pipeline.nets.warp import to_frame, usable, warp
from pipeline.observation import Roi

SIZE_PX = 224
POINTS = 21
WRIST = 0
INDEX, MIDDLE, RING, LITTLE = 5, 9, 13, 17
"""The fingers' roots; three more points follow each, up to its tip. 1 to 4 are the thumb's."""
MIN_SCORE = 0.5
"""Below it the square holds no hand (MediaPipe's graph)."""
MIN_PALM_PX = 4.0
"""Width of the palm below which its points mean nothing."""
SPEC = Spec(
    "hand",
    (1, SIZE_PX, SIZE_PX, 3),  # RGB 0..1
    ((1, POINTS, 3), (1, 1), (1, 1), (1, POINTS, 3)),
)

ROI_REACH, ROI_RISE = 2.0, 0.1
"""Side of the next square over the longer side of the palm's and the lower fingers' points, and how
far its middle lies towards the fingers, in such sides (MediaPipe's graph)."""
_STEADY = np.array([0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18])
"""Points that a finger's bending hardly moves."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """One hand's points."""

    points_px: Floats
    """float32 (21, 3): x, y in frame pixels, z in pixels of the same scale, smaller is nearer."""
    score: float
    """0..1, the net's belief that this is a hand."""
    right: float
    """0..1, its belief that this is a right hand; the picture must not be mirrored."""

    @property
    def palm_px(self) -> float:
        """Width of the palm, from the index finger's root to the little finger's."""
        return palm_width(self.points_px)

    @property
    def shows_palm(self) -> bool:
        """Whether the palm is towards the camera, and not the back of the hand."""
        (ax, ay), (bx, by) = (
            (self.points_px[k, :2] - self.points_px[WRIST, :2]).tolist() for k in (INDEX, LITTLE)
        )
        # Fingers up, a right hand's palm has the index finger to the image's right
        return bool((ax * by - ay * bx < 0) == (self.right > 0.5))


def landmarks(image: Image, roi: Roi, run: Run) -> Landmarks | None:
    """The points of the hand in the square; None if the square is unusable or the answer is."""
    height, width = image.shape[:2]
    if not usable(roi, width, height):
        return None
    matrix = to_frame(roi, SIZE_PX)
    feed = np.empty(SPEC.feed, np.float32)
    np.multiply(warp(image, matrix, SIZE_PX, rgb=True), np.float32(1 / 255), out=feed[0])
    points, presence, right, _ = run("hand", feed)
    # A broken answer must not become a square: nan, or points far from the crop it was given
    if not (points.min() > -4 * SIZE_PX and points.max() < 4 * SIZE_PX):
        return None
    beliefs = float(presence[0, 0]), float(right[0, 0])
    if not all(0 <= belief <= 1 for belief in beliefs):
        return None
    x, y, z = points[0].T
    (a, b, left), (c, d, top) = matrix
    points_px = np.stack(
        [a * x + b * y + left, c * x + d * y + top, z * (roi.side_px / SIZE_PX)], 1
    )
    if palm_width(points_px) < MIN_PALM_PX:
        return None
    return Landmarks(np.ascontiguousarray(points_px, np.float32), *beliefs)


def palm_width(points_px: Floats) -> float:
    """From the index finger's root to the little finger's, in pixels."""
    return math.dist(points_px[INDEX, :2].tolist(), points_px[LITTLE, :2].tolist())


def roi_from_hand(points_px: Floats) -> Roi:
    """The square for the next frame, its fingers up."""
    roots = (points_px[INDEX] + points_px[RING]) / 4 + points_px[MIDDLE] / 2
    across, down, _ = (roots - points_px[WRIST]).tolist()
    roll = math.atan2(across, -down)
    c, s = math.cos(roll), math.sin(roll)
    x, y, _ = points_px[_STEADY].T
    u, v = c * x + s * y, c * y - s * x
    left, right, top, bottom = (float(e) for e in (u.min(), u.max(), v.min(), v.max()))
    side = max(right - left, bottom - top)
    u0, v0 = (left + right) / 2, (top + bottom) / 2 - ROI_RISE * side
    return Roi(c * u0 - s * v0, s * u0 + c * v0, ROI_REACH * side, roll)
