"""A drawn face with a mesh that fits it: portraits without a photo, a net or a download."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from pipeline.nets import mesh
from pipeline.synth import Floats, Image
from pipeline.synth.expression import LOWER, UPPER
from pipeline.synth.portrait import OVAL, Portrait, of_mesh

FACE_PX = 200


@cache
def drawn(hue: int = 0) -> Portrait:
    """An ellipse with eyes and a mouth, 200 px wide; `hue` 0..2 tells people apart."""
    points = _mesh()
    image: Image = np.full((700, 700, 3), (120, 110, 100), np.uint8)
    skin = ((150, 170, 215), (90, 110, 160), (170, 160, 235))[hue]
    cv2.ellipse(image, (350, 350), (FACE_PX // 2, 130), 0, 0, 360, skin, -1, cv2.LINE_AA)
    for upper, lower in zip(UPPER, LOWER, strict=True):
        outline = points[[*upper, *lower[::-1]], :2]
        cv2.fillPoly(image, [np.round(outline).astype(np.int32)], (245, 245, 245))
        cv2.circle(
            image, tuple(np.round(outline.mean(0)).astype(int).tolist()), 6, (30, 30, 30), -1
        )
    cv2.ellipse(image, (350, 415), (40, 8), 0, 0, 360, (60, 60, 140), -1, cv2.LINE_AA)
    return of_mesh(image, points)


def _mesh() -> Floats:
    rng = np.random.default_rng(1)
    angle = rng.uniform(0, 2 * np.pi, mesh.POINTS)
    far = np.sqrt(rng.uniform(0, 0.9, mesh.POINTS))
    flat = np.stack([100 * far * np.cos(angle), 130 * far * np.sin(angle)], 1)
    for k, index in enumerate(OVAL):
        turn = 2 * np.pi * k / len(OVAL)
        flat[index] = 100 * np.sin(turn), -130 * np.cos(turn)
    for (upper, lower), x in zip(zip(UPPER, LOWER, strict=True), (-45, 45), strict=True):
        across = np.linspace(-22, 22, len(upper))
        arch = 9 * np.sqrt(1 - (across / 22.01) ** 2)
        flat[list(upper)] = np.stack([x + across, -25 - arch], 1)
        flat[list(lower)] = np.stack([x + across, -25 + arch], 1)
    for index, at in ((13, (0, 62)), (14, (0, 68)), (61, (-40, 65)), (291, (40, 65))):
        flat[index] = at
    for index, at in ((6, (0, -30)), (197, (0, 0)), (50, (-55, 20)), (280, (55, 20))):
        flat[index] = at
    for index, at in ((105, (-45, -50)), (334, (45, -50)), (205, (-40, 40)), (425, (40, 40))):
        flat[index] = at
    # A bulge: the middle of the face is a third of its width nearer than its outline
    depth = 66 * ((flat / [100, 130]) ** 2).sum(1)
    return np.column_stack([flat + 350, depth]).astype(np.float32)
