"""Pooled vote of the single-frame anti-spoof nets. No other liveness cue lives here.

A frame's vote is the least of its margins: prints give themselves away on the wide crop, a screen
whose border is out of the picture on the tight one. The median over frames is what separates (AUC
.96 against .90 for one frame, 89 clips). Nets that an operator added vote beside it, and the vote
is the mean of the nets' ratios: they were trained on other people and attacks, and their errors are
others. Errors: docs/liveness.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from statistics import median

from pipeline.cue import Cue
from pipeline.decision import Evidence, Stand, Topic, leaning
from pipeline.observation import Observation
from pipeline.policy import Policy

NET, CROPS = "spoof", 2
"""The net that votes, and how many crops it must have judged in a frame."""
ADDED: Mapping[str, Callable[[Policy], tuple[float, float]]] = {
    "spoof2": lambda policy: (policy.spoof2_gain, policy.spoof2_offset),
    "spoof3": lambda policy: (policy.spoof3_gain, policy.spoof3_offset),
}
"""Nets that may vote beside it, in this order, and their gain and offset."""
MARGIN_CLIP = 8.0
"""One frame's margin, natural log units: beyond it the net is extrapolating (fit of the gain)."""


class SpoofVote(Cue):
    """Collects the margins of one window."""

    def __init__(self) -> None:
        self._looks: list[tuple[float, float, float]] = []
        """Of a frame its least margin, that of its widest crop, and that one's reach."""
        self._others: dict[str, list[tuple[float, float]]] = {name: [] for name in ADDED}
        """By net that was added, of the same frames: its margin, and the reach as above."""

    def add(self, obs: Observation) -> None:
        """Take one observation's margins, if it has that of every crop: the least of fewer would be
        another vote."""
        spoof = obs.face.spoof if obs.face is not None else None
        own = [margin for margin in spoof or () if margin.net == NET]
        if len(own) < CROPS:
            return
        values = [max(-MARGIN_CLIP, min(MARGIN_CLIP, margin.value)) for margin in own]
        self._looks.append((min(values), values[0], own[0].reach))
        for margin in spoof or ():
            if margin.net in self._others:
                value = max(-MARGIN_CLIP, min(MARGIN_CLIP, margin.value))
                self._others[margin.net].append((value, own[0].reach))

    def share(self, policy: Policy) -> float:
        """How much of the evidence needed is in, 0..1."""
        return min(1.0, len(self._votes(policy)) / policy.spoof_votes)

    def row(self, policy: Policy) -> Evidence:
        """UNKNOWN until enough voted; then the calibrated ratio, FOR from the policy's floor on. A
        veto where the wide crop alone is strong: that limit was measured on it. Where other nets
        voted as well, two must be strong, because any one is at times sure of what it never saw."""
        votes = self._votes(policy)
        n = len(votes)
        if n < policy.spoof_votes:
            reason = "crop_too_tight" if len(self._looks) - n > n else "too_few_votes"
            return Evidence(
                "spoof", Topic.LIVENESS, Stand.UNKNOWN, reason, numbers={"votes": float(n)}
            )
        middle, wide = (median(values) for values in zip(*votes, strict=True))
        numbers = {"votes": float(n), "margin": middle, "wide": wide}
        return judged(numbers | self._added(policy), policy)

    def _votes(self, policy: Policy) -> list[tuple[float, float]]:
        """The least and the wide margins of frames whose wide crop is not too tight: such a frame
        is counted and does not vote."""
        return [(least, wide) for least, wide, reach in self._looks if reach >= policy.spoof_crop]

    def _added(self, policy: Policy) -> dict[str, float]:
        """Median margins of the nets that were added and have voted often enough; the third only
        beside the second (nets/votes.py says why)."""
        found: dict[str, float] = {}
        for name, looks in self._others.items():
            margins = [margin for margin, reach in looks if policy.spoof_crop <= reach]
            if len(margins) < policy.spoof_votes:
                break
            found[name] = median(margins)
        return found


def judged(numbers: dict[str, float], policy: Policy) -> Evidence:
    """The row that these measurements make."""
    ratios = [_clipped(policy.spoof_gain * numbers["margin"] + policy.spoof_offset, policy)]
    strong = [numbers["wide"] < policy.spoof_strong]
    for name in ADDED:
        if name in numbers:
            gain, offset = ADDED[name](policy)
            ratios.append(_clipped(gain * numbers[name] + offset, policy))
            strong.append(numbers[name] < policy.spoof_strong)
    llr = sum(ratios) / len(ratios)
    certain = sum(strong) >= min(2, len(strong))
    row = leaning("spoof", llr, "live", "spoof", numbers, strong=certain)
    if row.stand is Stand.FOR and llr < policy.spoof_floor:
        return replace(row, stand=Stand.OPEN, reason="too_weak")
    return row


def _clipped(llr: float, policy: Policy) -> float:
    return max(-policy.spoof_clip, min(policy.spoof_clip, llr))
