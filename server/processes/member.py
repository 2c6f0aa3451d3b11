"""One process of a server that has several, as it sees the supervisor over its link.

What concerns all is asked there. Without the supervisor a process stops, because nobody would count
its sessions any more. Not here: what the supervisor does (supervisor.py), what a process is made of
(server/app.py).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from server.metrics import Family
from server.processes.link import Answers, Body, Link
from server.processes.shared import ASK_S, SharedAdmission, SharedRates
from server.session.pressure import Capacity

REPORT_S = 1.0
"""Between two reports: what a process counted since the last one is lost when it is killed."""

CARRIES_S = 0.1
"""Between two looks at what this process carries: as often as its own line would look
(server/session/admission.py)."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    """How many processes would serve a login now."""

    ready: int
    of: int
    code: str | None
    """Of a refusal: none would, or a part that they share is broken."""


class Member:
    """This process's place among the others."""

    def __init__(
        self,
        link: Link,
        number: int,
        sockets: Sequence[socket.socket],
        *,
        decoys: bytes,
        first: bool,
    ) -> None:
        """`join` makes one."""
        self.link = link
        self.number = number
        """No two processes of one supervisor have the same."""
        self.sockets = tuple(sockets)
        """Inherited: connections to the server's port are accepted from these."""
        self.decoys = decoys
        """The key of all processes' decoys, so that a subject has the same one everywhere."""
        self.admission = SharedAdmission(link, number)
        self.rates = SharedRates(link)
        self.first = first
        """Nobody answers at the port yet: this one does, before it is ready."""
        self.keeping = asyncio.Event()
        """This one sweeps and settles, for all."""
        self.leaving = asyncio.Event()
        """This one is to end, and others go on."""
        self.ending = asyncio.Event()
        """All end."""

    @classmethod
    async def join(cls, descriptor: int) -> Member:
        """Meet the supervisor at the inherited end of a link. Raises Silent."""
        link = await Link.of(socket.socket(fileno=descriptor))
        told = await link.first("begin")
        sockets = [socket.socket(fileno=one) for one in told["sockets"]]
        decoys = bytes.fromhex(told["decoys"])
        return cls(link, told["number"], sockets, decoys=decoys, first=told["first"])

    async def run(self, answers: Answers) -> None:
        """Until the link ends, which ends this process as well."""
        await self.link.run(
            answers,
            {
                "keep": lambda _: self.keeping.set(),
                "leave": lambda _: self.leave(),
                "end": lambda _: self.ending.set(),
                **self.admission.hears(),
            },
        )
        if not self.ending.is_set():
            logger.error("the supervisor is gone")
        self.ending.set()

    async def report(self, families: Callable[[], Sequence[Family]]) -> None:
        """Tell now and then what this process has counted; until cancelled."""
        while True:
            self.tell_counts(families())
            await asyncio.sleep(REPORT_S)

    async def report_carried(self, capacity: Capacity) -> None:
        """Tell what this process carries, as soon as that changes; until cancelled."""
        said = (0, 0)
        while True:
            carries = (capacity.sessions(), capacity.at_once())
            if carries != said:
                self.link.tell("carries", {"sessions": carries[0], "at_once": carries[1]})
                said = carries
            await asyncio.sleep(CARRIES_S)

    def tell_counts(self, families: Sequence[Family]) -> None:
        """What this process has counted since it began."""
        self.link.tell("report", told(families))

    async def leaving_or_ending(self) -> None:
        """Until this process is to end."""
        waits = [asyncio.create_task(one.wait()) for one in (self.leaving, self.ending)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()

    def leave(self) -> None:
        """This process takes no new sessions any more; the others do."""
        if not self.leaving.is_set():
            self.leaving.set()
            self.keeping.clear()
            self.link.tell("leaving")

    def tell(self, state: str) -> None:
        """`listening`: it answers; `opened`: a login would work."""
        self.link.tell(state)

    async def families(self) -> tuple[Family, ...]:
        """What all processes have counted. Raises Silent."""
        return heard(await self.link.ask("metrics", {}, ASK_S))

    async def ready(self) -> Ready:
        """Whether a login would work in any of them. Raises Silent."""
        found = await self.link.ask("ready", {}, 2 * ASK_S)
        return Ready(found["ready"], found["of"], found["code"])


def told(families: Sequence[Family]) -> Body:
    """Counts as a message."""
    return {"families": [asdict(family) for family in families]}


def heard(message: Body) -> tuple[Family, ...]:
    """Counts of a message."""
    return tuple(
        Family(
            name=one["name"],
            kind=one["kind"],
            text=one["text"],
            samples=tuple((name, value) for name, value in one["samples"]),
        )
        for one in message["families"]
    )
