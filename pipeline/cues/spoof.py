"""Pooled vote of the single-frame anti-spoof net. No other liveness cue lives here.

A frame's vote is the least of its margins: prints give themselves away on the wide crop, a screen
whose border is out of the picture on the tight one. The median over frames is what separates (AUC
.96 against .90 for one frame, 89 clips). Errors: docs/liveness.md.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import median

from pipeline.cue import Cue
from pipeline.decision import Evidence, Stand, Topic, leaning
from pipeline.observation import Observation
from pipeline.policy import Policy

NET, CROPS = "spoof", 2
"""The net that votes, and how many crops it must have judged in a frame."""
MARGIN_CLIP = 8.0
"""One frame's margin, natural log units: beyond it the net is extrapolating (fit of the gain)."""


class SpoofVote(Cue):
    """Collects the margins of one window."""

    def __init__(self) -> None:
        self._looks: list[tuple[float, float, float]] = []
        """Of a frame its least margin, that of its widest crop, and that one's reach."""

    def add(self, obs: Observation) -> None:
        """Take one observation's margins, if it has that of every crop: the least of fewer would be
        another vote."""
        spoof = obs.face.spoof if obs.face is not None else None
        own = [margin for margin in spoof or () if margin.net == NET]
        if len(own) < CROPS:
            return
        values = [max(-MARGIN_CLIP, min(MARGIN_CLIP, margin.value)) for margin in own]
        self._looks.append((min(values), values[0], own[0].reach))

    def share(self, policy: Policy) -> float:
        """How much of the evidence needed is in, 0..1."""
        return min(1.0, len(self._votes(policy)) / policy.spoof_votes)

    def row(self, policy: Policy) -> Evidence:
        """UNKNOWN until enough voted; then the calibrated ratio, FOR from the policy's floor on. A
        veto where the wide crop alone is strong: that limit was measured on it."""
        votes = self._votes(policy)
        n = len(votes)
        if n < policy.spoof_votes:
            reason = "crop_too_tight" if len(self._looks) - n > n else "too_few_votes"
            return Evidence(
                "spoof", Topic.LIVENESS, Stand.UNKNOWN, reason, numbers={"votes": float(n)}
            )
        middle, wide = (median(values) for values in zip(*votes, strict=True))
        llr = policy.spoof_gain * middle + policy.spoof_offset
        llr = max(-policy.spoof_clip, min(policy.spoof_clip, llr))
        numbers = {"votes": float(n), "margin": middle, "wide": wide}
        strong = wide < policy.spoof_strong
        row = leaning("spoof", llr, "live", "spoof", numbers, strong=strong)
        if row.stand is Stand.FOR and llr < policy.spoof_floor:
            return replace(row, stand=Stand.OPEN, reason="too_weak")
        return row

    def _votes(self, policy: Policy) -> list[tuple[float, float]]:
        """The least and the wide margins of frames whose wide crop is not too tight: such a frame
        is counted and does not vote."""
        return [(least, wide) for least, wide, reach in self._looks if reach >= policy.spoof_crop]
