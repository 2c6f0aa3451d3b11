"""Flat things that show a face: a sheet of paper, a telephone, a monitor, a cut-out mask.

Here: how the photo or a film looks on them. Not here: how they are moved (motion.py, surface.py).
Source: what was seen of recorded attacks, docs/synth.md.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from pipeline.synth import Floats, Image, floats, pixels
from pipeline.synth.portrait import Portrait
from pipeline.synth.surface import Surface

PAPER = (226, 229, 231)
"""White under a room's light."""
INK_GAIN, INK_FLOOR = 0.78, 38.0
"""What a printer makes of a picture: black is grey and white is the paper's."""
SHEET = (0.95, 1.15, 1.0)
"""Half the width of the print, its height above and below the face's middle, in face widths."""
MARGIN = 0.085
"""White border, in face widths."""
GLASS = (14, 14, 15)
"""A device's frame."""
SCREEN_GAMMA, SCREEN_CONTRAST, SCREEN_TINT = 0.8, 1.12, (14.0, 4.0, -4.0)
"""A camera sees a screen brighter in the middle tones, harder, and bluish."""
MOIRE_PX, MOIRE = 3.1, 0.08
"""Period and depth of the beat between the two pixel grids."""
GLOSS = 0.15
"""What a device of glass throws back of the light in front of it, as a share of paper."""
FLICKER, FLICKER_TURN = 0.05, 1.9
"""Depth of the bands of backlight or rolling shutter, and how far they run from frame to frame."""


def paper(person: Portrait) -> Surface:
    """A colour print of the portrait with a white border, a plane."""
    face = person.width_px
    x, y = person.middle_px
    half, above, below = SHEET
    left, right = max(0, int(x - half * face)), int(x + half * face)
    top, bottom = max(0, int(y - above * face)), int(y + below * face)
    ink = pixels(person.photo[top:bottom, left:right] * np.float32(INK_GAIN) + INK_FLOOR)
    edge = max(2, round(MARGIN * face))
    sheet = cv2.copyMakeBorder(ink, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=PAPER)
    return _plane(np.asarray(sheet, np.uint8), (x - left + edge, y - top + edge), face)


def bent(sheet: Surface, amount: float) -> Surface:
    """The sheet as part of a cylinder, -1..1: its edges nearer or farther than its middle."""
    height, width = sheet.cover.shape
    x = np.linspace(-1, 1, width, dtype=np.float32)
    depth = np.float32(0.22 * amount * sheet.unit_px) * (1 - x**2 - 0.6)
    return Surface(
        sheet.colour,
        sheet.cover,
        np.ascontiguousarray(np.broadcast_to(depth, (height, width))),
        sheet.middle_px,
        sheet.pivot_px,
        sheet.unit_px,
    )


def mask(person: Portrait) -> Surface:
    """A print cut out along the head: no border left to see."""
    ink = pixels(person.photo * np.float32(INK_GAIN) + INK_FLOOR)
    cover = (person.head > 0.5).astype(np.float32)
    soft = floats(cv2.GaussianBlur(cover, (0, 0), 0.7))
    return Surface(ink, soft, None, person.middle_px, 0.0, person.width_px)


def screen(film: Image, n: int, size_px: tuple[int, int], rim_px: tuple[int, int]) -> Image:
    """A device that plays a picture as its n-th: scaled to fill `size_px`, with a dark rim.

    `rim_px`: at the sides, above and below.
    """
    width, height = size_px
    scale = max(width / film.shape[1], height / film.shape[0])
    size = (math.ceil(film.shape[1] * scale), math.ceil(film.shape[0] * scale))
    shown = cv2.resize(film, size, interpolation=cv2.INTER_AREA)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    shown = shown[top : top + height, left : left + width]
    tone = 255 * (np.arange(256) / 255) ** SCREEN_GAMMA
    tone = np.clip((tone - 128) * SCREEN_CONTRAST + 128, 0, 255).astype(np.float32)
    light = tone[shown] + floats(SCREEN_TINT)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    beat = 0.6 * np.sin(2 * np.pi * (x / MOIRE_PX + 0.11 * y) + 0.1 * n)
    beat += 0.4 * np.sin(2 * np.pi * (y / (1.2 * MOIRE_PX) - 0.07 * x))
    light *= 1 + MOIRE * beat[:, :, None] * floats((0.9, 0.5, -0.8))
    bands = np.sin(2 * np.pi * 1.5 * y[:, :1] / height + FLICKER_TURN * n)
    light *= 1 + np.float32(FLICKER) * bands[:, :, None]
    across, along = rim_px
    device = cv2.copyMakeBorder(
        pixels(floats(light)), along, along, across, across, cv2.BORDER_CONSTANT, value=GLASS
    )
    return np.asarray(device, np.uint8)


def device(picture: Image, unit_px: float) -> Surface:
    """The telephone or monitor as a plane."""
    height, width = picture.shape[:2]
    return _plane(picture, (width / 2, height / 2), unit_px)


def _plane(colour: Image, middle_px: tuple[float, float], unit_px: float) -> Surface:
    cover: Floats = np.ones(colour.shape[:2], np.float32)
    return Surface(colour, cover, None, middle_px, 0.0, unit_px)
