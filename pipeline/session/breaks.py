"""The breaks of one session: found, and those counted that a face before another face makes.

A tool that paints a face over its wearer's own loses it now and then, and the wearer shows for a
moment. Evidence begins afresh then, as after every break; so that nobody may begin afresh until it
fits, what no genuine person's film shows ends the session. The count is the session's: no window,
hint or challenge sets it back. Not here: what a break is (cues/continuity.py, borders.py), how
often one is too often (policy.py, which has the films), what follows (session.py).
"""

from __future__ import annotations

from collections import Counter

from pipeline.cues.continuity import Break, Continuity
from pipeline.decision import Evidence, Stand, Topic
from pipeline.observation import Observation
from pipeline.policy import Policy
from pipeline.session.borders import Borders

CUE = "continuity"
"""Name of the row."""


def limits(policy: Policy) -> dict[Break, int]:
    """How often each break that counts may come before it is too often, that time included. The
    others come to genuine people: they look away, turn, move, or somebody passes behind them."""
    return {Break.ANOTHER_FACE: policy.another_face_most, Break.CUT: policy.cut_most}


class Breaks:
    """Follows one face through a session, and remembers how often it was not the same."""

    def __init__(self) -> None:
        self.borders = Borders()
        self._continuity = Continuity()
        self._times: Counter[Break] = Counter()

    @property
    def doubts(self) -> bool:
        """Whether the newest frame gives cause to ask at once whose face it shows."""
        return self._continuity.doubts

    def glance(self, obs: Observation) -> None:
        """Take a frame whose face was not looked for."""
        self._continuity.glance(obs)

    def found(self, obs: Observation, policy: Policy) -> Break | None:
        """Take one observation. Borders that change break it in their own name, but hide nothing
        that counts."""
        broken = self._continuity.broken(obs, policy)
        if broken is not None:
            self._times[broken] += 1
        return Break.BORDERS if self.borders.changed(obs) else broken

    def afresh(self) -> None:
        """The face that is there now is a new one. What was counted stays."""
        self._continuity = Continuity()

    def too_often(self, policy: Policy) -> bool:
        """Whether the session must end for it."""
        return any(self._reached(policy))

    def rows(self, policy: Policy) -> list[Evidence]:
        """What was counted, for the table; nothing where there is nothing to tell."""
        counted = {kind: self._times[kind] for kind in limits(policy) if self._times[kind]}
        if not counted:
            return []
        ended = self._reached(policy)
        stand = Stand.AGAINST if ended else Stand.OPEN
        reason = (ended or list(counted))[0].value
        numbers = {kind.value: float(times) for kind, times in counted.items()}
        return [Evidence(CUE, Topic.LIVENESS, stand, reason, 0.0, bool(ended), numbers)]

    def _reached(self, policy: Policy) -> list[Break]:
        times = self._times
        return [kind for kind, most in limits(policy).items() if times[kind] >= max(most, 1)]
