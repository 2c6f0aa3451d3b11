"""A coloured light in front of the person, as a screen that changes its colour, and what it does.

Here: which colour when, and how much brighter a surface gets. Not here: who draws the sequence.
Source: Lambert's cosine law; IEC 61966-2-1: light adds up before the camera encodes it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.synth import Floats, Image, floats, pixels

TOWARDS = (0.0, 0.25, -1.0)
"""From the face to the light: a screen stands below its camera."""
FAR = 0.06
"""What reaches the background, as a share of what reaches the face (distance squared)."""

GAMMA = 2.2
"""Between light and level, of screen and camera."""

Bgr = tuple[int, int, int]


class Lamp(Protocol):
    """What lights a scene; asked once for every picture, in the order of time."""

    def glow(self, t_s: float) -> Glow | None:
        """The light at a time; None for none."""
        ...


@dataclass(frozen=True, slots=True)
class Reflections:
    """A sequence of colours and how it comes back from the face."""

    steps: tuple[tuple[float, Bgr], ...]
    """When each colour begins, seconds, rising; its B, G, R, 0..255."""
    strength: float = 0.06
    """Light of a white screen on what faces it, over the room's: 0.02 to 0.15 at a webcam."""
    delay_s: float = 0.0
    """How much later the answer is seen than the sequence says."""
    whole: bool = False
    """The whole picture is tinted alike, as a program would that knows no faces."""

    def glow(self, t_s: float) -> Glow | None:
        """The light at a time; None before the first step."""
        at = bisect_right([start_s for start_s, _ in self.steps], t_s - self.delay_s) - 1
        if at < 0:
            return None
        b, g, r = (self.strength * (part / 255) ** GAMMA for part in self.steps[at][1])
        return Glow((b, g, r), self.whole)


@dataclass(frozen=True, slots=True)
class Glow:
    """The light at one time."""

    gain: tuple[float, float, float]
    """Of blue, green and red over the room's, in linear light."""
    whole: bool = False
    """As in Reflections."""

    def times(self, share: float) -> Glow:
        """The same light, so much weaker."""
        b, g, r = self.gain
        return Glow((b * share, g * share, r * share), self.whole)


def lit(colour: Image, depth_px: Floats | None, rotation: Floats, glow: Glow) -> Image:
    """A surface in that light: by the angle between its normals and the light."""
    length = math.hypot(*TOWARDS)
    x, y, z = (float(part) for part in rotation.T @ np.array(TOWARDS, np.float32) / length)
    if depth_px is None:
        return tinted(colour, glow, max(0.0, -z))
    down, across = np.gradient(depth_px)
    cosine = (across * x + down * y - z) / np.sqrt(1 + across**2 + down**2)
    return tinted(colour, glow, np.maximum(cosine, 0)[:, :, None])


def tinted(image: Image, glow: Glow, share: float | Floats = 1.0) -> Image:
    """Brightened alike, or by a map float32 HxWx1."""
    gain = (1 + np.asarray(glow.gain, np.float32) * share) ** np.float32(1 / GAMMA)
    return pixels(floats(image * gain))
