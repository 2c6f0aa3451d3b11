"""Pooled vote of the single-frame anti-spoof net. No other liveness cue lives here.

The median over frames is what separates (AUC .96 against .90 for one frame, 89 clips); its zero
lies at margin -2, because the net was trained on better cameras than people have.
"""

from __future__ import annotations

from statistics import median

from pipeline.cue import Cue
from pipeline.decision import Evidence, Stand, Topic, leaning
from pipeline.observation import Observation
from pipeline.policy import Policy

MARGIN_CLIP = 8.0
"""One frame's margin, natural log units: beyond it the net is extrapolating (fit of the gain)."""


class SpoofVote(Cue):
    """Collects the margins of one window."""

    def __init__(self) -> None:
        self._looks: list[tuple[float, float]] = []
        """Margin, and reach of the crop."""

    def add(self, obs: Observation) -> None:
        """Take one observation's margin, if it has one."""
        face = obs.face
        if face is None or face.spoof_margin is None or face.spoof_crop is None:
            return
        margin = max(-MARGIN_CLIP, min(MARGIN_CLIP, face.spoof_margin))
        self._looks.append((margin, face.spoof_crop))

    def share(self, policy: Policy) -> float:
        """How much of the evidence needed is in, 0..1."""
        return min(1.0, len(self._votes(policy)) / policy.spoof_votes)

    def row(self, policy: Policy) -> Evidence:
        """UNKNOWN until enough voted; then the calibrated ratio, and a veto where it is strong."""
        votes = self._votes(policy)
        n = len(votes)
        if n < policy.spoof_votes:
            reason = "crop_too_tight" if len(self._looks) - n > n else "too_few_votes"
            return Evidence(
                "spoof", Topic.LIVENESS, Stand.UNKNOWN, reason, numbers={"votes": float(n)}
            )
        middle = median(votes)
        llr = policy.spoof_gain * middle + policy.spoof_offset
        llr = max(-policy.spoof_clip, min(policy.spoof_clip, llr))
        numbers = {"votes": float(n), "margin": middle}
        strong = middle < policy.spoof_strong
        return leaning("spoof", llr, "live", "spoof", numbers, strong=strong)

    def _votes(self, policy: Policy) -> list[float]:
        """The margins of crops that are not too tight: a tight one is counted and does not vote."""
        return [margin for margin, crop in self._looks if crop >= policy.spoof_crop]
