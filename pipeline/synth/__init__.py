"""Synthetic sessions: films of a head, a print or a screen, rendered from one photo of a face.

Here: what a camera would see, exactly repeatable from a seed. Not here: files
(server/tools/film.py), anything that judges a picture. Made for tests: nothing that serves imports
it. Source: docs/synth.md.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]


def floats(array: Any) -> Floats:
    """As float32: OpenCV's answers say no element type."""
    return np.asarray(array, np.float32)


def pixels(array: Any) -> Image:
    """Rounded and limited to uint8."""
    if array.dtype == np.uint8:
        return np.asarray(array, np.uint8)
    return np.asarray(cv2.convertScaleAbs(np.maximum(array, 0)), np.uint8)
