"""MediaPipe face mesh: a square of the frame in, 468 points in frame pixels out; and what they say.

Here: the crop, the way back, head pose, five points, box and next square, all from the points.
Not here: which face (see.py). Source: face_landmark model card; Kabsch, Acta Cryst. A32 (1976).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.nets import Floats, Image, Run, Spec
from pipeline.nets.warp import to_frame, usable, warp
from pipeline.observation import EYE_LEFT, EYE_RIGHT, Roi, eye_distance

SIZE_PX = 192
POINTS = 468
MIN_SCORE = 0.5
"""Below it the square holds no face (the card's own limit)."""
MIN_EYES_PX = 4.0
"""Outer eye distance below which pose and alignment mean nothing."""
SPEC = Spec("mesh", (1, SIZE_PX, SIZE_PX, 3), ((1, POINTS, 3), (1, 1)))  # RGB 0..1

ROI_REACH = 1.5
"""Side of the square over the longer side of the mesh (model card)."""
DETECTION_REACH = 1.34
DETECTION_DROP = 0.033
"""The same square from a detector's box, whose top is higher: side over the box's longer side, and
how far its centre lies below the box's, in sides. Fitted on 527 frames of 31 clips, where the plain
1.5 gave squares 12 % too large."""
BOX_WIDTH, BOX_HEIGHT, BOX_RISE = 0.982, 1.116, 0.049
"""The detector's box over the extent of the mesh, and how far its centre lies above the extent's,
in heights: medians over the same frames (standard deviations 0.03, 0.06 and 0.02)."""

FIVE = ((33, 133, 159, 145), (263, 362, 386, 374), (1, 4), (61,), (291,))
"""Mesh points whose means stand for eyes, nose tip and mouth corners (docs/see.md has the
comparison with the detector's five points)."""
_FIVE_IDS = np.array([i for group in FIVE for i in group])
_FIVE_MEAN = np.zeros((5, len(_FIVE_IDS)), np.float32)
for _row, _group in enumerate(FIVE):
    _FIVE_MEAN[_row, [list(_FIVE_IDS).index(i) for i in _group]] = 1 / len(_group)

RIGID = (
    (33, 263, 0.5000, -0.3627, 0.1172),
    (133, 362, 0.1967, -0.3496, 0.0573),
    (127, 356, 0.7537, -0.3077, 0.6581),
    (54, 284, 0.6533, -0.7563, 0.2852),
    (103, 332, 0.5498, -0.8639, 0.1480),
    (67, 297, 0.3877, -0.9367, 0.0285),
    (109, 338, 0.2101, -0.9702, -0.0407),
    (116, 345, 0.6880, -0.1717, 0.2494),
    (117, 346, 0.5766, -0.1727, 0.1146),
    (50, 280, 0.5303, 0.0032, 0.0441),
    (10, 10, 0.0, -0.9773, -0.0575),
    (151, 151, 0.0, -0.7996, -0.1016),
    (9, 9, 0.0, -0.6173, -0.1353),
    (8, 8, 0.0, -0.5167, -0.1233),
    (168, 168, 0.0, -0.4275, -0.1210),
    (6, 6, 0.0, -0.3374, -0.1704),
    (197, 197, 0.0, -0.2578, -0.2278),
    (195, 195, 0.0, -0.1843, -0.2899),
)
"""Points that no expression moves: image left id, right id, then half distance, y and z in outer
eye distances, of the mean symmetric face over the same frames. People looking at a webcam have
pitch 0 on average by construction. A rotation fitted to these agrees with an independent pose net
(r = 0.96 in pitch) and with PnP to a degree, and is closed-form."""
_RIGID_IDS = np.array([i for a, b, *_ in RIGID for i in ((a,) if a == b else (a, b))])
_RIGID_FACE = np.array(
    [(side * x, y, z) for a, b, x, y, z in RIGID for side in ((0.0,) if a == b else (-1.0, 1.0))]
)
_RIGID_FACE -= _RIGID_FACE.mean(0)

_SHAPE_IDS = np.array(list(dict.fromkeys((EYE_LEFT, EYE_RIGHT, *range(3, POINTS, 4)))))
"""Every fourth point says as much of a face's changes as all do (docs/freshness.md)."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """One face's mesh."""

    points_px: Floats
    """float32 (468, 3): x, y in frame pixels, z in pixels of the same scale, smaller is nearer."""
    score: float
    """0..1, the net's belief that this is a face."""


def landmarks(image: Image, roi: Roi, run: Run) -> Landmarks | None:
    """The mesh of the face in the square; None if the square is unusable or the net's answer is."""
    height, width = image.shape[:2]
    if not usable(roi, width, height):
        return None
    matrix = to_frame(roi, SIZE_PX)
    feed = np.empty(SPEC.feed, np.float32)
    np.multiply(warp(image, matrix, SIZE_PX, rgb=True), np.float32(1 / 255), out=feed[0])
    points, logit = run("mesh", feed)
    # A broken answer must not become a square: nan, or points far from the crop it was given
    if not (points.min() > -4 * SIZE_PX and points.max() < 4 * SIZE_PX):
        return None
    turn = np.zeros((3, 3), np.float32)
    turn[:2, :2], turn[2, 2] = matrix[:, :2].T, roi.side_px / SIZE_PX
    points_px: Floats = points[0] @ turn
    points_px[:, :2] += matrix[:, 2]
    if eye_distance(points_px) < MIN_EYES_PX:
        return None
    score = _sigmoid(float(logit.reshape(-1)[0]))
    return Landmarks(points_px, score)


def roi_from_mesh(points_px: Floats) -> Roi:
    """The square for the next frame: upright around all points, ROI_REACH times the longer side."""
    roll = roll_rad(points_px)
    c, s = math.cos(roll), math.sin(roll)
    left, top, right, bottom = _bounds(np.array([[c, s], [-s, c]], np.float32) @ points_px.T[:2])
    x, y = (left + right) / 2, (top + bottom) / 2
    side = ROI_REACH * max(right - left, bottom - top)
    return Roi(c * x - s * y, s * x + c * y, side, roll)


def roi_from_detection(box_px: tuple[float, float, float, float], points_px: Floats) -> Roi:
    """The square for a face that the detector found."""
    x, y, w, h = box_px
    across, down = (points_px[1] - points_px[0]).tolist()
    roll = math.atan2(down, across)
    side = DETECTION_REACH * max(w, h)
    drop = DETECTION_DROP * side
    return Roi(x + w / 2 - math.sin(roll) * drop, y + h / 2 + math.cos(roll) * drop, side, roll)


def box(points_px: Floats) -> tuple[float, float, float, float]:
    """The detector's box as the mesh predicts it: x, y, width, height in frame pixels."""
    left, top, right, bottom = _bounds(np.ascontiguousarray(points_px.T[:2]))
    w, h = right - left, bottom - top
    wide, tall = BOX_WIDTH * w, BOX_HEIGHT * h
    return (left + right - wide) / 2, (top + bottom - tall) / 2 - BOX_RISE * h, wide, tall


def five_points(points_px: Floats) -> Floats:
    """float32 (5, 2): eyes (image left first), nose tip, mouth corners, in frame pixels."""
    five: Floats = _FIVE_MEAN @ points_px[_FIVE_IDS, :2]
    return five


def rigid(points_px: Floats) -> Floats:
    """float32 (28, 3): the points of RIGID, the outer eye corners first."""
    points: Floats = points_px[_RIGID_IDS]
    return points


def shape(points_px: Floats) -> Floats:
    """float32 (118, 2): every fourth point, the outer eye corners first."""
    points: Floats = points_px[_SHAPE_IDS, :2]
    return points


def roll_rad(points_px: Floats) -> float:
    """Angle of the eye line, 0 upright, clockwise positive."""
    x, y, _ = (points_px[EYE_RIGHT] - points_px[EYE_LEFT]).tolist()
    return math.atan2(y, x)


def pose_deg(points_px: Floats) -> tuple[float, float, float]:
    """Yaw (0 frontal, positive to image right), pitch (positive up) and roll (positive clockwise).

    The rotation that best takes the mean face to the rigid points (Kabsch), read off where the
    face's forward axis points once the picture is turned upright.
    """
    roll = roll_rad(points_px)
    # The mean face is about its middle, so the seen one need not be.
    # OpenCV's, because between two nets LAPACK's is twice as slow (106 and 183 us for the pose)
    _, left, right = cv2.SVDecomp(rigid(points_px).T @ _RIGID_FACE)
    rows, others = left.tolist(), right.tolist()
    last = 1.0 if _mirrors(rows) == _mirrors(others) else -1.0  # a turn, never a reflection
    one, two, three = others[0][2], others[1][2], last * others[2][2]
    # forward is -z: towards the camera
    x, y, z = (-(p * one + q * two + r * three) for p, q, r in rows)
    c, s = math.cos(roll), math.sin(roll)
    x, y = c * x + s * y, c * y - s * x
    yaw, pitch = math.atan2(x, -z), math.atan2(-y, math.hypot(x, z))
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


def _mirrors(m: list[list[float]]) -> bool:
    """Whether the determinant is negative."""
    (a, b, c), (d, e, f), (g, h, i) = m
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g) < 0


def _bounds(rows: Floats) -> tuple[float, float, float, float]:
    """Least x and y and greatest x and y of float32 (2, n)."""
    x, y = np.minimum.reduce(rows, axis=1).tolist()
    return (x, y, *np.maximum.reduce(rows, axis=1).tolist())


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -30 else 0.0
