"""A drawn face mesh and pictures to measure around it: no person, no net."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.nets import Floats, Image
from pipeline.nets.mesh import POINTS
from pipeline.sight import patch


def mesh(x_px: float, y_px: float, width_px: float, roll_deg: float = 0.0) -> Floats:
    """float32 (468, 3): an upright oval 1.3 times as tall as wide, the regions where they belong;
    then turned clockwise about its middle."""
    rng = np.random.default_rng(5)
    points = np.zeros((POINTS, 3), np.float32)
    angle, radius = rng.uniform(0, 2 * np.pi, POINTS), np.sqrt(rng.uniform(0, 0.9, POINTS))
    points[:, 0], points[:, 1] = 0.5 * radius * np.cos(angle), 0.65 * radius * np.sin(angle)
    _ellipse(points, patch.OVAL, (0, 0), (0.5, 0.65), -np.pi / 2)
    _ellipse(points, patch.EYE_IMAGE_LEFT, (-0.2, -0.12), (0.1, 0.04), np.pi)
    _ellipse(points, patch.EYE_IMAGE_RIGHT, (0.2, -0.12), (0.1, 0.04), 0)
    _ellipse(points, patch.LIPS, (0, 0.35), (0.16, 0.07), np.pi)
    _ellipse(points, patch.CHEEK_IMAGE_LEFT, (-0.25, 0.12), (0.1, 0.1), 0)
    _ellipse(points, patch.CHEEK_IMAGE_RIGHT, (0.25, 0.12), (0.1, 0.1), 0)
    _ellipse(points, patch.FOREHEAD, (0, -0.4), (0.2, 0.12), 0)
    # these belong to two regions: the outline has them
    _ellipse(points, patch.OVAL, (0, 0), (0.5, 0.65), -np.pi / 2)
    c, s = np.cos(np.radians(roll_deg)), np.sin(np.radians(roll_deg))
    points[:, :2] = points[:, :2] @ np.array([[c, s], [-s, c]], np.float32)
    return points * np.float32(width_px) + np.array([x_px, y_px, 0], np.float32)


def _ellipse(
    points: Floats,
    ids: tuple[int, ...],
    centre: tuple[float, float],
    radii: tuple[float, float],
    first: float,
) -> None:
    angle = first + np.linspace(0, 2 * np.pi, len(ids), endpoint=False)
    points[list(ids), 0] = centre[0] + radii[0] * np.cos(angle)
    points[list(ids), 1] = centre[1] + radii[1] * np.sin(angle)


def texture(width: int = 640, height: int = 480, seed: int = 0, grain_px: float = 3.0) -> Image:
    """uint8 HxWx3: something to follow everywhere."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), grain_px)
    luma = np.clip(128 + 40 * noise / noise.std(), 0, 255).astype(np.uint8)
    return cv2.cvtColor(luma, cv2.COLOR_GRAY2BGR).astype(np.uint8)


def plain(level: int, width: int = 640, height: int = 480) -> Image:
    return np.full((height, width, 3), level, np.uint8)


def filled(image: Image, points: Floats, colour: tuple[int, int, int], grow: float = 1.0) -> Image:
    """The picture with the hull of `points` painted."""
    centre = points[:, :2].mean(0)
    hull = cv2.convexHull(((points[:, :2] - centre) * grow + centre).astype(np.int32))
    return cv2.fillConvexPoly(image.copy(), hull, colour).astype(np.uint8)
