"""Does the background stay put while the face moves? That of a hand-held picture moves along.

Says nothing while the face keeps still: 22 % of live and 80 % of printed windows are UNKNOWN. A
shaken camera moves everything, so it is no veto (AUC .89 webcam against replay, docs/liveness.md).
"""

from __future__ import annotations

from math import isfinite
from statistics import median

from pipeline.cue import Cue
from pipeline.decision import Evidence, Species, Stand, Topic, leaning
from pipeline.observation import Observation
from pipeline.policy import Policy


class Background(Cue):
    """Collects the frames of one window in which the face had moved."""

    def __init__(self) -> None:
        self._stays: list[tuple[float, float]] = []

    def add(self, obs: Observation) -> None:
        """Take one observation's motion, if it was measured."""
        motion = obs.face.motion if obs.face is not None else None
        if (
            motion is None
            or not isfinite(motion.background_moved)
            or not isfinite(motion.background_stays)
        ):
            return
        self._stays.append((motion.background_moved, motion.background_stays))

    def row(self, policy: Policy) -> Evidence:
        """FOR a background of its own, OPEN for one that follows, UNKNOWN while nothing moves."""
        stays = [share for moved, share in self._stays if moved > policy.background_moved]
        if len(stays) < policy.background_samples:
            seen = len(self._stays) >= policy.background_samples
            reason = "face_kept_still" if seen else "no_background"
            numbers = {"samples": float(len(stays))}
            return Evidence("background", Topic.LIVENESS, Stand.UNKNOWN, reason, numbers=numbers)
        return judged({"samples": float(len(stays)), "stays": median(stays)}, policy)


def judged(numbers: dict[str, float], policy: Policy) -> Evidence:
    """The row that these measurements make."""
    llr = numbers["stays"] - policy.background_zero
    return leaning("background", llr, "stays", "follows", numbers, species=(Species.SCREEN,))
