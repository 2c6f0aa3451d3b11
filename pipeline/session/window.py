"""The evidence of one try: every cue, made afresh at each start, so that nothing can leak over.

Here: which frames which cue gets, and the table of rows. Not here: what a row says (cues/), what
follows from the table (decision.py), when a try begins and ends (session.py).
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.cues.background import Background
from pipeline.cues.bezel import Bezel
from pipeline.cues.blink import Blink
from pipeline.cues.enrolment import Enrolment
from pipeline.cues.face import FaceSeen
from pipeline.cues.freshness import Freshness
from pipeline.cues.glow import Glow
from pipeline.cues.identity import Identity
from pipeline.cues.micro import Micro
from pipeline.cues.plane import Plane
from pipeline.cues.spoof import SpoofVote
from pipeline.decision import Evidence, Stand, liveness_sum
from pipeline.observation import Floats, Observation, Tracks, apart
from pipeline.policy import Policy
from pipeline.reasons import Purpose
from pipeline.template import Gallery

LOST = 2
"""Looks at motion in a row that found too few points: then their reference is given up."""


class _Cue(Protocol):
    """One whose row depends on what it took and on nothing else: not on the time."""

    def row(self, policy: Policy) -> Evidence:
        """What it says."""


class _Weak(_Cue, Protocol):
    """One that hears of a face now and then."""

    def add(self, obs: Observation) -> bool:
        """Take one observation; whether there was something in it."""


class Window:
    """Collects observations from the first usable frame on. Times are the server's seconds."""

    def __init__(
        self,
        purpose: Purpose,
        gallery: Gallery,
        model_id: str,
        since_s: float,
        distance: Callable[[Floats, Floats], float] = apart,
    ) -> None:
        """`distance`: of two sketches."""
        self.since_s = since_s
        self.face = FaceSeen()
        self.freshness = Freshness(distance)
        self.spoof = SpoofVote()
        self.bezel, self.background, self.glow = Bezel(), Background(), Glow()
        self.micro, self.plane, self.blink = Micro(), Plane(), Blink()
        self.identity = Identity(gallery, search=purpose is Purpose.IDENTIFY)
        self.enrolment = Enrolment(model_id) if purpose is Purpose.ENROLL else None
        weak = (self.bezel, self.background, self.glow, self.micro, self.plane, self.blink)
        self._reads: dict[str, tuple[_Weak, ...]] = {
            "edges": (self.bezel,),
            "glow": (self.glow,),
            "motion": (self.background, self.micro, self.plane),
            "eyes": (self.blink,),
        }
        """What of a face each of them reads: where it was not measured, they are not told."""
        self._kept: dict[_Cue, Evidence | None] = dict.fromkeys((self.spoof, *weak))
        """The row of each that took nothing since: most hear something new a few times a second,
        and are asked at every frame."""
        self._weighed: list[Evidence] = []
        """What `weighed` says of them; empty where one of them did."""
        self._policy: Policy | None = None
        """What they were judged by."""
        self._tracks: Tracks | None = None
        self._tracked_s = since_s
        self._lost = 0

    def add(self, obs: Observation, policy: Policy, *, usable: bool) -> None:
        """Take one observation. Only freshness sees the unusable, and what comes twice: crops that
        are too tight, dark or blurred are no number, and no frame votes two times."""
        if not self.freshness.add(obs):
            return
        self.face.add(usable=usable)
        self._follow(obs)
        if not usable:
            return
        face = obs.face
        if face is not None and face.spoof_margin is not None and self.spoof.add(obs, policy):
            self._forget(self.spoof)
        for what, cues in self._reads.items():
            if getattr(face, what, None) is not None:
                for cue in cues:
                    if cue.add(obs):
                        self._forget(cue)
        if face is None or face.embedding is None:
            return
        if self.enrolment is not None:
            self.enrolment.add(obs, policy)
        else:
            self.identity.add(obs)

    def weighed(self, policy: Policy) -> list[Evidence]:
        """The rows of the table that carry a ratio or may be certain of an attack."""
        if policy is not self._policy:
            self._policy = policy
            self._kept = dict.fromkeys(self._kept)
            self._weighed = []
        if not self._weighed:
            for cue, row in self._kept.items():
                if row is None:
                    row = self._kept[cue] = cue.row(policy)
                self._weighed.append(row)
        return self._weighed

    def rows(self, policy: Policy, now_s: float, *, brief: bool = False) -> list[Evidence]:
        """The table as it stands; `brief` as in Freshness.row."""
        spoof, *weak = self.weighed(policy)
        if self.enrolment is not None:
            owner = self.enrolment.row(policy, now_s - self.since_s, now_s)
        else:
            owner = self.identity.row(policy, now_s)
        return [
            self.face.row(policy),
            spoof,
            self.freshness.row(policy, brief=brief),
            *weak,
            owner,
        ]

    def share(self, policy: Policy) -> float:
        """How much of the evidence needed is in, 0..1: the scarcest of the required cues."""
        owner = self.identity if self.enrolment is None else self.enrolment
        return min(self.spoof.share(policy), self.freshness.share(policy), owner.share(policy))

    def enough_frames(self, policy: Policy) -> bool:
        """False while a slow camera has not sent what a window needs."""
        return self.freshness.share(policy) >= 1.0

    def doubtful(self, policy: Policy, rows: list[Evidence]) -> bool:
        """Whether the votes are in and the sum is short of acceptance: where a blink matters."""
        for row in rows:
            if row.cue == "spoof" and row.stand is not Stand.UNKNOWN:
                return liveness_sum(rows) < policy.accept_llr
        return False

    def tracks(self, policy: Policy, now_s: float) -> Tracks | None:
        """What the next look at motion goes on from; None for a new reference: at first, where too
        few of the points are found again (a turned head), and once it is as old as a window."""
        old = now_s - self._tracked_s >= policy.window_s
        return None if old or self._lost >= LOST else self._tracks

    def _forget(self, cue: _Cue) -> None:
        self._kept[cue] = None
        self._weighed = []

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
