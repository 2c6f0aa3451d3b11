"""Does the face move as a plane does? A strict veto, and nothing else.

A turned head leaves any plane-to-plane mapping behind, a turned sheet of paper follows one. The
measure separates only where the turn is large (AUC .41 to .48 over all windows), so a face that is
not seen to be flat says nothing. KLT points, not the mesh net: that invents depth on photos.
"""

from __future__ import annotations

from statistics import median

from pipeline.cue import Cue
from pipeline.decision import Evidence, Stand, Topic
from pipeline.flatness import Flatness
from pipeline.observation import Observation
from pipeline.policy import Policy

TURNED = 2
"""Looks at a turned face that it needs: heads turn late in a window, and a sheet that was seen to
be one must not come in before the third."""


class Plane(Cue):
    """Judges the looks at one window's motion."""

    def __init__(self) -> None:
        self._looks = Flatness()

    def add(self, obs: Observation) -> None:
        """Take one observation's fits, if they were made."""
        self._looks.add(obs)

    def row(self, policy: Policy) -> Evidence:
        """AGAINST a flat face that was turned, else UNKNOWN."""
        turned = self._looks.turned(policy)
        numbers = {"samples": float(len(turned))}
        if len(turned) < TURNED:
            return Evidence("plane", Topic.LIVENESS, Stand.UNKNOWN, "not_turned", numbers=numbers)
        ratio = median(turned)
        numbers["ratio"] = ratio
        if ratio >= policy.plane_ratio:
            return Evidence("plane", Topic.LIVENESS, Stand.UNKNOWN, "not_flat", numbers=numbers)
        return Evidence(
            "plane", Topic.LIVENESS, Stand.AGAINST, "flat", policy.plane_llr, numbers=numbers
        )
