"""Did both eyes close and open again? Speaks for a face, never against one.

In 3 s only 15 % of live people blink, and a film blinks, too (AUC .53 to .56, docs/liveness.md).
Not here: what a blink is (lids.py).
"""

from __future__ import annotations

from pipeline.cue import Cue
from pipeline.decision import Evidence, Species, Stand, Topic, leaning
from pipeline.lids import LEAST, Lids
from pipeline.observation import Observation
from pipeline.policy import Policy


class Blink(Cue):
    """Collects the eye aspect ratios of one window."""

    def __init__(self) -> None:
        self._lids = Lids()

    def add(self, obs: Observation) -> None:
        """Take one observation's eyes, if they were measured."""
        self._lids.add(obs)

    def row(self, policy: Policy) -> Evidence:
        """FOR a blink, UNKNOWN without one."""
        numbers = {"samples": float(len(self._lids))}
        if not self._lids.blinked:
            reason = "none_seen" if len(self._lids) >= LEAST else "too_few_samples"
            return Evidence("blink", Topic.LIVENESS, Stand.UNKNOWN, reason, numbers=numbers)
        return leaning(
            "blink", policy.blink_llr, "blinked", "blinked", numbers, species=(Species.PRINT,)
        )
