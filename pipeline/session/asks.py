"""What the next frame is asked for, as the frames before it say.

Here: what one session remembers of them: the schedule, where the face was, whether it was missed.
Not here: what can be asked and how often (measurements.py), the arithmetic of when (schedule.py),
whether a window is open and what it lacks of a verdict (session.py).
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.observation import Ask, Observation, Roi
from pipeline.policy import Policy
from pipeline.session.measurements import (
    EMBED,
    Situation,
    made,
    needs,
    next_ask,
    periods_s,
    sparse_s,
)
from pipeline.session.schedule import Schedule


class Asks:
    """The asks of one session. Times are the server's monotonic seconds."""

    def __init__(self, policy: Policy, *, enrolling: bool) -> None:
        """`enrolling`: then embeddings are what most is wanted of."""
        self.missed = True
        """The newest frame showed no face, or nobody knows yet whose it shows."""
        self._schedule = Schedule()
        self._periods_s, self._needs = periods_s(policy), needs(policy)
        self._sparse_s = sparse_s(policy)
        self._within_s = policy.enroll_settle_s if enrolling else policy.settle_s
        if enrolling:
            self._sparse_s = self._periods_s
            self._periods_s[EMBED.name] = policy.enroll_embed_period_s
            self._needs[EMBED.name] = policy.enroll_embeddings
        self._asked = Ask()
        self._roi: Roi | None = None
        self._glanced = self._embedded = False
        """The newest frame was not looked at; it said whose face it shows."""

    @property
    def lacking(self) -> bool:
        """Whether the window has too few of anything that it needs."""
        return self._schedule.lacks(self._needs)

    def begin(self) -> None:
        """A window began: what it needs is counted from here."""
        self._schedule.begin()

    def forget(self) -> None:
        """The face that is there now is a new one."""
        self._roi = None

    def note(self, obs: Observation) -> None:
        """Take what the newest ask came to."""
        self._schedule.heard(obs.arrival_s)
        for name in made(self._asked, obs):
            self._schedule.made(name, obs.arrival_s)
        self._glanced = not obs.looked
        self._embedded = obs.face is not None and obs.face.embedding is not None

    def follow(self, obs: Observation) -> None:
        """Take where the face is, in a frame that was looked at and after what broke before it."""
        self.missed = obs.face is None
        if obs.face is not None:
            self._roi = obs.face.roi

    def next(self, now: Situation) -> Ask:
        """What to measure in the next frame; `now`: what the session knows of its window."""
        now = replace(now, roi=self._roi, missed=self.missed)
        if now.gathering:
            now = replace(
                now,
                doubts=now.doubts and not self._embedded,
                ripe=not self.lacking,
                glanced=self._glanced,
                quick=self._schedule.gap_s <= now.policy.glance_gap_s,
            )
        periods_s = self._sparse_s if now.clear else self._periods_s
        due = self._schedule.due(periods_s, self._needs, self._within_s)
        self._asked = next_ask(*due, now)
        return self._asked
