"""How much fine detail a face shows for its size: a screen's pixels, its glass and a second lens
take some away.

Here: one log ratio of two bands of the luma's power. Not here: what it is worth (cues/detail.py).
Source: measured on replays whose border is out of the picture, docs/see.md.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from pipeline.nets import Floats, Image
from pipeline.observation import EYE_LEFT, EYE_RIGHT

BRIDGE = 168
"""The mesh's point between the eyes."""
EYES_PX = 64.0
"""Distance of the outer eye corners in space after scaling: a turned head is no smaller face."""
SIDE_PX = 128
"""Side of the square that is looked at: eyes, nose, upper lip."""
MIN_EYES_PX = 45.0
"""Smaller faces have lost that detail to the camera."""
COARSE, FINE = (0.04, 0.10), (0.12, 0.25)
"""Bands, cycles a pixel after scaling: eyes and nose, and what is finer, which VP8 still keeps."""


def _bands() -> tuple[Floats, Floats]:
    """float32 (128, 65) each: the share of a band's mean power that a coefficient of rfft2 has."""
    down, across = np.fft.fftfreq(SIDE_PX), np.fft.rfftfreq(SIDE_PX)
    often = np.hypot(down[:, None], across)
    # Of a real picture rfft2 leaves the other half out, which is the same, but for the rim.
    twice = np.where((across > 0) & (across < 0.5), 2.0, 1.0)
    found = []
    for low, high in (COARSE, FINE):
        weight = twice * ((often >= low) & (often < high))
        found.append((weight / weight.sum()).astype(np.float32))
    return found[0], found[1]


_COARSE, _FINE = _bands()
_HANN = np.outer(np.hanning(SIDE_PX), np.hanning(SIDE_PX)).astype(np.float32)


def detail(image: Image, mesh_px: Floats) -> float | None:
    """ln(mean power of the fine band / mean power of the coarse one); None if the face is too small
    or lies too far outside the frame."""
    eyes_px = math.dist(mesh_px[EYE_LEFT].tolist(), mesh_px[EYE_RIGHT].tolist())
    if not eyes_px >= MIN_EYES_PX:
        return None
    x, y = mesh_px[BRIDGE, :2].tolist()
    half = SIDE_PX / 2 * eyes_px / EYES_PX
    left, top = round(x - half), round(y - half)
    side = max(2, round(2 * half))
    height, width = image.shape[:2]
    if left < 0 or top < 0 or left + side > width or top + side > height:
        return None
    luma = cv2.cvtColor(image[top : top + side, left : left + side], cv2.COLOR_BGR2GRAY)
    way = cv2.INTER_AREA if side > SIDE_PX else cv2.INTER_LINEAR
    patch = cv2.resize(luma, (SIDE_PX, SIDE_PX), interpolation=way).astype(np.float32)
    patch -= patch.mean()
    power = np.abs(np.fft.rfft2(patch * _HANN)) ** 2
    coarse, fine = float((power * _COARSE).sum()), float((power * _FINE).sum())
    return math.log(fine / coarse) if coarse > 0.0 and fine > 0.0 else None
