"""Is the face brighter than what surrounds it, as a screen is? Weak, so its ratio is clipped.

AUC .80 webcam against replay; people in front of a bright window have the opposite sign, people lit
by their own screen in a dark room the same (docs/liveness.md). Never a veto, and never a word for
a face: a dim screen, or one whose own room is in the picture, glows no more than a person.
"""

from __future__ import annotations

from statistics import median

from pipeline.cue import Cue
from pipeline.decision import Evidence, Species, Stand, Topic, leaning
from pipeline.observation import Observation
from pipeline.policy import Policy


class Glow(Cue):
    """Collects the brightness ratios of one window."""

    def __init__(self) -> None:
        self._ratios: list[float] = []

    def add(self, obs: Observation) -> None:
        """Take one observation's ratio, if it was measured."""
        if obs.face is None or obs.face.glow is None:
            return
        self._ratios.append(obs.face.glow)

    def row(self, policy: Policy) -> Evidence:
        """OPEN, and against the brighter face only: a screen in a bright room does not glow."""
        n = len(self._ratios)
        if n < policy.border_samples:
            numbers = {"samples": float(n)}
            return Evidence(
                "glow", Topic.LIVENESS, Stand.UNKNOWN, "too_few_samples", numbers=numbers
            )
        return judged({"samples": float(n), "log_ratio": median(self._ratios)}, policy)


def judged(numbers: dict[str, float], policy: Policy) -> Evidence:
    """The row that these measurements make."""
    ratio = numbers["log_ratio"]
    least, most = policy.glow_clip
    llr = max(least, min(most, policy.glow_gain * ratio + policy.glow_offset))
    return leaning("glow", llr, "no_glow", "glow", numbers, species=(Species.SCREEN,))
