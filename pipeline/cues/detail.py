"""Has the face lost its fine detail, as a picture of a screen has?

Against screens only: a print keeps its detail (docs/liveness.md). Never a veto, as soft cameras
lose detail, too. AUC .83 [.72, .93] live against replays without their border, 96 films of 26
sources and 31 of 8. A sharp screen in focus is not told; there the anti-spoof net is strong.
"""

from __future__ import annotations

from statistics import median

from pipeline.cue import Cue
from pipeline.decision import Evidence, Species, Stand, Topic, leaning
from pipeline.observation import Observation
from pipeline.policy import Policy


class Detail(Cue):
    """Collects the detail of one window."""

    def __init__(self) -> None:
        self._details: list[float] = []

    def add(self, obs: Observation) -> None:
        """Take one observation's detail, if it was measured."""
        if obs.face is None or obs.face.detail is None:
            return
        self._details.append(obs.face.detail)

    def row(self, policy: Policy) -> Evidence:
        """FOR a face with fine detail, OPEN for one without, UNKNOWN for one that is small."""
        n = len(self._details)
        if n < policy.detail_samples:
            numbers = {"samples": float(n)}
            return Evidence(
                "detail", Topic.LIVENESS, Stand.UNKNOWN, "too_few_samples", numbers=numbers
            )
        return judged({"samples": float(n), "log_ratio": median(self._details)}, policy)


def judged(numbers: dict[str, float], policy: Policy) -> Evidence:
    """The row that these measurements make."""
    fine = numbers["log_ratio"]
    least, most = policy.detail_clip
    llr = max(least, min(most, policy.detail_gain * (fine - policy.detail_zero)))
    return leaning("detail", llr, "detailed", "soft", numbers, species=(Species.SCREEN,))
