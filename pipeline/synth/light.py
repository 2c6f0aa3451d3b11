"""A coloured light in front of the person, as a screen that changes its colour, and what it does.

Here: which colour when, and how much brighter a surface gets. Not here: who draws the sequence.
Source: Lambert's cosine law; a white light of `strength` raises what faces it by that share.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from pipeline.synth import Floats, Image, floats, pixels

TOWARDS = (0.0, 0.25, -1.0)
"""From the face to the light: a screen stands below its camera."""
FAR = 0.06
"""What reaches the background, as a share of what reaches the face (distance squared)."""

Bgr = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Reflections:
    """A sequence of colours and how it comes back from the face."""

    steps: tuple[tuple[float, Bgr], ...]
    """When each colour begins, seconds, rising; its B, G, R, 0..255."""
    strength: float = 0.06
    """Brightening by full white at right angles; measured at webcams: 0.02 to 0.15."""
    delay_s: float = 0.0
    """How much later the answer is seen than the sequence says."""
    whole: bool = False
    """The whole picture is tinted alike, as a program would that knows no faces."""

    def glow(self, t_s: float) -> Glow | None:
        """The light at a time; None before the first step."""
        at = bisect_right([start_s for start_s, _ in self.steps], t_s - self.delay_s) - 1
        if at < 0:
            return None
        b, g, r = (self.strength * part / 255 for part in self.steps[at][1])
        return Glow((b, g, r), self.whole)


@dataclass(frozen=True, slots=True)
class Glow:
    """The light at one time."""

    gain: tuple[float, float, float]
    """Brightening of blue, green and red."""
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
    gain = 1 + np.asarray(glow.gain, np.float32) * share
    return pixels(floats(image * gain))
