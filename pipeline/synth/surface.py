"""A textured surface with depth, drawn into a picture: a head, a sheet of paper, a telephone.

Here: rotation, perspective, the way back from picture to surface. Not here: what is on it. Source:
pinhole camera; the depth lookup is solved by fixed-point iteration (parallax mapping).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.synth import Floats, Image, floats
from pipeline.synth.light import Glow, lit
from pipeline.synth.motion import Pose

FOCAL = 5.0
"""Distance of the camera in `unit_px`: a face of 16 cm at 80 cm."""
GRID = 4
"""Picture pixels between points whose way back is computed; between them it is interpolated."""
ROUNDS = 6
"""Of the depth lookup: each shrinks the error by slope of the surface times tangent of the turn."""


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """What is drawn."""

    colour: Image
    """uint8 HxWx3 BGR."""
    cover: Floats
    """float32 HxW, 0..1: where it hides what is behind it."""
    depth_px: Floats | None
    """float32 HxW, smaller is nearer; None for a plane."""
    middle_px: tuple[float, float]
    """The point of it that is put to the pose's place."""
    pivot_px: float
    """How far behind the middle it turns: a head about its neck, a sheet about itself."""
    unit_px: float
    """Width of the face on it, in its own pixels, which are the picture's."""


def turn(pose: Pose) -> Floats:
    """float32 (3, 3): from the surface's axes (right, down, away) to the camera's."""
    a, b, c = (math.radians(d) for d in (pose.yaw_deg, pose.pitch_deg, pose.roll_deg))
    yaw = np.array([[math.cos(a), 0, -math.sin(a)], [0, 1, 0], [math.sin(a), 0, math.cos(a)]])
    pitch = np.array([[1, 0, 0], [0, math.cos(b), math.sin(b)], [0, -math.sin(b), math.cos(b)]])
    roll = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
    return floats(roll @ pitch @ yaw)


def draw(picture: Image, surface: Surface, pose: Pose, glow: Glow | None = None) -> None:
    """Draw onto a picture, uint8 HxWx3 BGR, in place.

    `pose` gives the place of the surface's middle in pixels of the picture.
    """
    rotation = turn(pose)
    box = _reach(picture, surface, pose)
    if box is None:
        return
    left, top, right, bottom = box
    u, v = _back(surface, rotation, pose, box)
    colour = surface.colour
    if glow is not None:
        colour = lit(colour, surface.depth_px, rotation, glow)
    seen = cv2.remap(colour, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.remap(surface.cover, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    behind = picture[top:bottom, left:right]
    mixed = behind + (seen.astype(np.float32) - behind) * cover[:, :, None]
    picture[top:bottom, left:right] = np.rint(mixed).astype(np.uint8)


def _reach(picture: Image, surface: Surface, pose: Pose) -> tuple[int, int, int, int] | None:
    """The part of the picture that the surface can touch: left, top, right, bottom."""
    height, width = surface.cover.shape
    x, y = surface.middle_px
    reach = 1.15 * math.hypot(max(x, width - x), max(y, height - y)) + 2
    left, right = max(0, int(pose.x_px - reach)), min(picture.shape[1], int(pose.x_px + reach) + 1)
    top, bottom = max(0, int(pose.y_px - reach)), min(picture.shape[0], int(pose.y_px + reach) + 1)
    return None if left >= right or top >= bottom else (left, top, right, bottom)


def _back(
    surface: Surface, rotation: Floats, pose: Pose, box: tuple[int, int, int, int]
) -> tuple[Floats, Floats]:
    """For each pixel of the box, float32: the surface's x and y that are seen there."""
    left, top, right, bottom = box
    columns, rows = (right - left) // GRID + 2, (bottom - top) // GRID + 2
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    x, y = x * GRID + (left - pose.x_px), y * GRID + (top - pose.y_px)
    focal, pivot = FOCAL * surface.unit_px, surface.pivot_px
    middle_x, middle_y = surface.middle_px
    inverse = np.linalg.inv(rotation[:2, :2])
    u, v = x.copy(), y.copy()
    for _ in range(ROUNDS):
        if surface.depth_px is None:
            z = np.full_like(u, -pivot)
        else:
            z = floats(
                cv2.remap(
                    surface.depth_px,
                    u + np.float32(middle_x),
                    v + np.float32(middle_y),
                    cv2.INTER_LINEAR,
                    borderMode=cv2.BORDER_REPLICATE,
                )
            ) - np.float32(pivot)
        away = rotation[2, 0] * u + rotation[2, 1] * v + rotation[2, 2] * z + pivot
        zoom = (focal + away) / focal
        x1, y1 = x * zoom - rotation[0, 2] * z, y * zoom - rotation[1, 2] * z
        u = inverse[0, 0] * x1 + inverse[0, 1] * y1
        v = inverse[1, 0] * x1 + inverse[1, 1] * y1
    grid = np.array([[GRID, 0, 0], [0, GRID, 0]], np.float32)
    size = (right - left, bottom - top)
    full = (
        cv2.warpAffine(
            (part + np.float32(shift)).astype(np.float32),
            grid,
            size,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for part, shift in ((u, middle_x), (v, middle_y))
    )
    across, down = full
    return floats(across), floats(down)
