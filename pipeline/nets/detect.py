"""YuNet face detector: letterbox in, boxes with five points out.

Here: the picture it is fed and the decoding of its grids. Not here: which face to follow (see.py).
Source: OpenCV Zoo face_detection_yunet_2023mar; decoding as OpenCV's FaceDetectorYN.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.nets import Floats, Image, Run, Spec, lay_out

SIZE_PX = 320
"""Side of the letterbox. At 640x480 it sees faces from about 20 px on at a quarter of the cost of
640; nobody logs in with a face that is smaller."""
STRIDES = (8, 16, 32)
MIN_SCORE = 0.6
"""OpenCV's demo says 0.9, which loses dark and turned faces; the landmark net's own belief decides
afterwards whether a found box is a face."""
MAX_OVERLAP = 0.3
"""Intersection over union above which the weaker of two boxes goes (OpenCV's default)."""
MAX_FACES = 32
"""Boxes that are kept before suppression: bounds the work that one picture can cause."""

_CELLS = tuple((SIZE_PX // s) ** 2 for s in STRIDES)
SPEC = Spec(
    "detect",
    (1, 3, SIZE_PX, SIZE_PX),  # BGR 0..255
    tuple((1, n, d) for d in (1, 1, 4, 10) for n in _CELLS),  # cls, obj, bbox, kps by stride
)


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One face as the detector sees it, in frame pixels."""

    box_px: tuple[float, float, float, float]
    """x, y, width, height."""
    score: float
    """0..1."""
    points_px: Floats
    """float32 (5, 2): eyes (image left first), nose tip, mouth corners."""


def detect(image: Image, run: Run) -> list[Detection]:
    """All faces in uint8 HxWx3 BGR, widest first."""
    feed, scale = letterbox(image)
    return decode(run("detect", feed), scale)


def letterbox(image: Image) -> tuple[Floats, float]:
    """The picture in the net's top left corner, and net pixels per frame pixel."""
    height, width = image.shape[:2]
    scale = min(SIZE_PX / height, SIZE_PX / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if scale < 0.5:  # linear skips pixels beyond a half; AREA over the whole frame costs ten times
        image = cv2.resize(image, (2 * size[0], 2 * size[1]))  # type: ignore[assignment]
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    feed = np.zeros(SPEC.feed, np.float32)
    lay_out(small, feed[0, :, : size[1], : size[0]])
    return feed, scale


def decode(outputs: tuple[Floats, ...], scale: float) -> list[Detection]:
    """The net's twelve grids as detections, widest first."""
    boxes: list[Floats] = []
    scores: list[Floats] = []
    points: list[Floats] = []
    count = len(STRIDES)
    for k, stride in enumerate(STRIDES):
        cls, obj, bbox, kps = (outputs[k + count * part][0] for part in range(4))
        score = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
        (at,) = np.nonzero(score > MIN_SCORE)  # false for nan
        if not len(at):
            continue
        cell = np.stack([at % (SIZE_PX // stride), at // (SIZE_PX // stride)], 1).astype(np.float32)
        side = np.exp(np.clip(bbox[at, 2:], -5, 5))  # no face is 148 cells wide
        boxes.append(np.hstack([cell + bbox[at, :2] - side / 2, side]) * stride)
        points.append((kps[at].reshape(-1, 5, 2) + cell[:, None]) * stride)
        scores.append(score[at])
    if not scores:
        return []
    box = (np.concatenate(boxes) / scale).astype(np.float32)
    point = (np.concatenate(points) / scale).astype(np.float32)
    score = np.concatenate(scores)
    rows = np.hstack([box, point.reshape(-1, 10)])
    best = np.argsort(-score, kind="stable")
    order = [int(i) for i in best if np.isfinite(rows[i]).all()][:MAX_FACES]
    found = [
        Detection(
            (float(box[i, 0]), float(box[i, 1]), float(box[i, 2]), float(box[i, 3])),
            float(score[i]),
            point[i],
        )
        for i in _suppress(box, order)
    ]
    return sorted(found, key=lambda d: -d.box_px[2])


def _suppress(box: Floats, order: list[int]) -> list[int]:
    """Greedy non-maximum suppression; `order` is best first."""
    kept: list[int] = []
    for i in order:
        if all(_overlap(box[i], box[j]) <= MAX_OVERLAP for j in kept):
            kept.append(i)
    return kept


def _overlap(a: Floats, b: Floats) -> float:
    """Intersection over union of two x, y, width, height boxes."""
    ax, ay, aw, ah = a.tolist()
    bx, by, bw, bh = b.tolist()
    wide = min(ax + aw, bx + bw) - max(ax, bx)
    high = min(ay + ah, by + bh) - max(ay, by)
    if wide <= 0 or high <= 0:
        return 0.0
    return float(wide * high / (aw * ah + bw * bh - wide * high))
