"""Who decides whether a session may begin now: the port, and the decision within one process.

Opening asks an `Admission` and knows nothing else of places; so the decision may be made here, or
in another process that several servers share. Not here: the counting (occupancy.py), the order of
those who wait (line.py), how long it takes (forecast.py), what is done with a place (opening.py,
peer.py). Source: docs/protocol.md, "Waiting in line".
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from server.metrics import Metrics
from server.problems import Problem, Standing
from server.session.forecast import Forecast
from server.session.line import AGAIN_S, GRACE_S, Line, Waiting
from server.session.lockout import Caller
from server.session.occupancy import BUSY_S, Holder, Occupancy, Room
from server.session.occupancy import Place as Held
from server.session.presence import Patience
from server.session.pressure import Capacity
from server.session.timer import CallLater, Timer
from server.settings.load import Settings

LOOK_S = 0.1
"""While somebody waits: what the CPUs carry changes without anybody's saying so."""


class Place(Protocol):
    """One session's right to be here, from before its ticket is taken until it is decided."""

    @property
    def patience(self) -> Patience:
        """How long the session may take to show a picture."""

    def take_over(self) -> None:
        """The ticket is ours: end the older sessions of the same person at the same address."""

    def show(self) -> bool:
        """The session shows a picture; False: not yet, because all places are taken."""

    def wanted(self) -> bool:
        """Others wait for a place: who does not need this one should give it back."""

    def when_replaced(self, call: Callable[[], None]) -> None:
        """Call this when a newer session takes over; at once if one has already."""

    def give_back(self) -> None:
        """Exactly once: the session needs its place no more."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A place in another process of this server, which answers the offer."""

    answer: Callable[[bytes, str, Caller], Awaitable[str]]
    """Ticket's hash, offer and whose in, answer out. Raises Problem. Gives the place back if it
    fails."""
    give_back: Callable[[], None]
    """In place of `answer`."""


class Admission(Protocol):
    """Gives out places."""

    async def enter(self, holder: Holder, session_id: str, wait_s: float) -> Place | Elsewhere:
        """A place for a session, whose ticket may then be taken; waits up to `wait_s` for one.

        Raises Problem too_many_sessions (this person or address has enough) and busy (all have). If
        `busy` has a standing, the session is in line, and keeps its rank by asking again in time.
        """

    def stop(self) -> None:
        """Nobody gets a place any more. Raises nothing; `enter` raises Problem server_stopping."""


def admission_of(
    settings: Settings,
    capacity: Capacity,
    *,
    metrics: Metrics,
    clock: Callable[[], float],
    call_later: CallLater,
) -> LocalAdmission:
    """With the room that the settings give. `clock`: monotonic seconds."""
    room = Room(
        showing=settings.max_sessions,
        connecting=settings.max_connecting,
        subject_addresses=settings.subject_addresses,
        identify=settings.identify_sessions,
    )
    return LocalAdmission(
        Occupancy(room, capacity),
        Line(settings.line, room),
        metrics=metrics,
        clock=clock,
        call_later=call_later,
    )


class LocalAdmission:
    """The decision itself, in the process of a server that has one, or in its supervisor."""

    def __init__(
        self,
        occupancy: Occupancy,
        line: Line,
        *,
        metrics: Metrics,
        clock: Callable[[], float],
        call_later: CallLater,
    ) -> None:
        """`clock`: monotonic seconds."""
        self.occupancy = occupancy
        self.line = line
        self._metrics = metrics
        self._clock = clock
        self._call_later = call_later
        self._asking: dict[Waiting, asyncio.Future[Place]] = {}
        """Whose question is held."""
        self._timer: Timer | None = None
        self._forecast = Forecast()
        self._stopping = False
        occupancy.left = self._left
        occupancy.wanted = lambda: bool(len(line))

    async def enter(self, holder: Holder, session_id: str, wait_s: float) -> Place:
        """As Admission says."""
        try:
            return await self._enter(holder, session_id, wait_s)
        except Problem as problem:
            waits = problem.code == "busy" and problem.standing is None
            self._metrics.refusals.add("line_full" if waits else problem.code)
            raise

    def stop(self) -> None:
        """As Admission says."""
        self._stopping = True
        for asking in self._asking.values():
            if not asking.done():
                asking.set_exception(Problem("server_stopping"))

    async def _enter(self, holder: Holder, session_id: str, wait_s: float) -> Place:
        if self._stopping:
            raise Problem("server_stopping")
        now_s = self._clock()
        self._serve()  # nobody passes those whose question is held
        mine = self.line.find(session_id)
        try:
            place = self.occupancy.enter(holder, now_s)
        except Problem as problem:
            if problem.code != "busy":
                raise
        else:
            if mine is not None:
                self._served(mine, now_s)
            return place
        mine, gone = self.line.join(session_id, holder, now_s)
        for one in gone:
            if (asking := self._asking.get(one)) is not None and not asking.done():
                asking.set_exception(Problem("busy", retry_after_s=BUSY_S))
        if mine is None:
            raise Problem("busy", retry_after_s=BUSY_S)
        if wait_s > 0.0:
            given = await self._wait(mine, wait_s)
            if given is not None:
                return given
        mine.until_s = self._clock() + AGAIN_S + GRACE_S
        raise Problem("busy", retry_after_s=AGAIN_S, standing=self._standing(mine))

    async def _wait(self, mine: Waiting, wait_s: float) -> Place | None:
        """A place if there is one in time. Raises what `occupancy` says of the holder by then."""
        if (before := self._asking.get(mine)) is not None and not before.done():
            before.set_exception(Problem("busy", retry_after_s=AGAIN_S))
        asking = self._asking[mine] = asyncio.get_running_loop().create_future()
        mine.until_s = math.inf
        self._watch()
        try:
            await asyncio.wait((asking,), timeout=wait_s)
        except asyncio.CancelledError:
            if asking.done() and asking.exception() is None:
                asking.result().give_back()
            else:
                self.line.leave(mine)
            raise
        finally:
            if self._asking.get(mine) is asking:
                del self._asking[mine]
        return asking.result() if asking.done() else None

    def _held(self) -> bool:
        return not all(asking.done() for asking in self._asking.values())

    def _serve(self) -> None:
        """Give what is free to those whose question is held, in their order."""
        if self._stopping:
            return
        now_s = self._clock()
        for one in self.line.expire(now_s):
            self._metrics.waits.observe("left", now_s - one.since_s)
        if not self._held():
            return
        for one in self.line.order():
            asking = self._asking.get(one)
            if asking is None or asking.done():
                continue  # between two questions: the rank is kept
            try:
                place = self.occupancy.enter(one.holder, now_s)
            except Problem as problem:
                if problem.code == "busy":
                    return
                self.line.leave(one)
                asking.set_exception(problem)
            else:
                self._served(one, now_s)
                asking.set_result(place)

    def _served(self, one: Waiting, now_s: float) -> None:
        self.line.serve(one)
        self._metrics.waits.observe("entered", now_s - one.since_s)

    def _left(self, place: Held) -> None:
        """A place counts no more."""
        self._forecast.left(self._clock() - place.started_s)
        self._serve()

    def _standing(self, one: Waiting) -> Standing:
        ahead, now_s, places = self.line.ahead(one), self._clock(), self.occupancy
        limit = places.limit()
        self._forecast.carried(limit, now_s)
        wait_s = self._forecast.wait_s(ahead, places.ages_s(now_s), limit, places.at_once())
        return Standing(ahead, wait_s)

    def _watch(self) -> None:
        """Look again and again while somebody waits."""
        if self._timer is None:
            self._timer = self._call_later(LOOK_S, self._look)

    def _look(self) -> None:
        self._timer = None
        self._forecast.carried(self.occupancy.limit(), self._clock())
        self._serve()
        if self._held():
            self._watch()
