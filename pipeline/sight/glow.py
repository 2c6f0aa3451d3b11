"""Face against surroundings: a screen that shows a face is brighter than the room around it.

Here: one log ratio. Not here: what it is worth (weak: rooms differ more than screens do).
Source: measured on replays, docs/see.md.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from pipeline.nets import Floats
from pipeline.sight.patch import OVAL, Patch

FACE_GROW = 0.92
"""Inside the outline: no hair, no background."""
BESIDE, OVER = 0.8, 0.3
"""How far the surroundings reach beside and above the face, in face widths; they end at the chin.
The face counts as part of them: that damps the ratio, and the calibration of the cue rests on it
(docs/see.md)."""
BLACK = 5.0
"""Grey levels added to both: ratios of near-black pictures mean nothing."""
MIN_PIXELS = 50


def glow(patch: Patch, mesh_px: Floats) -> float | None:
    """ln((face luma + 5) / (surrounding luma + 5)); None if the frame shows too little of them."""
    mesh = patch.here(mesh_px)
    luma = cv2.cvtColor(patch.image, cv2.COLOR_BGR2GRAY)
    (left, top), (right, chin) = mesh.min(0).tolist(), mesh.max(0).tolist()
    wide = right - left
    rows = slice(max(0, int(top - OVER * wide)), max(0, int(chin)))
    columns = slice(max(0, int(left - BESIDE * wide)), max(0, int(right + BESIDE * wide)))
    around, face = luma[rows, columns], patch.mask(mesh[OVAL], FACE_GROW)
    if around.size < MIN_PIXELS or np.count_nonzero(face) < MIN_PIXELS:
        return None
    bright = float(cv2.mean(luma, face)[0])
    return math.log((bright + BLACK) / (cv2.sumElems(around)[0] / around.size + BLACK))
