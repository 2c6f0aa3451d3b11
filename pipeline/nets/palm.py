"""MediaPipe palm detector: the whole frame in, boxes of palms with seven points out.

Here: the picture it is fed, the decoding of its anchors, the square in which the hand is looked
for. Not here: the 21 points (hand.py), which hand to follow. Source: palm_detection lite and its
model card; MediaPipe's palm_detection_cpu and palm_detection_detection_to_roi graphs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.nets import Floats, Image, Run, Spec
from pipeline.observation import Roi

SIZE_PX = 192
GRIDS = ((24, 2), (12, 6))
"""Cells on a side and anchors in each cell; every anchor is its cell's middle."""
MIN_SCORE = 0.5
MAX_OVERLAP = 0.3
"""Intersection over union above which the weaker of two boxes goes (MediaPipe's graph)."""
MAX_PALMS = 32
"""Boxes that are kept before suppression: bounds the work that one picture can cause."""
ROI_REACH, ROI_RISE = 2.6, 0.5
"""Side of the hand's square over the longer side of the palm's box, and how far its middle lies
towards the fingers, in such sides (MediaPipe's graph)."""
WRIST, MIDDLE = 0, 2
"""Which of the seven points are the wrist and the middle finger's root."""

_ANCHORS = np.concatenate(
    [
        np.repeat(np.stack([at % n, at // n], 1) + 0.5, each, 0) * (SIZE_PX / n)
        for n, each in GRIDS
        for at in (np.arange(n * n),)
    ]
).astype(np.float32)
SPEC = Spec(
    "palm",
    (1, SIZE_PX, SIZE_PX, 3),  # RGB 0..1
    ((1, len(_ANCHORS), 18), (1, len(_ANCHORS), 1)),
)


@dataclass(frozen=True, slots=True, eq=False)
class Palm:
    """One palm as the detector sees it, in frame pixels."""

    box_px: tuple[float, float, float, float]
    """x, y, width, height."""
    score: float
    """0..1."""
    points_px: Floats
    """float32 (7, 2): wrist, roots of the four fingers from the index finger's, two of the thumb
    (WRIST and MIDDLE are used)."""


def detect(image: Image, run: Run) -> list[Palm]:
    """All palms in uint8 HxWx3 BGR, the surest first."""
    feed, scale, rim = letterbox(image)
    boxes, scores = run("palm", feed)
    return decode(boxes, scores, scale, rim)


def letterbox(image: Image) -> tuple[Floats, float, tuple[int, int]]:
    """The picture in the middle of the net's, net pixels per frame pixel, and the rims' width at
    the left and at the top."""
    height, width = image.shape[:2]
    scale = SIZE_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if scale < 0.5:  # linear skips pixels beyond a half; AREA over the whole frame costs ten times
        image = cv2.resize(image, (2 * size[0], 2 * size[1]))  # type: ignore[assignment]
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (SIZE_PX - size[0]) // 2, (SIZE_PX - size[1]) // 2
    feed = np.zeros(SPEC.feed, np.float32)
    inside = feed[0, top : top + size[1], left : left + size[0]]
    np.multiply(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.float32(1 / 255), out=inside)
    return feed, scale, (left, top)


def decode(boxes: Floats, scores: Floats, scale: float, rim: tuple[int, int]) -> list[Palm]:
    """The net's answer as palms, the surest first."""
    (at,) = np.nonzero(scores[0, :, 0] >= math.log(MIN_SCORE / (1 - MIN_SCORE)))  # false for nan
    rows = boxes[0, at]
    sound = np.isfinite(rows).all(1) & (rows[:, 2:4] >= 1).all(1)
    sound &= (np.abs(rows) < 4 * SIZE_PX).all(1)
    at, rows = at[sound], rows[sound]
    order = np.argsort(-scores[0, at, 0], kind="stable")[:MAX_PALMS]
    at, rows = at[order], rows[order]
    if not len(at):
        return []
    score = 1 / (1 + np.exp(-np.minimum(scores[0, at, 0], 50)))
    middle = (rows[:, :2] + _ANCHORS[at] - np.array(rim, np.float32)) / np.float32(scale)
    size = rows[:, 2:4] / np.float32(scale)
    points = rows[:, 4:].reshape(-1, 7, 2) + _ANCHORS[at, None] - np.array(rim, np.float32)
    points_px = (points / np.float32(scale)).astype(np.float32)
    rects = [tuple(row) for row in np.hstack([middle - size / 2, size]).tolist()]
    kept = cv2.dnn.NMSBoxes(rects, score.tolist(), 0.0, MAX_OVERLAP)
    return [Palm(rects[i], float(score[i]), points_px[i]) for i in sorted(map(int, kept))]


def roi(palm: Palm) -> Roi:
    """The square in which the hand of a palm is looked for, its fingers up."""
    x, y, w, h = palm.box_px
    across, down = (palm.points_px[MIDDLE] - palm.points_px[WRIST]).tolist()
    roll = math.atan2(across, -down)
    side = max(w, h)
    x, y = (
        x + w / 2 + ROI_RISE * side * math.sin(roll),
        y + h / 2 - ROI_RISE * side * math.cos(roll),
    )
    return Roi(x, y, ROI_REACH * side, roll)
