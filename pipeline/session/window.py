"""The evidence of one try: every cue, made afresh at each start, so that nothing can leak over.

Here: which frames the cues get, and the table of rows. Not here: which cues there are
(measurements.py), what a row says (cues/), what follows from the table (decision.py), when a try
begins and ends (session.py).
"""

from __future__ import annotations

from math import isfinite

import numpy as np
from numpy.typing import NDArray

from pipeline.cues.attention import HINTS
from pipeline.cues.enrolment import Enrolment
from pipeline.cues.face import FaceSeen
from pipeline.cues.freshness import Freshness
from pipeline.cues.identity import Identity
from pipeline.decision import Evidence, Species, Stand, liveness_sum, sums
from pipeline.observation import Observation, Tracks
from pipeline.policy import Policy
from pipeline.reasons import Hint, Purpose
from pipeline.session.measurements import Owner, cues
from pipeline.template import Gallery

LOST = 2
"""Looks at motion in a row that found too few points: then their reference is given up."""


class Window:
    """Collects observations from the first usable frame on. Times are the server's seconds."""

    def __init__(self, purpose: Purpose, gallery: Gallery, model_id: str, since_s: float) -> None:
        self.since_s = since_s
        self.owner: Owner
        if purpose is Purpose.ENROLL:
            self.owner = Enrolment(model_id, since_s)
        else:
            self.owner = Identity(gallery, search=purpose is Purpose.IDENTIFY)
        self._face = FaceSeen()
        self._freshness = Freshness()
        self._cues = cues()
        self._tracks: Tracks | None = None
        self._tracked_s = since_s
        self._lost = 0

    def add(self, obs: Observation, policy: Policy, *, usable: bool) -> None:
        """Take one observation. Only freshness sees the unusable, and what comes twice: crops that
        are too tight, dark or blurred are no number, and no frame votes two times."""
        if not self._freshness.add(obs):
            return
        self._face.add(usable=usable)
        self._follow(obs)
        if not usable:
            return
        for cue in self._cues:
            cue.add(obs)
        self.owner.add(obs, policy)

    def glance(self, obs: Observation) -> None:
        """Take a frame whose face was not looked for."""
        self._freshness.add(obs)

    def weighed(self, policy: Policy) -> list[Evidence]:
        """The rows of the table that carry a ratio or may be certain of an attack."""
        return [cue.row(policy) for cue in self._cues]

    def rows(self, policy: Policy, now_s: float) -> list[Evidence]:
        """The table as it stands."""
        spoof, *supporting = self.weighed(policy)
        return [
            self._face.row(policy),
            spoof,
            self._freshness.row(policy),
            *supporting,
            self.owner.row(policy, now_s),
        ]

    def share(self, policy: Policy) -> float:
        """How much of the evidence needed is in, 0..1: the scarcest of what is waited for."""
        shares = [cue.share(policy) for cue in self._cues]
        return min(*shares, self._freshness.share(policy), self.owner.share(policy))

    def enough_frames(self, policy: Policy) -> bool:
        """False while a slow camera has not sent what a window needs."""
        return self._freshness.share(policy) >= 1.0

    def end_s(self, policy: Policy, window_s: float) -> float:
        """How long it may last: longer where a slow camera still owes frames."""
        return window_s if self.enough_frames(policy) else max(window_s, policy.slow_window_s)

    def frozen(self, policy: Policy) -> bool:
        """Whether the picture stands still."""
        return self._freshness.row(policy).reason == "frozen"

    def doubtful(self, policy: Policy, rows: list[Evidence]) -> bool:
        """Whether the votes are in and the sum that a blink counts in is short of acceptance."""
        for row in rows:
            if row.cue == "spoof" and row.stand is not Stand.UNKNOWN:
                return sums(rows)[Species.PRINT] < policy.accept_llr
        return False

    def clear(self, policy: Policy, rows: list[Evidence]) -> bool:
        """Whether the votes are in and every sum is enough: more of the same would change little,
        and the window waits for something else."""
        voted = any(row.cue == "spoof" and row.stand is not Stand.UNKNOWN for row in rows)
        return voted and liveness_sum(rows) >= policy.accept_llr

    def absent(self, policy: Policy, rows: list[Evidence]) -> Hint | None:
        """What the person has to do to be there at all, where that is asked for."""
        if "attention" not in policy.required:
            return None
        return next((HINTS.get(row.reason) for row in rows if row.cue == "attention"), None)

    def tracks(self, policy: Policy, now_s: float) -> Tracks | None:
        """What the next look at motion goes on from; None for a new reference: at first, where too
        few of the points are found again (a turned head), and once it is as old as a window."""
        old = now_s - self._tracked_s >= policy.window_s
        return None if old or self._lost >= LOST else self._tracks

    def _follow(self, obs: Observation) -> None:
        motion = obs.face.motion if obs.face is not None else None
        if motion is None:
            return
        before = self._tracks
        if before is None or not _same(motion.tracks.mesh_px, before.mesh_px):
            self._tracked_s, self._lost = obs.arrival_s, 0  # a new reference
        else:
            self._lost = 0 if isfinite(motion.moved) else self._lost + 1
        self._tracks = motion.tracks


def _same(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    return one is other or np.array_equal(one, other)
