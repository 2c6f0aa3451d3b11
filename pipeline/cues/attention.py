"""Is the person there: eyes open, head turned to the camera, in some frames of the window?

Somebody who sleeps or is held does not log in. It is required, and no number of liveness: a film of
open eyes has them open, too. Few looks suffice, because only a blink shuts open eyes. Source of the
measure: eye aspect ratio, Soukupova and Cech (2016), by the iris net; the pose is the mesh's.
"""

from __future__ import annotations

from math import isfinite

from pipeline.cue import Cue
from pipeline.decision import Evidence, Stand, Topic
from pipeline.observation import Observation
from pipeline.policy import Policy
from pipeline.reasons import Hint

LEAST = 3
"""Looks from which their absence says something: a blink takes one of them."""

SHARE = 0.25
"""Of the looks, that must see attention."""

HINTS: dict[str, Hint] = {"eyes_shut": Hint.OPEN_EYES, "turned_away": Hint.LOOK_AT_CAMERA}
"""What to do, by the row's reason."""


class Attention(Cue):
    """Collects the looks of one window."""

    def __init__(self) -> None:
        self._looks: list[tuple[float, float]] = []
        """Ratio of the narrower eye, and how far the head is turned, degrees to either side."""

    def add(self, obs: Observation) -> None:
        """Take one observation's eyes, if they were measured."""
        face = obs.face
        if face is None or face.eyes is None or not all(map(isfinite, face.eyes)):
            return
        self._looks.append((min(face.eyes), abs(face.yaw_deg)))

    def row(self, policy: Policy) -> Evidence:
        """FOR some frames of attention, OPEN without any, UNKNOWN after too few looks."""
        opened = [yaw for ratio, yaw in self._looks if ratio >= policy.eyes_open]
        attentive = sum(yaw <= policy.facing_yaw_deg for yaw in opened)
        numbers = {
            "looks": float(len(self._looks)),
            "open": float(len(opened)),
            "attentive": float(attentive),
        }
        if attentive >= self._needed(policy):
            return _say(Stand.FOR, "attentive", numbers)
        if len(self._looks) < max(LEAST, policy.attentive_looks):
            return _say(Stand.UNKNOWN, "too_few_looks", numbers)
        shut = len(opened) < self._needed(policy)
        return _say(Stand.OPEN, "eyes_shut" if shut else "turned_away", numbers)

    def share(self, policy: Policy) -> float:
        """Of the attention needed."""
        numbers = self.row(policy).numbers
        return min(1.0, numbers["attentive"] / max(1, self._needed(policy)))

    def _needed(self, policy: Policy) -> int:
        # The net takes one shut eye in a few hundred for an open one: some must be a share, too.
        return max(policy.attentive_looks, round(SHARE * len(self._looks)))


def _say(stand: Stand, reason: str, numbers: dict[str, float]) -> Evidence:
    return Evidence("attention", Topic.QUALITY, stand, reason, numbers=numbers)
