"""Places and rates of a process that shares them: all of it is asked of the supervisor.

Who gets no answer refuses. A place is named by who asks for it, so that one that nobody waits for
any more can be given back before it was given. Not here: the counting (desk.py, server/limits.py),
the link itself (link.py). Source: docs/decisions/several-processes.md.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import asdict

from server.problems import Problem
from server.processes.link import Body, Hears, Link, Silent
from server.session.admission import Elsewhere
from server.session.lockout import Caller
from server.session.occupancy import BUSY_S, Holder
from server.session.presence import Patience

ASK_S = 3.0
"""For a question that the supervisor answers by itself; it has nothing else to do."""
HAND_S = 25.0
"""For another process to answer an offer; it has 20 s (desk.py)."""


class SharedPlace:
    """A place of this process."""

    def __init__(self, admission: SharedAdmission, name: str, patience: Patience) -> None:
        self.patience = patience
        """As Place says."""
        self._admission = admission
        self._name = name
        self._shown = False
        self._replaced = False
        self._when_replaced: Callable[[], None] | None = None

    def take_over(self) -> None:
        """As Place says."""
        self._admission.tell("take_over", self._name)

    def show(self) -> bool:
        """As Place says; the answer is there with the next picture."""
        if not self._shown:
            self._admission.tell("show", self._name)
        return self._shown

    def wanted(self) -> bool:
        """As Place says."""
        return self._admission.wanted

    def when_replaced(self, call: Callable[[], None]) -> None:
        """As Place says."""
        self._when_replaced = call
        if self._replaced:
            call()

    def give_back(self) -> None:
        """As Place says."""
        self._admission.give_back(self._name)

    def shown(self) -> None:
        """It may show its picture."""
        self._shown = True

    def replaced(self) -> None:
        """A newer session has taken over."""
        self._replaced = True
        if self._when_replaced is not None:
            self._when_replaced()


class SharedRates:
    """Rates that are counted for all processes."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def take(self, *keys: tuple[str, str], expected: str | None = None) -> float:
        """As Rates says. Raises Problem busy if nobody answers."""
        try:
            found = await self._link.ask("take", {"keys": keys, "expected": expected}, ASK_S)
        except Silent:
            raise Problem("busy", retry_after_s=BUSY_S) from None
        return float(found["wait_s"])

    def expect(self, session_id: str, in_s: float) -> None:
        """As Rates says."""
        self._link.tell("expect", {"session": session_id, "in_s": in_s})


class SharedAdmission:
    """Admission of a process that shares places with others."""

    def __init__(self, link: Link, number: int) -> None:
        """`number`: of this process."""
        self.wanted = False
        """Somebody waits for a place."""
        self._link = link
        self._number = number
        self._names = itertools.count(1)
        self._places: dict[str, SharedPlace] = {}
        self._asking: set[asyncio.Task[Body]] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._stopping = False

    async def enter(
        self, holder: Holder, session_id: str, wait_s: float
    ) -> SharedPlace | Elsewhere:
        """As Admission says."""
        name = f"{self._number}.{next(self._names)}"
        wish = {"place": name, "holder": asdict(holder), "session": session_id, "wait_s": wait_s}
        try:
            found = await self._ask("enter", wish, wait_s + ASK_S)
        except (Silent, asyncio.CancelledError) as error:
            self.tell("give_back", name)
            if isinstance(error, Silent):
                raise Problem("busy", retry_after_s=BUSY_S) from None
            raise
        if found["child"] == self._number:
            return self.place(name, found["patience"])

        async def answer(ticket_hash: bytes, sdp: str, caller: Caller) -> str:
            wish = {
                "place": name,
                "session": session_id,
                "ticket": ticket_hash.hex(),
                "sdp": sdp,
                "caller": asdict(caller),
            }
            try:
                found = await self._ask("hand", wish, HAND_S)
            except BaseException as error:
                # A session that began there nevertheless shows nothing without a place, and ends.
                self.tell("give_back", name)
                if isinstance(error, Silent):
                    raise Problem("busy", retry_after_s=BUSY_S) from None
                raise
            text: str = found["sdp"]
            return text

        return Elsewhere(answer, lambda: self.tell("give_back", name))

    def stop(self) -> None:
        """As Admission says."""
        self._stopping = True
        for task in self._asking:
            task.cancel()

    async def quiet(self) -> None:
        """Until no place is held here, and nothing is asked."""
        await self._quiet.wait()

    def place(self, name: str, patience: Body) -> SharedPlace:
        """A place that this process was given."""
        made = self._places[name] = SharedPlace(self, name, Patience(**patience))
        self._changed()
        return made

    def tell(self, what: str, name: str) -> None:
        """Say something of a place."""
        self._link.tell(what, {"place": name})

    def give_back(self, name: str) -> None:
        """A place is needed no more. Raises KeyError if it was given back before."""
        del self._places[name]
        self.tell("give_back", name)
        self._changed()

    def hears(self) -> Hears:
        """What the supervisor says of places."""
        return {
            "shown": lambda body: self._tell(body, SharedPlace.shown),
            "replaced": lambda body: self._tell(body, SharedPlace.replaced),
            "wanted": self._hear_wanted,
        }

    def _tell(self, body: Body, what: Callable[[SharedPlace], None]) -> None:
        if (place := self._places.get(body["place"])) is not None:
            what(place)

    def _hear_wanted(self, body: Body) -> None:
        self.wanted = body["wanted"]

    async def _ask(self, what: str, body: Body, within_s: float) -> Body:
        if self._stopping:
            raise Problem("server_stopping")
        task = asyncio.create_task(self._link.ask(what, body, within_s))
        self._asking.add(task)
        self._changed()
        try:
            await asyncio.wait((task,))
            if task.cancelled():
                self.tell("give_back", body["place"])
                raise Problem("server_stopping")
            return task.result()
        finally:
            task.cancel()
            self._asking.discard(task)
            self._changed()

    def _changed(self) -> None:
        if self._places or self._asking:
            self._quiet.clear()
        else:
            self._quiet.set()
