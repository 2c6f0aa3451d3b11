"""Things in front of a face, drawn onto the portrait so that they move with the head.

Here: glasses, a medical mask, a hat, a hand over the mouth. Not here: anything behind the head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from pipeline.synth import Floats, Image, floats, pixels
from pipeline.synth.portrait import OVAL, Portrait
from pipeline.synth.room import skin_bgr

Layer = tuple[Image, Floats]
"""Colours uint8 HxWx3 and cover float32 HxW."""


def wearing(person: Portrait, things: tuple[str, ...]) -> Portrait:
    """The portrait with things put on, in that order. Raises KeyError for an unknown one."""
    for thing in things:
        colour, cover = THINGS[thing](person)
        cover = floats(cv2.GaussianBlur(cover, (0, 0), max(0.5, 0.006 * person.width_px)))
        photo = person.photo + (colour.astype(np.float32) - person.photo) * cover[:, :, None]
        # What stands out beyond the head hides what is behind it, too
        head = np.maximum(person.head, cover)
        person = replace(person, photo=pixels(floats(photo)), head=head)
    return person


def _blank(person: Portrait) -> Layer:
    return np.zeros_like(person.photo), np.zeros(person.head.shape, np.float32)


def _polygon(target: Floats | Image, points: Floats, value: float | tuple[float, ...]) -> None:
    shade = value if isinstance(value, tuple) else (value,)
    cv2.fillPoly(target, [np.round(points * 16).astype(np.int32)], shade, cv2.LINE_AA, 4)


def _glasses(person: Portrait) -> Layer:
    """Dark thick frames, clear lenses with a glint."""
    colour, cover = _blank(person)
    points, face = person.mesh_px[:, :2], person.width_px
    thick = max(1, round(0.035 * face))
    colour[:] = (38, 32, 30)
    eyes = [points[[33, 133, 159, 145]].mean(0), points[[263, 362, 386, 374]].mean(0)]
    across = eyes[1] - eyes[0]
    angle = float(np.degrees(np.arctan2(across[1], across[0])))
    half = (round(0.205 * face), round(0.15 * face))
    for eye in eyes:
        middle = (round(float(eye[0])), round(float(eye[1]) + 0.02 * face))
        cv2.ellipse(cover, middle, half, angle, 0, 360, (0.18,), -1, cv2.LINE_AA)
        cv2.ellipse(cover, middle, half, angle, 0, 360, (1.0,), thick, cv2.LINE_AA)
        glint = (middle[0] + half[0] // 3, middle[1] - half[1] // 2)
        for part, value in ((colour, (235.0, 235.0, 235.0)), (cover, (0.75,))):
            size = (max(1, half[0] // 5), max(1, half[1] // 6))
            cv2.ellipse(part, glint, size, angle - 30, 0, 360, value, -1, cv2.LINE_AA)
    unit = across / max(float(np.hypot(*across)), 1e-6)
    ends = [(eyes[0] + unit * half[0], eyes[1] - unit * half[0])]
    ends += [(eyes[0] - unit * half[0], points[127]), (eyes[1] + unit * half[0], points[356])]
    for a, b in ends:
        line = [(round(float(p[0])), round(float(p[1]))) for p in (a, b)]
        cv2.line(cover, line[0], line[1], (1.0,), thick, cv2.LINE_AA)
    return colour, cover


def _mask(person: Portrait) -> Layer:
    """A pleated blue mask from the bridge of the nose to below the chin."""
    colour, cover = _blank(person)
    points, face = person.mesh_px[:, :2], person.width_px
    jaw = [i for i in OVAL if points[i, 1] > points[[50, 280], 1].mean()]
    low = points[jaw] + np.array([0, 0.04 * face], np.float32)
    around = np.concatenate([low, points[[6, 197, 50, 280]] + floats([0, 0.03 * face])])
    _polygon(cover, floats(cv2.convexHull(floats(around)))[:, 0], 1.0)
    height = colour.shape[0]
    pleats = 12 * np.sin(np.arange(height) * 2 * np.pi / max(3.0, 0.11 * face))
    colour[:] = np.clip(np.array([205, 178, 150]) + pleats[:, None, None], 0, 255)
    return colour, cover


def _hat(person: Portrait) -> Layer:
    """A dark cap down to the brows, with a peak."""
    colour, cover = _blank(person)
    points, face = person.mesh_px[:, :2], person.width_px
    middle_x, top = float(points[10, 0]), float(points[10, 1])
    brow = float(points[[105, 334], 1].mean()) - 0.03 * face
    crown = np.array(
        [
            [-0.66, 0],
            [-0.64, -0.35],
            [-0.45, -0.62],
            [0, -0.72],
            [0.45, -0.62],
            [0.64, -0.35],
            [0.66, 0],
        ]
    )
    _polygon(cover, floats(crown * face + [middle_x, (top + brow) / 2]), 1.0)
    colour[:] = (70, 45, 40)
    peak = np.array([[-0.7, 0], [-0.4, -0.1], [0.4, -0.1], [0.7, 0], [0.4, 0.07], [-0.4, 0.07]])
    shape = floats(peak * face + [middle_x, brow])
    _polygon(cover, shape, 1.0)
    _polygon(colour, shape, (40.0, 25.0, 22.0))
    return colour, cover


def _hand(person: Portrait) -> Layer:
    """Four fingers and the back of a hand over mouth and nose tip."""
    colour, cover = _blank(person)
    points, face = person.mesh_px[:, :2], person.width_px
    skin = skin_bgr(person)
    x, y = points[[13, 14]].mean(0).tolist()
    for k in range(4):
        dy = (k - 1.6) * 0.13 * face
        a = (round(x - 0.42 * face), round(y + dy * 0.9))
        b = (round(x + (0.42 - 0.03 * abs(k - 1)) * face), round(y + dy - 0.03 * face))
        for part, wide, value in (
            (cover, 0.15, (1.0,)),
            (colour, 0.16, tuple((skin * 0.62).tolist())),
            (colour, 0.115, tuple((skin * (0.9 + 0.03 * k)).tolist())),
        ):
            cv2.line(part, a, b, value, max(1, round(wide * face)), cv2.LINE_AA)
    back = (round(x - 0.6 * face), round(y + 0.05 * face))
    for part, value in ((cover, (1.0,)), (colour, tuple((skin * 0.88).tolist()))):
        size = (round(0.34 * face), round(0.31 * face))
        cv2.ellipse(part, back, size, 15, 0, 360, value, -1, cv2.LINE_AA)
    return colour, cover


THINGS: dict[str, Callable[[Portrait], Layer]] = {
    "glasses": _glasses,
    "mask": _mask,
    "hat": _hat,
    "hand": _hand,
}
"""What can be put on, by name."""
