"""The places of all processes, given out by the supervisor: who may begin, and in which process.

The counting and the line are those of one process (server/session/admission.py); here they are
asked over links, and every place belongs to a process, with which it ends. Not here: the asking
side (shared.py), starting processes (supervisor.py).
Source: docs/decisions/several-processes.md.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from server.problems import Problem
from server.processes.child import Child
from server.processes.link import Body, Silent
from server.session.admission import LocalAdmission, Place
from server.session.occupancy import BUSY_S, Holder

OPEN_S = 20.0
"""For a process to answer an offer that was handed to it: gathering takes 5 s where STUN is
silent."""


class Carried:
    """What the processes carry together (pressure.py, Capacity); until one has said, little."""

    def __init__(self) -> None:
        self._said: dict[int, tuple[int, int]] = {}

    def report(self, process: int, sessions: int, at_once: int) -> None:
        """What one process carries now."""
        self._said[process] = (sessions, at_once)

    def gone(self, process: int) -> None:
        """It takes no more."""
        self._said.pop(process, None)

    def of(self, process: int) -> int:
        """What one process carries now; at least 1."""
        return max(1, self._said.get(process, (1, 1))[0])

    def sessions(self) -> int:
        """As Capacity says."""
        return max(1, sum(sessions for sessions, _ in self._said.values()))

    def at_once(self) -> int:
        """As Capacity says."""
        return max(1, sum(at_once for _, at_once in self._said.values()))


@dataclass(slots=True, eq=False)
class Given:
    """A place that was given out."""

    place: Place
    asker: Child
    """Who has the page's connection."""
    child: Child
    """Who has the session, or will have it."""
    handed: bool = False
    """The asker has done its part."""
    replaced: bool = False
    """A newer session has taken over."""


class Desk:
    """Gives out the places of all processes."""

    def __init__(
        self, admission: LocalAdmission, carried: Carried, children: Callable[[], Sequence[Child]]
    ) -> None:
        """`children`: all that live."""
        self._admission = admission
        self._carried = carried
        self._children = children
        self._given: dict[str, Given] = {}
        self._entering: dict[str, asyncio.Task[Place]] = {}
        self._wanted = False

    async def enter(self, asker: Child, body: Body) -> Body:
        """A place, and in which process. Raises Problem, as Admission does."""
        name = body["place"]
        holder = Holder(**body["holder"])
        entering = asyncio.ensure_future(
            self._admission.enter(holder, body["session"], body["wait_s"])
        )
        self._entering[name] = entering
        asyncio.get_running_loop().call_soon(self._tell_wanted)  # when it is in line
        try:
            place = await entering
        except asyncio.CancelledError:
            # Nobody waits for it any more, and it may have come in this very moment.
            if not entering.cancel() and not entering.cancelled() and not entering.exception():
                entering.result().give_back()
            raise
        finally:
            del self._entering[name]
            self._tell_wanted()
        child = self._fewest(asker)
        if child is None:
            place.give_back()
            raise Problem("busy", retry_after_s=BUSY_S)
        given = self._given[name] = Given(place, asker, child, handed=child is asker)
        place.when_replaced(lambda: self._replaced(name, given))
        return {"child": child.number, "patience": asdict(place.patience)}

    async def hand(self, asker: Child, body: Body) -> Body:
        """Another process answers the offer. Raises Problem."""
        given = self._given.get(body["place"])
        if given is None:
            raise Problem("busy", retry_after_s=BUSY_S)
        if not given.child.taking and (other := self._fewest(asker)) is not None:
            given.child = other  # the one that was chosen leaves
        given.handed = True
        told = {**body, "patience": asdict(given.place.patience)}
        try:
            return await given.child.link.ask("open", told, OPEN_S)
        except Silent:
            raise Problem("busy", retry_after_s=BUSY_S) from None

    def take_over(self, body: Body) -> None:
        """The ticket is taken."""
        if (given := self._given.get(body["place"])) is not None:
            given.place.take_over()

    def show(self, child: Child, body: Body) -> None:
        """A session has a picture; it is told when it may show it."""
        given = self._given.get(body["place"])
        if given is None:
            return
        if given.replaced:  # it was told before it had the place
            self._replaced(body["place"], given)
        elif given.place.show():
            child.link.tell("shown", {"place": body["place"]})

    def give_back(self, body: Body) -> None:
        """A place is needed no more, or nobody waits for it any more."""
        if (entering := self._entering.get(body["place"])) is not None:
            entering.cancel()
        elif (given := self._given.pop(body["place"], None)) is not None:
            given.place.give_back()
        self._tell_wanted()

    def carries(self, child: Child, body: Body) -> None:
        """What one process carries now."""
        if not child.leaving:
            self._carried.report(child.number, body["sessions"], body["at_once"])
        self._tell_wanted()

    def greet(self, child: Child) -> None:
        """It begins: say what it cannot know."""
        child.link.tell("wanted", {"wanted": self._wanted})

    def leaves(self, child: Child) -> None:
        """It takes no new sessions, and has those that it has."""
        self._carried.gone(child.number)

    def gone(self, child: Child) -> None:
        """It ended: its places are free at once, and nobody waits for those that it asked for."""
        self._carried.gone(child.number)
        for name, given in list(self._given.items()):
            if given.child is child or (given.asker is child and not given.handed):
                del self._given[name]
                given.place.give_back()

    def stop(self) -> None:
        """Nobody gets a place any more."""
        self._admission.stop()

    def _fewest(self, asker: Child) -> Child | None:
        """The process with the fewest sessions for what it carries, because others may take the CPU
        of one alone; where two have, the one that was asked."""
        sessions = Counter(given.child.number for given in self._given.values())
        return min(
            (child for child in self._children() if child.taking),
            key=lambda child: (
                (sessions[child.number] + 1) / self._carried.of(child.number),
                child is not asker,
                child.number,
            ),
            default=None,
        )

    def _replaced(self, name: str, given: Given) -> None:
        given.replaced = True
        given.child.link.tell("replaced", {"place": name})

    def _tell_wanted(self) -> None:
        """Tell all whether somebody waits, where that changed."""
        wanted = self._admission.occupancy.wanted()
        if wanted != self._wanted:
            self._wanted = wanted
            for child in self._children():
                child.link.tell("wanted", {"wanted": wanted})
