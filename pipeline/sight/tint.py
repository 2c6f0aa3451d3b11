"""Colour of the skin and of what is behind it, for cues that compare it over time.

Here: four means of one frame. Not here: time, and what a colour means: never judge by skin tone.
Source: regions as for remote photoplethysmography (forehead, cheeks); de Haan, IEEE TBME 60 (2013).
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.nets import Floats, Image
from pipeline.sight.patch import CHEEK_IMAGE_LEFT, CHEEK_IMAGE_RIGHT, FOREHEAD, Patch

REGIONS = (FOREHEAD, CHEEK_IMAGE_LEFT, CHEEK_IMAGE_RIGHT)
CRUSHED, BURNT = 6, 249
"""A channel beyond these does not follow the light any more."""
MIN_PIXELS = 24
MIN_SHARE = 0.5
"""Share of a region that must be in the frame's range of brightness."""


def tint(patch: Patch, mesh_px: Floats) -> Floats:
    """float32 (4, 3): mean BGR of forehead, image left cheek, image right cheek, background ring,
    0..255, over pixels that are not clipped; nan where too few are left."""
    mesh = patch.here(mesh_px)
    sound: Image = cv2.inRange(  # type: ignore[assignment]
        patch.image, (CRUSHED,) * 3, (BURNT,) * 3
    )
    masks = [patch.mask(mesh[ids]) for ids in REGIONS] + [patch.ring(mesh)]
    return np.array([_mean(patch.image, mask, sound) for mask in masks], np.float32)


def _mean(image: Image, mask: Image, sound: Image) -> tuple[float, ...]:
    both = cv2.bitwise_and(mask, sound)
    left, whole = cv2.countNonZero(both), cv2.countNonZero(mask)
    if left < MIN_PIXELS or left < MIN_SHARE * whole:
        return (np.nan,) * 3
    return tuple(cv2.mean(image, both)[:3])
