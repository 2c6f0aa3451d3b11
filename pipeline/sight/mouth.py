"""Is there a mouth where the mesh has it? A mask or a hand has no dark line between lips there.

Here: one number of one frame. Not here: what the person is told (cues/framing.py). Compared with
the same face's own eyes and its own light, never with a colour of skin: docs/see.md.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.nets import Floats, Image
from pipeline.observation import EYE_LEFT, EYE_RIGHT
from pipeline.sight.patch import (
    EYE_IMAGE_LEFT,
    EYE_IMAGE_RIGHT,
    LIPS,
    Patch,
    around,
    cut,
    whole_factor,
)

FACE_PX = 96.0
"""Least width of the face that is looked at, where the frame has it."""
UPPER, LOWER = [81, 82, 13, 312, 311], [178, 87, 14, 317, 402]
"""Inner lips, the middle of the mouth, image left to right."""
REACH, PLACES = 0.22, 23
"""How far the profile across the mouth goes up and down, eye distances, and its places."""
SEAM = 0.1
"""Depth of the dark line, over the brightness: 95 of 100 masks and hands lie below, and 40 of 320
clear faces, those with bared teeth and those that are very blurred."""
STRUCTURE = 0.35
"""Steepness of the lips' region over that of the eyes: bared teeth have 0.42 and more."""
BLACK = 10.0
"""Grey levels added to the brightness: ratios of near-black pictures mean nothing."""


def mouth(image: Image, mesh_px: Floats) -> float | None:
    """How much of a mouth is seen: the greater of both measures, each over its limit, so that below
    1 something covers it. None if the face is too small or out of the frame."""
    corners = around(mesh_px, 1.3)
    patch = None if corners is None else cut(image, *corners, whole_factor(mesh_px, FACE_PX))
    if patch is None:
        return None
    mesh = patch.here(mesh_px)
    luma = cv2.cvtColor(patch.image, cv2.COLOR_BGR2GRAY)
    grey: Image = cv2.GaussianBlur(luma, (3, 3), 0)  # type: ignore[assignment]
    eyes = (_steep(grey, patch, mesh[ids], 1.3) for ids in (EYE_IMAGE_LEFT, EYE_IMAGE_RIGHT))
    structure = _steep(grey, patch, mesh[LIPS], 1.2) / (sum(eyes) / 2 + 1)
    return max(_seam(grey.astype(np.float32), mesh) / SEAM, structure / STRUCTURE)


def _seam(luma: Floats, mesh: Floats) -> float:
    """How much darker the middle of the profile across the mouth is than both of its sides."""
    across = mesh[EYE_RIGHT] - mesh[EYE_LEFT]
    down = np.array((-across[1], across[0]), np.float32)
    middles = (mesh[UPPER] + mesh[LOWER]) / 2
    steps = np.linspace(-REACH, REACH, PLACES, dtype=np.float32)
    places = middles[:, None] + steps[None, :, None] * down
    profile = cv2.remap(
        luma,
        places[..., 0].astype(np.float32),
        places[..., 1].astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).mean(0)
    sides = min(float(profile[4:8].max()), float(profile[15:19].max()))
    return (sides - float(profile[9:14].min())) / (float(profile.mean()) + BLACK)


def _steep(grey: Image, patch: Patch, points: Floats, grow: float) -> float:
    """Mean steepness of a region, |across| + |down| of the 3x3 Sobel gradient."""
    mask = patch.mask(points, grow)
    count = cv2.countNonZero(mask)
    if not count:
        return 0.0
    x, y, wide, tall = cv2.boundingRect(mask)
    x0, y0 = max(0, x - 1), max(0, y - 1)  # with the neighbours that the gradient reads
    part, inside = (one[y0 : y + tall + 1, x0 : x + wide + 1] for one in (grey, mask))
    gradients = (cv2.Sobel(part, cv2.CV_16S, *order) for order in ((0, 1), (1, 0)))
    return float(sum(cv2.norm(one, cv2.NORM_L1, inside) for one in gradients) * (1 / count))
