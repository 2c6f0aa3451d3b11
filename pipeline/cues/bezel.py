"""Straight edges on two sides of the face: the border of a screen, or of a sheet of paper.

One long edge is a door frame; two are rarer. So the second longest of the four sides counts, in
face heights, as the median over the window (AUC .99 webcam against replay, docs/liveness.md). A
border that is not seen may be out of the picture. So it speaks for a face against prints only, and
only where the picture shows room for one; a screen held close has none to show.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import median

from pipeline.cue import Cue
from pipeline.decision import Evidence, Species, Stand, Topic, leaning
from pipeline.observation import Face, Observation
from pipeline.policy import Policy


class Bezel(Cue):
    """Collects the edges of one window."""

    def __init__(self) -> None:
        self._seconds: list[float] = []
        self._rooms: list[float] = []

    def add(self, obs: Observation) -> None:
        """Take one observation's edges, if they were looked for."""
        if obs.face is None or obs.face.edges is None:
            return
        self._seconds.append(sorted(obs.face.edges)[2])
        self._rooms.append(_room(obs.face, obs.picture_px[0]))

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
        room = median(self._rooms)
        numbers = {"samples": float(n), "second_edge": second, "room": room}
        strong = second >= policy.bezel_strong
        if llr <= 0.0 or strong:
            row = leaning("bezel", llr, "no_border", "border", numbers, strong=strong)
            return replace(row, certain=strong and n >= policy.bezel_samples)
        if room < policy.bezel_room:
            return Evidence("bezel", Topic.LIVENESS, Stand.OPEN, "no_room", numbers=numbers)
        row = leaning("bezel", llr, "no_border", "border", numbers)
        return replace(row, species=(Species.PRINT,))


def _room(face: Face, wide_px: int) -> float:
    """From the middle of the face to the nearer side of the picture, in face widths."""
    x, _, width, _ = face.box_px
    middle = x + width / 2
    return min(middle, wide_px - middle) / max(width, 1.0)
