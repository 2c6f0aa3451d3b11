"""What a person's stream must answer: colours of light, or turns of the head, drawn from a seed.

Here: the drawn sequences as data, the physics of screen colours, and the limits that keep them
harmless as code. Not here: whether a stream answered (cues/light.py, cues/turn.py), painting
(web/widget/challenge.js). Source: WCAG 2.2, success criterion 2.3.1 and its definitions of general
flash, red flash and relative luminance; IEC 61966-2-1 (sRGB); CIE 1976 UCS.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats64 = NDArray[np.float64]
Color = tuple[int, int, int]
"""sRGB, red green blue, 0..255."""

NEUTRAL: Color = (170, 170, 170)
"""The grey of the colours' own luminance: what a challenge begins with."""
COLORS: tuple[Color, ...] = ((255, 112, 255), (0, 196, 0), (255, 138, 64), (0, 179, 255))
"""Magenta against green and orange against azure: red and blue light go on and off independently of
each other, green makes up for it, so that all have the relative luminance .40 to a hundredth. Red
itself is not among them: nothing here is a saturated red in the sense of WCAG."""
STEPS = 10
"""Colours in a challenge: 4 * 3^9 orders, 2^16, before their durations are drawn."""
LEAD_MS = 400
"""Grey before the first colour: the eye, and the camera's white balance, get used to the page."""
SHORTEST_MS, LONGEST_MS, GRAIN_MS = 250, 400, 10
"""A step is seen in at least three pictures at 15 a second, and there are at most four changes a
second; durations differ, so that no delay lays one sequence over another."""
TURNS = 4
"""Directions in a head challenge: 4 * 3^3 = 108 orders. A camera may be mirrored, so an order and
its mirror image count as one: whoever guesses is right once in 54."""

MOST_FLASHES = 3
"""In any second: WCAG 2.2, 2.3.1, three flashes or below threshold."""


class Direction(StrEnum):
    """Where to turn the head, as the person sees it."""

    LEFT = "left"
    RIGHT = "right"
    UP = "up"
    DOWN = "down"

    @property
    def mirrored(self) -> Direction:
        """What a mirror makes of it."""
        swapped = {Direction.LEFT: Direction.RIGHT, Direction.RIGHT: Direction.LEFT}
        return swapped.get(self, self)


class Draws:
    """Numbers from a secret seed: nobody without it can tell the next, and a replay draws the same.

    SHA-256 over seed and counter; numpy's generators are reproducible, but not unpredictable.
    """

    def __init__(self, seed: bytes) -> None:
        """`seed`: 16 bytes or more of a cryptographic source, drawn by the shell."""
        self._seed = hashlib.sha256(seed).digest()
        self._n = 0

    def below(self, n: int) -> int:
        """Uniform in 0..n-1, 1 <= n <= 2^16."""
        while True:
            block = hashlib.sha256(self._seed + self._n.to_bytes(8, "big")).digest()
            self._n += 1
            value = int.from_bytes(block[:4], "big")
            if value < 2**32 - 2**32 % n:  # else the small numbers would come more often
                return value % n


@dataclass(frozen=True, slots=True)
class Step:
    """One colour on the screen."""

    color: Color
    ms: int
    """How long, milliseconds."""


@dataclass(frozen=True, slots=True)
class Light:
    """A sequence of colours that one window's stream must answer."""

    n: int
    """Which challenge of the session, from 1: an answer names it."""
    steps: tuple[Step, ...]
    """The first is NEUTRAL."""

    @property
    def starts_ms(self) -> tuple[int, ...]:
        """When each step is due, from the beginning."""
        ends = np.cumsum([step.ms for step in self.steps])
        return (0, *(int(end) for end in ends[:-1]))

    @property
    def length_s(self) -> float:
        """From the first step to the end of the last."""
        return sum(step.ms for step in self.steps) / 1000

    def shown(self, starts_s: Sequence[float], times_s: Floats64, exposure_s: float) -> Floats64:
        """Mean linear light (..., 3) RGB, 0..1, that the screen gave in the `exposure_s` before
        each of `times_s` (...); `starts_s` says when each step was really painted."""
        knots = np.array([-60.0, *starts_s, 60.0])
        levels = np.array([linear(NEUTRAL), *(linear(step.color) for step in self.steps)])
        integral = np.vstack([np.zeros(3), np.cumsum(levels * np.diff(knots)[:, None], axis=0)])
        ends = [np.interp(times_s, knots, integral[:, c]) for c in range(3)]
        begins = [np.interp(times_s - exposure_s, knots, integral[:, c]) for c in range(3)]
        mean = (np.stack(ends, axis=-1) - np.stack(begins, axis=-1)) / exposure_s
        return np.asarray(mean, np.float64)


def draw_light(draws: Draws, n: int) -> Light:
    """A sequence of colours, no two alike in a row, each for a time of its own."""
    grains = (LONGEST_MS - SHORTEST_MS) // GRAIN_MS + 1
    steps = [Step(NEUTRAL, LEAD_MS)]
    others = list(COLORS)
    for _ in range(STEPS):
        color = others[draws.below(len(others))]
        steps.append(Step(color, SHORTEST_MS + GRAIN_MS * draws.below(grains)))
        others = [other for other in COLORS if other != color]
    return Light(n, tuple(steps))


def draw_turns(draws: Draws) -> tuple[Direction, ...]:
    """Directions, no two alike in a row."""
    turns: list[Direction] = []
    for _ in range(TURNS):
        others = [way for way in Direction if not turns or way is not turns[-1]]
        turns.append(others[draws.below(len(others))])
    return tuple(turns)


# What makes light harmful, after WCAG 2.2


def linear(color: Color) -> Floats64:
    """float64 (3,) linear light, 0..1 (IEC 61966-2-1, as WCAG's relative luminance has it)."""
    value = np.asarray(color, np.float64) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def luminance(color: Color) -> float:
    """Relative luminance, 0..1 (WCAG 2.2, definition)."""
    return float(linear(color) @ np.array([0.2126, 0.7152, 0.0722]))


def redness(color: Color) -> float:
    """R / (R + G + B) in linear light; from .8 it is a saturated red (WCAG 2.2, red flash)."""
    light = linear(color)
    return float(light[0] / max(light.sum(), 1e-9))


def chromaticity(color: Color) -> Floats64:
    """u', v' of the CIE 1976 UCS diagram."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    x, y, z = to_xyz @ linear(color)
    total = max(x + 15 * y + 3 * z, 1e-9)
    return np.array([4 * x / total, 9 * y / total])


def general_change(one: Color, other: Color) -> bool:
    """Half of a general flash: relative luminance changes by .10 or more, the darker below .80."""
    dark, bright = sorted((luminance(one), luminance(other)))
    return bright - dark >= 0.10 and dark < 0.80


def red_change(one: Color, other: Color) -> bool:
    """Half of a red flash: to or from a saturated red, more than .2 away in u'v'."""
    apart = float(np.linalg.norm(chromaticity(one) - chromaticity(other)))
    return max(redness(one), redness(other)) >= 0.8 and apart > 0.2


def flashes(steps: Sequence[Step]) -> int:
    """Most flashes, general or red, that begin in any one second. A flash is a pair of opposing
    changes; here every two changes that could be halves of one are counted, opposing or not."""
    return (_most_changes(steps, harmful_only=True) + 1) // 2


def changes(steps: Sequence[Step]) -> int:
    """Most changes of any kind in one second; twice MOST_FLASHES is the limit even if a screen or
    an eye made flashes of all of them."""
    return _most_changes(steps, harmful_only=False)


def _most_changes(steps: Sequence[Step], *, harmful_only: bool) -> int:
    at_ms, times = 0, []
    for before, after in pairwise(steps):
        at_ms += before.ms
        one, other = before.color, after.color
        if not harmful_only or general_change(one, other) or red_change(one, other):
            times.append(at_ms)
    return max((sum(0 <= t - first < 1000 for t in times) for first in times), default=0)


def is_harmless(steps: Sequence[Step]) -> bool:
    """Whether a sequence keeps WCAG 2.3.1 without using what it allows: no flash at all."""
    return flashes(steps) == 0 and changes(steps) <= 2 * MOST_FLASHES
