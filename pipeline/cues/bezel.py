"""Straight edges on two sides of the face: the border of a screen, or of a sheet of paper.

One long edge is a door frame; two are rarer. So the second longest of the four sides counts, in
face heights, as the median over the window (AUC .99 webcam against replay, docs/liveness.md).
"""

from __future__ import annotations

from statistics import median

from pipeline.cue import Cue
from pipeline.decision import Evidence, Stand, Topic, leaning
from pipeline.observation import Observation
from pipeline.policy import Policy


class Bezel(Cue):
    """Collects the edges of one window."""

    def __init__(self) -> None:
        self._seconds: list[float] = []

    def add(self, obs: Observation) -> None:
        """Take one observation's edges, if they were looked for."""
        if obs.face is None or obs.face.edges is None:
            return
        self._seconds.append(sorted(obs.face.edges)[2])

    def row(self, policy: Policy) -> Evidence:
        """FOR without edges, a veto with two long ones."""
        n = len(self._seconds)
        if n < policy.border_samples:
            numbers = {"samples": float(n)}
            return Evidence(
                "bezel", Topic.LIVENESS, Stand.UNKNOWN, "too_few_samples", numbers=numbers
            )
        second = median(self._seconds)
        llr = policy.bezel_offset + policy.bezel_gain * min(second, policy.bezel_most)
        llr = max(policy.bezel_clip, min(policy.bezel_offset, llr))
        numbers = {"samples": float(n), "second_edge": second}
        strong = second >= policy.bezel_strong
        return leaning("bezel", llr, "no_border", "border", numbers, strong=strong)
