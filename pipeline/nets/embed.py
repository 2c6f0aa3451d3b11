"""Face embedding: five points to the ArcFace template, crop in, unit vector out. SFace by default.

Here: alignment and normalisation. Not here: comparing or storing vectors (template.py).
Source: OpenCV Zoo face_recognition_sface_2021dec; template of ArcFace (arXiv:1801.07698).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.nets import Floats, Image, Run, Spec, lay_out
from pipeline.nets.warp import warp


@dataclass(frozen=True, slots=True)
class Embedder:
    """Which net embeds."""

    model_id: str
    """Stored with every template; vectors of different embedders are never compared."""
    dimensions: int
    """Numbers in a vector."""


EMBEDDER_ID = "sface-2021dec"
SIZE_PX = 112
DIMENSIONS = 128
SFACE = Embedder(EMBEDDER_ID, DIMENSIONS)
"""The default pack's."""

SPEC = Spec("embed", (1, 3, SIZE_PX, SIZE_PX), ((1, DIMENSIONS),))  # RGB 0..255

TEMPLATE_PX = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    np.float32,
)
"""Where eyes, nose tip and mouth corners go in the 112x112 crop (insightface face_align)."""
LEAST_SCALE = 1e-3
"""Crop pixels a frame pixel below which the points are no face: none is 100,000 pixels wide."""


def similarity(source: Floats, target: Floats) -> Floats | None:
    """The 2x3 turn, scale and shift that best takes `source` (n, 2) to `target`, or None.

    None if the points coincide or are not finite. Least squares without reflection: Umeyama (PAMI
    1991) in its closed form for the plane, where turn and scale are one complex number.
    """
    a = [complex(x, y) for x, y in source.tolist()]
    b = [complex(x, y) for x, y in target.tolist()]
    a_mean, b_mean = sum(a) / len(a), sum(b) / len(b)
    spread = sum(abs(p - a_mean) ** 2 for p in a)
    if not 1.0 <= spread < math.inf:  # nan, too
        return None
    turn = sum((p - a_mean).conjugate() * (q - b_mean) for p, q in zip(a, b, strict=True)) / spread
    shift = b_mean - turn * a_mean
    return np.array(
        [[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]], np.float32
    )


def align(image: Image, points_px: Floats) -> Image | None:
    """The face of uint8 HxWx3 BGR as ArcFace wants it, uint8 112x112x3 BGR; None if degenerate."""
    matrix = similarity(points_px, TEMPLATE_PX)
    if matrix is None or math.hypot(float(matrix[0, 0]), float(matrix[1, 0])) < LEAST_SCALE:
        return None
    return warp(image, cv2.invertAffineTransform(matrix).astype(np.float32), SIZE_PX)


def embed(aligned: Image, run: Run) -> Floats | None:
    """float32 (d,) of unit norm from what `align` gave; None if the net gave nothing usable."""
    feed = np.empty(SPEC.feed, np.float32)
    lay_out(aligned, feed[0, ::-1])  # RGB
    vector = run("embed", feed)[0].reshape(-1)
    norm = float(np.linalg.norm(vector)) if np.isfinite(vector).all() else 0.0
    if not 1e-6 < norm < np.inf:
        return None
    return vector / np.float32(norm)
