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
BLACK = 5.0
"""Grey levels added to both: ratios of near-black pictures mean nothing."""


def glow(patch: Patch, mesh_px: Floats) -> float | None:
    """ln((face luma + 5) / (ring luma + 5)); None if the frame shows too little of either."""
    mesh = patch.here(mesh_px)
    luma = cv2.cvtColor(patch.image, cv2.COLOR_BGR2GRAY)
    face, ring = patch.mask(mesh[list(OVAL)], FACE_GROW), patch.ring(mesh)
    if np.count_nonzero(face) < 50 or np.count_nonzero(ring) < 50:
        return None
    bright, around = cv2.mean(luma, face)[0], cv2.mean(luma, ring)[0]
    return math.log((bright + BLACK) / (around + BLACK))
