"""The lines of a palm as numbers: a square of the palm, upright and of one size, and its field.

Here: which square, and what is measured on it, of one frame. Not here: whether the frame is good
enough, and comparing (cues/). Source: competitive code (Kong and Zhang, ICPR 2004) with the angles
doubled, so that a line has no two ends; sizes chosen on one half of the COEP palmprint database.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from pipeline.nets import Floats, Image
from pipeline.nets.hand import INDEX, LITTLE, MIDDLE, RING, WRIST
from pipeline.nets.warp import warp

SIZE_PX = 64
CELLS = 32
IDS = (WRIST, INDEX, MIDDLE, RING, LITTLE)
SHAPE = ((0.117, 1.164), (0.463, -0.373), (0.117, -0.395), (-0.196, -0.295), (-0.499, -0.100))
"""Where these points of a right hand lie on average, in palm widths."""
REACH = 1.2
"""Side of the square, in palm widths."""
THUMBWARD = 0.12
"""How far its middle lies to the thumb's side of the palm's, in palm widths."""
FINEST = 4
"""A palm is looked at that many times as finely as it is kept, at most, before it is averaged."""
NEAR_PX = 6.4
"""How far brightness and contrast are evened out."""
SIGMA_PX, WAVE_PX, ASPECT, ANGLES = 2.0, 8.0, 0.5, 6
"""Of the Gabor filters, as wide as a palm's creases and twice as long."""
LIMIT = 2.5
"""In local standard deviations: a glint is no line."""
NOISE = 4.0
"""Variance in levels of 255 that every picture has: smooth skin is not blown up to lines."""

_SHAPE = np.array(SHAPE) @ np.array([1, 1j])
_MIDDLE = (_SHAPE[1:].mean() + _SHAPE[0]) / 2 + THUMBWARD
_PLACES = ((_SHAPE - _MIDDLE) / REACH + (0.5 + 0.5j)) * SIZE_PX


def _filters() -> tuple[tuple[Floats, float, float], ...]:
    """Kernel float32 (11, 11) of each angle, and cosine and sine of twice the angle."""
    half = round(2.5 * SIGMA_PX / ASPECT) // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
    made = []
    for angle in (math.pi * k / ANGLES for k in range(ANGLES)):
        across = x * math.cos(angle) + y * math.sin(angle)
        along = y * math.cos(angle) - x * math.sin(angle)
        kernel = np.exp(-(across**2 + (ASPECT * along) ** 2) / (2 * SIGMA_PX**2))
        kernel *= np.cos(2 * math.pi * across / WAVE_PX)
        kernel -= kernel.mean()
        kernel /= np.abs(kernel).sum()
        made.append((kernel.astype(np.float32), math.cos(2 * angle), math.sin(2 * angle)))
    return tuple(made)


_FILTERS = _filters()


def square(image: Image, points_px: Floats, *, right: bool) -> Image | None:
    """uint8 (64, 64): the palm of uint8 HxWx3 BGR, its fingers up, a left hand's mirrored.

    `points_px`: float32 (21, 2 or 3), in frame pixels. None where they are no hand's.
    """
    matrix = to_frame(points_px, right=right)
    if matrix is None:
        return None
    step = math.hypot(float(matrix[0, 0]), float(matrix[1, 0]))
    times = min(max(math.ceil(step - 0.4), 1), FINEST)
    fine = matrix.copy()
    fine[:, :2] /= times
    fine[:, 2] += matrix[:, :2].sum(1) * (0.5 / times - 0.5)  # middles of pixels, not their corners
    palm = cv2.cvtColor(warp(image, fine, SIZE_PX * times), cv2.COLOR_BGR2GRAY)
    if times > 1:
        palm = cv2.resize(palm, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(palm, np.uint8)


def to_frame(points_px: Floats, *, right: bool) -> Floats | None:
    """float32 (2, 3): from the square's pixels to the frame's, by the similarity that best takes
    the five points to their places. None where they lie in one place or are not finite."""
    side = 1.0 if right else -1.0
    x, y = points_px[list(IDS), :2].astype(np.float64).T
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    seen = side * x + 1j * y
    about, places = seen - seen.mean(), _PLACES - _PLACES.mean()
    spread = float((np.abs(about) ** 2).sum())
    turn = complex((about.conj() * places).sum())
    if not (math.isfinite(spread) and spread >= 1 and abs(turn) >= 1):  # in pixels
        return None
    back = spread / turn
    moved = complex(seen.mean()) - back * complex(_PLACES.mean())
    return np.array(
        [
            [side * back.real, -side * back.imag, side * moved.real],
            [back.imag, back.real, moved.imag],
        ],
        np.float32,
    )


def field(palm: Image) -> Floats:
    """float32 (2, 32, 32), each within -1..1: how much dark lines there are at each place of the
    square, times cosine and sine of twice their angle. All zero where nothing is seen."""
    level = palm.astype(np.float32)
    above = level - cv2.GaussianBlur(level, (0, 0), NEAR_PX)
    contrast = np.sqrt(cv2.GaussianBlur(above * above, (0, 0), NEAR_PX) + np.float32(NOISE))
    even = np.clip(above / contrast, -LIMIT, LIMIT)
    found = np.zeros((2, SIZE_PX, SIZE_PX), np.float32)
    for kernel, c, s in _FILTERS:  # sums, because a product of matrices wakes BLAS's threads
        answer = cv2.filter2D(even, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT)
        dark = np.maximum(-np.asarray(answer, np.float32), 0)
        found[0] += dark * np.float32(c)
        found[1] += dark * np.float32(s)
    power = found[0] ** 2 + found[1] ** 2
    usual = np.float32(np.median(power))
    found /= np.sqrt(power + usual + np.float32(1e-12))
    halves = found.reshape(2, CELLS, 2, CELLS, 2)
    small: Floats = (halves[:, :, 0] + halves[:, :, 1]).sum(-1) / np.float32(4)
    return small
