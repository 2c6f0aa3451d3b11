"""Does the face move as a plane does? A strict veto, and nothing else.

A turned head leaves any plane-to-plane mapping behind, a turned sheet of paper follows one. The
measure separates only where the turn is large (AUC .41 to .48 over all windows), so a face that is
not seen to be flat says nothing. KLT points, not the mesh net: that invents depth on photos.
"""

from __future__ import annotations

from math import isfinite
from statistics import median

from pipeline.cue import Cue
from pipeline.decision import Evidence, Stand, Topic
from pipeline.observation import Observation
from pipeline.policy import Policy

LEAST = 1e-4
"""Eye distances: smaller residuals are rounding."""


class Plane(Cue):
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

    def row(self, policy: Policy) -> Evidence:
        """AGAINST a flat face that was turned, else UNKNOWN."""
        turned = [ratio for residual, ratio in self._fits if residual > policy.plane_residual]
        numbers = {"samples": float(len(turned))}
        if len(turned) < policy.motion_samples:
            return Evidence("plane", Topic.LIVENESS, Stand.UNKNOWN, "not_turned", numbers=numbers)
        ratio = median(turned)
        numbers["ratio"] = ratio
        if ratio >= policy.plane_ratio:
            return Evidence("plane", Topic.LIVENESS, Stand.UNKNOWN, "not_flat", numbers=numbers)
        return Evidence(
            "plane", Topic.LIVENESS, Stand.AGAINST, "flat", policy.plane_llr, numbers=numbers
        )
