"""Made hands: a skeleton, skin and creases from a seed, spread as far as is wanted; no real hand.

Here: an open hand with its palm to the camera as a surface, and a sheet of paper that shows one.
Not here: how it is moved, tilted and lit (surface.py, motion.py), how a sheet bends (flat.py).
Source: the mean of 58 right hands of the COEP palmprint database as MediaPipe's 21 points, one
picture each, fitted by their wrists and fingers' roots; all else was chosen by eye.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.synth import Floats, Image, floats, pixels
from pipeline.synth.flat import INK_FLOOR, INK_GAIN, PAPER
from pipeline.synth.surface import Surface

SKELETON = (
    (0.117, 1.165),  # wrist
    *((0.622, 0.846), (0.945, 0.354), (1.156, -0.066), (1.355, -0.347)),  # thumb
    *((0.463, -0.372), (0.533, -0.913), (0.533, -1.250), (0.513, -1.538)),  # index finger
    *((0.117, -0.395), (0.097, -1.014), (0.065, -1.404), (0.026, -1.717)),
    *((-0.196, -0.296), (-0.289, -0.854), (-0.328, -1.202), (-0.361, -1.502)),
    *((-0.500, -0.102), (-0.645, -0.497), (-0.730, -0.759), (-0.789, -1.021)),  # little finger
)
"""Of a right hand, in palm widths (index finger's root to little finger's), right and down from the
middle of the wrist and the fingers' roots."""
THUMB, FINGERS = (1, 2, 3, 4), ((5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (17, 18, 19, 20))
FAN = (1.0, 0.3, -0.4, -1.0)
"""How far each finger turns about its root when the hand spreads, as a share."""
RADII = ((0.135, 0.095), (0.135, 0.095), (0.125, 0.09), (0.11, 0.08))
"""Half a finger's width at its root and at its tip, in palm widths."""
PRINCIPAL = (
    ((-0.55, -0.05), (-0.15, 0.10), (0.15, -0.12), (0.28, -0.36)),  # heart
    ((0.55, -0.05), (0.20, 0.02), (-0.10, 0.25), (-0.45, 0.40)),  # head
    ((0.55, -0.08), (0.10, 0.15), (-0.02, 0.55), (0.12, 1.00)),  # life
)
"""Bezier points of the three long creases, in palm widths."""
BORDER = 0.45
"""Room round the points, in palm widths: skin is wider than its skeleton."""
SHEET_BORDER = 0.25
"""White border of a print, in palm widths."""
INK = (0.8, 0.95, 1.0)
"""How much a crease darkens blue, green and red."""


@dataclass(frozen=True, slots=True, eq=False)
class Crease:
    """A dark line."""

    bezier: Floats
    """float32 (4, 2), in palm widths."""
    width: float
    """In palm widths."""
    depth: float
    """In levels of 255."""


@dataclass(frozen=True, slots=True, eq=False)
class Owner:
    """What stays of one person's hand."""

    seed: int
    points: Floats
    """float32 (21, 2), in palm widths."""
    creases: tuple[Crease, ...]
    skin_bgr: tuple[float, float, float]
    mottling: Floats
    """float32 (6, 6): where the skin is lighter, coarsely."""


@dataclass(frozen=True, slots=True, eq=False)
class Hand:
    """A hand, or a print of one, as it is drawn."""

    surface: Surface
    points_px: Floats
    """float32 (21, 2): the skeleton, in pixels of the surface."""


def owner(seed: int) -> Owner:
    """A person: bone lengths, skin, three long creases and some 20 fine ones."""
    rng = np.random.default_rng(seed)
    points = np.array(SKELETON) * (rng.normal(1, 0.03), rng.normal(1, 0.04))
    for root, *rest in (*FINGERS, THUMB):
        points[rest] = points[root] + (points[rest] - points[root]) * rng.normal(1, 0.05)
    creases = []
    for line in PRINCIPAL:
        shape = np.array(line) + rng.normal(0, 0.07, (4, 2))
        creases.append(Crease(floats(shape), rng.uniform(0.010, 0.018), rng.uniform(25, 48)))
    for _ in range(int(rng.integers(14, 30))):
        angle, half = rng.uniform(0, math.pi), rng.uniform(0.05, 0.22)
        along = np.array([math.cos(angle), math.sin(angle)]) * half
        shape = rng.uniform((-0.45, -0.30), (0.50, 0.95)) + np.outer((-1, -1 / 3, 1 / 3, 1), along)
        shape[1:3] += rng.normal(0, 0.04, (2, 2))
        creases.append(Crease(floats(shape), rng.uniform(0.004, 0.009), rng.uniform(6, 22)))
    blue, green, red = rng.uniform((95, 125, 175), (150, 180, 225)).tolist()
    mottling = floats(rng.normal(0, 1, (6, 6)))
    return Owner(seed, floats(points), tuple(creases), (blue, green, red), mottling)


def hand(of: Owner, palm_px: float, fan_rad: float = 0.0, *, left: bool = False) -> Hand:
    """The open hand as a plane, its palm `palm_px` wide.

    `fan_rad`: how far the index and the little finger turn outwards, each; below zero they close.
    """
    points = _spread(of.points, fan_rad)
    low = points.min(0) - BORDER
    at = floats((points - low) * palm_px)
    width, height = np.ceil((points.max(0) + BORDER - low) * palm_px).astype(int).tolist()
    cover = _cover(at, palm_px, (width, height))
    colour = _skin(of, at, floats(low), palm_px, cover)
    if left:
        colour, cover = np.ascontiguousarray(colour[:, ::-1]), np.ascontiguousarray(cover[:, ::-1])
        at = floats(at * (-1, 1) + (width - 1, 0))
    return Hand(_plane(colour, cover, at, palm_px), at)


def sheet(of: Owner, palm_px: float, fan_rad: float = 0.0, *, left: bool = False) -> Hand:
    """A colour print of the hand with a white border, a plane; flat.bent bends its surface."""
    shown = hand(of, palm_px, fan_rad, left=left)
    cover = shown.surface.cover[:, :, None]
    print_ = shown.surface.colour * cover + np.array(PAPER) * (1 - cover)
    edge = round(SHEET_BORDER * palm_px)
    ink = pixels(floats(print_ * INK_GAIN + INK_FLOOR))
    paper = cv2.copyMakeBorder(ink, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=PAPER)
    at = floats(shown.points_px + edge)
    whole = np.ones(paper.shape[:2], np.float32)
    return Hand(_plane(np.asarray(paper, np.uint8), whole, at, palm_px), at)


def _plane(colour: Image, cover: Floats, at: Floats, palm_px: float) -> Surface:
    x, y = at[[0, *(root for root, *_ in FINGERS)]].mean(0).tolist()
    return Surface(colour, cover, None, (x, y), 0.0, palm_px)


def _spread(points: Floats, fan_rad: float) -> Floats:
    spread = points.astype(np.float64)
    for (root, *rest), share in zip(FINGERS, FAN, strict=True):
        c, s = math.cos(fan_rad * share), math.sin(fan_rad * share)
        spread[rest] = spread[root] + (spread[rest] - spread[root]) @ np.array([[c, s], [-s, c]])
    return floats(spread)


def _cover(at: Floats, palm_px: float, size: tuple[int, int]) -> Floats:
    """float32 HxW, 0..1: palm, fingers, thumb and the beginning of the arm."""
    width, height = size
    inside = np.zeros((height, width), np.uint8)

    def limb(a: Floats, b: Floats, thick: float, thin: float) -> None:
        for t in np.linspace(0, 1, 24).tolist():
            x, y = (a + (b - a) * t).tolist()
            radius = int((thick + (thin - thick) * t) * palm_px)
            cv2.circle(inside, (int(x), int(y)), radius, (255,), -1)

    def near(point: Floats, right: float, down: float) -> Floats:
        return floats(point + np.array([right, down]) * palm_px)

    wrist, index, little = at[0], at[5], at[17]
    outline = (
        near(index, 0.14, -0.02),
        near(at[9], 0.0, -0.10),
        near(at[13], -0.02, -0.08),
        near(little, -0.16, -0.04),
        near(floats(little * 0.35 + wrist * 0.65), -0.36, 0.0),
        near(wrist, -0.33, 0.12),
        near(wrist, 0.30, 0.12),
        near(at[1], 0.14, 0.04),
        near(at[2], 0.08, 0.10),
        near(floats(index * 0.6 + at[2] * 0.4), 0.0, 0.05),
    )
    cv2.fillPoly(inside, [np.array(outline).astype(np.int32)], (255,))
    for bones, (thick, thin) in zip(FINGERS, RADII, strict=True):
        step = (thin - thick) / 3
        for k in range(3):
            limb(at[bones[k]], at[bones[k + 1]], thick + step * k, thick + step * (k + 1))
    for k, (thick, thin) in enumerate(((0.20, 0.16), (0.16, 0.13), (0.13, 0.10)), 1):
        limb(at[k], at[k + 1], thick, thin)
    limb(wrist, near(wrist, 0.0, 0.44), 0.32, 0.30)
    soft = cv2.GaussianBlur(inside, (0, 0), 0.012 * palm_px)
    return floats(cv2.GaussianBlur((soft > 127).astype(np.float32), (0, 0), 0.7))


def _skin(of: Owner, at: Floats, low: Floats, palm_px: float, cover: Floats) -> Image:
    """uint8 HxWx3: skin that darkens towards its edge, grain, and the creases."""
    height, width = cover.shape
    deep = cv2.distanceTransform((cover > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / palm_px
    shade = np.sqrt(np.clip(deep / 0.12, 0, 1)) * 0.35 + 0.65
    patches = cv2.resize(of.mottling, (width, height), interpolation=cv2.INTER_CUBIC)
    grain = np.random.default_rng(of.seed + 99).normal(0, 1, (height, width)).astype(np.float32)
    grain = floats(cv2.GaussianBlur(grain, (0, 0), max(0.6, 0.006 * palm_px)))
    light = patches * 5 + grain * (2.5 / float(grain.std()))
    dark = np.zeros((height, width), np.float32)
    t = np.linspace(0, 1, 60)[:, None]
    for crease in of.creases:
        a, b, c, d = crease.bezier
        curve = (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t * t * (1 - t) * c + t**3 * d
        line = floats((curve - low) * palm_px)
        np.maximum(dark, _line(line, crease.width * palm_px, cover) * crease.depth, out=dark)
    for bones in FINGERS:
        for k, share in ((0, 0.75), (1, 0.0), (2, 0.0)):
            bone = at[bones[k + 1]] - at[bones[k]]
            across = np.array([-bone[1], bone[0]]) * (0.1 * palm_px / float(np.hypot(*bone)))
            joint = at[bones[k]] + bone * share
            line = floats([joint - across, joint + across])
            np.maximum(dark, _line(line, 0.012 * palm_px, cover) * 30, out=dark)
    tone = np.array(of.skin_bgr) * shade[:, :, None] + light[:, :, None]
    return pixels(floats(tone - dark[:, :, None] * np.array(INK)))


def _line(points: Floats, width_px: float, like: Floats) -> Floats:
    """float32 as `like`, 0..1: a soft line through the points."""
    line = np.zeros(like.shape, np.uint8)
    thick = max(1, round(width_px))
    way = np.round(points * 16).astype(np.int32)
    cv2.polylines(line, [way], False, (255,), thick, cv2.LINE_AA, 4)
    return floats(cv2.GaussianBlur(line.astype(np.float32) / 255, (0, 0), max(0.6, 0.4 * width_px)))
