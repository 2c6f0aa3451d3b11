"""Straight edges around the face: the border of a screen or of a sheet of paper.

Here: the longest edge on each of four sides. Not here: what they mean: rooms have door frames.
Source: Canny, PAMI 8 (1986); Matas, probabilistic Hough transform, CVIU 78 (2000).
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from pipeline.nets import Floats, Image

FACE_PX = 88.0
"""Height of the face in the picture that is searched; smaller faces are not magnified. At 160 the
search costs twice as much and finds no more on replays, but more in rooms (docs/see.md)."""
REACH = 1.9
"""How far away an edge may be, in face widths and heights from the middle of the face."""
MIN_FACE_PX = 24.0
SHORTEST = 0.45
"""Face heights: shorter lines are collars and hair."""
STEEP = 0.2
"""Largest slope against the upright face: a screen is held like the head it shows."""
WEAK, STRONG = 40, 120
"""Canny's thresholds, grey levels of the 3x3 Sobel gradient."""

Edges = tuple[float, float, float, float]


def edges(image: Image, mesh_px: Floats) -> Edges | None:
    """Longest straight edge left of, right of, above and below the face, in face heights; 0 where
    there is none or where the frame ends. None if the face is too small."""
    upright = _upright(image, mesh_px)
    if upright is None:
        return None
    luma, shown, (wide, tall) = upright
    found = _edge_pixels(luma, shown, wide, tall)
    lines = cv2.HoughLinesP(
        found,
        1,
        math.pi / 180,
        round(0.25 * tall),
        minLineLength=round(SHORTEST * tall),
        maxLineGap=max(2, round(0.0375 * tall)),
    )
    if lines is None:
        return (0.0, 0.0, 0.0, 0.0)
    return _longest(np.asarray(lines, np.float64).reshape(-1, 4), luma.shape, wide, tall)


def _upright(image: Image, mesh_px: Floats) -> tuple[Image, Image, tuple[float, float]] | None:
    """The surroundings with the eye line level and the face in the middle, luma; 255 where the
    frame is, away from its rim; width and height of the face there."""
    x, y = (mesh_px[263, :2] - mesh_px[33, :2]).tolist()
    roll = math.atan2(y, x)
    c, s = math.cos(roll), math.sin(roll)
    turn = np.array([[c, s], [-s, c]], np.float32)
    points = mesh_px[:, :2] @ turn.T
    low, high = points.min(0), points.max(0)
    wide, tall = (high - low).tolist()
    if not (tall >= MIN_FACE_PX and wide >= MIN_FACE_PX / 2):
        return None
    scale = min(1.0, FACE_PX / tall)
    height, width = image.shape[:2]
    luma = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    left = scale
    while left < 0.5 and min(luma.shape) >= 32:  # one long way down would skip pixels
        luma, left = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), 2 * left
    size = (
        2 * math.ceil(REACH * scale * wide) + 8,
        2 * math.ceil(REACH * scale * tall) + 8,
    )
    to = np.empty((2, 3), np.float64)
    to[:, :2] = turn * scale
    to[:, 2] = np.array(size) / 2 - (low + high) / 2 * scale
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]])
    frame = np.rint(corners @ to[:, :2].T + to[:, 2]).clip(-8000, 8000).astype(np.int32)
    shown = np.zeros(size[::-1], np.uint8)
    cv2.fillConvexPoly(shown, frame, (255,))
    cv2.erode(shown, np.ones((7, 7), np.uint8), shown, borderValue=(255,))
    to[:, :2] *= np.array([width / luma.shape[1], height / luma.shape[0]])
    flat: Image = cv2.warpAffine(  # type: ignore[assignment]
        luma, to, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return flat, shown, (scale * wide, scale * tall)


def _edge_pixels(luma: Image, shown: Image, wide: float, tall: float) -> Image:
    """255 on edges that are near level or near upright, away from the face and the frame's rim."""
    smooth = cv2.GaussianBlur(luma, (3, 3), 0)
    across, down = cv2.Sobel(smooth, cv2.CV_16S, 1, 0), cv2.Sobel(smooth, cv2.CV_16S, 0, 1)
    found: Image = cv2.Canny(across, down, WEAK, STRONG)  # type: ignore[assignment]
    cv2.bitwise_and(found, shown, found)
    x, y = luma.shape[1] / 2, luma.shape[0] / 2
    face = slice(int(y - 0.5 * tall), int(y + 0.5 * tall))
    found[face, int(x - 0.5 * wide) : int(x + 0.5 * wide)] = 0
    return found


def _longest(
    lines: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    shape: tuple[int, ...],
    wide: float,
    tall: float,
) -> Edges:
    dx, dy = np.abs(lines[:, 2:] - lines[:, :2]).T
    x = (lines[:, 0] + lines[:, 2]) / 2 - shape[1] / 2
    y = (lines[:, 1] + lines[:, 3]) / 2 - shape[0] / 2
    length = np.hypot(dx, dy) / tall
    upright = (dx < STEEP * dy) & (np.abs(y) < 1.2 * tall)
    level = (dy < STEEP * dx) & (np.abs(x) < wide)
    sides = (
        upright & (-REACH * wide < x) & (x < -0.55 * wide),
        upright & (0.55 * wide < x) & (x < REACH * wide),
        level & (-REACH * tall < y) & (y < -0.6 * tall),
        level & (0.55 * tall < y) & (y < REACH * tall),
    )
    left, right, above, below = (float(length[side].max(initial=0.0)) for side in sides)
    return left, right, above, below
