"""How well a plane explains what a window's face did: the looks at points that were followed.

Here: the samples, and which of them count. Not here: what they are worth (cues/plane.py,
cues/turn.py), how points are followed (sight/motion.py).
"""

from __future__ import annotations

from math import isfinite

from pipeline.observation import Observation
from pipeline.policy import Policy

LEAST = 1e-4
"""Eye distances: smaller residuals are rounding."""


class Flatness:
    """Collects the residuals of one window."""

    def __init__(self) -> None:
        self._fits: list[tuple[float, float]] = []

    def add(self, obs: Observation) -> None:
        """Take one observation's fits, if they were made."""
        motion = obs.face.motion if obs.face is not None else None
        if motion is None or not isfinite(motion.similarity) or not isfinite(motion.homography):
            return
        ratio = motion.homography / max(motion.similarity, LEAST)
        self._fits.append((motion.similarity, ratio))

    def turned(self, policy: Policy) -> list[float]:
        """Of each look at a face that was turned, the residual of a plane over that of a
        similarity: near 0 for a sheet, near 1 for a head."""
        return [ratio for residual, ratio in self._fits if residual > policy.plane_residual]
