"""Does the region round the eyes change beyond what moving a stiff face explains?

Against still prints only: a film on a screen has living eyes (AUC .95 against still prints, .43 to
.49 against replays, docs/liveness.md). Stillness is no veto: people can keep their eyes still.
"""

from __future__ import annotations

from math import isfinite, log

from pipeline.cue import Cue
from pipeline.decision import Evidence, Species, Stand, Topic, leaning
from pipeline.observation import Observation
from pipeline.policy import Policy
from pipeline.quantile import quantile

QUANTILE = 0.9
"""Of a window's changes: eyes move now and then, noise is always there."""


class Micro(Cue):
    """Collects the changes round the eyes of one window."""

    def __init__(self) -> None:
        self._changes: list[float] = []

    def add(self, obs: Observation) -> None:
        """Take one observation's change, if it was measured."""
        motion = obs.face.motion if obs.face is not None else None
        if motion is None or not isfinite(motion.eye_change):
            return
        self._changes.append(motion.eye_change)

    def row(self, policy: Policy) -> Evidence:
        """FOR living eyes, OPEN for still ones."""
        n = len(self._changes)
        if n < policy.motion_samples:
            numbers = {"samples": float(n)}
            return Evidence(
                "micro", Topic.LIVENESS, Stand.UNKNOWN, "too_few_samples", numbers=numbers
            )
        change = quantile(self._changes, QUANTILE)
        return judged({"samples": float(n), "eye_change": change}, policy)


def judged(numbers: dict[str, float], policy: Policy) -> Evidence:
    """The row that these measurements make."""
    change = numbers["eye_change"]
    least, most = policy.micro_clip
    llr = policy.micro_gain * log(max(change, policy.micro_floor)) + policy.micro_offset
    llr = max(least, min(most, llr))
    return leaning("micro", llr, "eyes_live", "eyes_still", numbers, species=(Species.PRINT,))
