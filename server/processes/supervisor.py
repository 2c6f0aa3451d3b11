"""The one process that starts the others: binds the port, starts again who died, stops all.

It has no nets, no store and no requests, so that little can go wrong in it. Its children are fresh
interpreters that inherit the listening sockets and one end of a link each. Not here: messages
(link.py), a child's side (member.py), what is counted for all (tally.py).
Source: docs/decisions/several-processes.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from server.limits import OwnRates
from server.metrics import Counter, Family, Gauge, Metrics
from server.problems import Problem
from server.processes.child import Child
from server.processes.desk import Carried, Desk
from server.processes.link import Body, Link, Silent
from server.processes.member import heard, told
from server.processes.pause import Pause
from server.processes.tally import Tally, summed
from server.session.admission import admission_of
from server.settings.load import Settings

COUNT_S = 1.0
"""For a process to say what it has counted; else its last report stands."""
FAULT_S = 4.0
"""For a process to try what a login needs."""
LEAVE_S = 90.0
"""For a process to end after its last session did, which takes 55 s at most (server/app.py);
then it is killed."""
END_S = 20.0
"""For all to end: sessions have 5 s and then 3 s (server/peers.py), threads and files a few."""
START_S = 120.0
"""For a process that takes another's place to be ready; else the other one stays."""
LATE = 2
"""Reports missed: no answer of all waits for that process."""
STILL = 30
"""Reports missed, one a second, after which a process is killed; no picture takes a second."""
BROKEN = 1
"""Our exit status after a bug of ours."""
CANNOT_START = 2
"""Exit status of a process whose settings, files or keys are wrong."""

logger = logging.getLogger(__name__)


class Supervisor:
    """Keeps so many processes alive."""

    def __init__(
        self,
        count: int,
        command: Sequence[str],
        sockets: Sequence[socket.socket],
        *,
        settings: Settings,
        environ: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`command` gets the descriptor of its link as a further argument."""
        self._count = count
        self._command = tuple(command)
        self._sockets = tuple(sockets)
        self._environ = dict(environ)
        self._clock = clock
        self._decoys = secrets.token_bytes(32)
        self._children: dict[int, Child] = {}
        self._lives: set[asyncio.Task[None]] = set()
        self._started = 0
        self._keeper: Child | None = None
        self._pause = Pause()
        self._tally = Tally()
        self._restarts = Counter(
            "lookgate_process_restarts_total", "Processes started again because one died."
        )
        self._alive = Gauge(
            "lookgate_processes",
            "Processes that serve now.",
            lambda: float(sum(child.taking for child in self._children.values())),
        )
        self._metrics = Metrics()
        """Of places, which are counted here."""
        self._rates = OwnRates(
            client_rate=settings.client_rate, offer_rate=settings.offer_rate, clock=clock
        )
        carried = Carried()
        admission = admission_of(
            settings,
            carried,
            metrics=self._metrics,
            clock=clock,
            call_later=asyncio.get_running_loop().call_later,
        )
        self._metrics.line.read = lambda: float(len(admission.line))
        self._desk = Desk(admission, carried, lambda: tuple(self._children.values()))
        self._status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._opened = asyncio.Event()
        self._filling = asyncio.Lock()
        self._rolling = asyncio.Lock()

    async def run(self, ending: asyncio.Event, on_started: Callable[[], None]) -> int:
        """Until `ending`, or until no process can start; the exit status.

        `on_started` is called when a login works.
        """
        ended = asyncio.create_task(ending.wait())
        self._start(self._begin(on_started))
        self._start(self._watch())
        await asyncio.wait((ended, self._status), return_when=asyncio.FIRST_COMPLETED)
        status = self._status.result() if self._status.done() else 0
        if not self._status.done():
            self._status.set_result(0)
        ended.cancel()
        await self._end()
        return status

    async def roll(self) -> None:
        """Replace every process, one after the other: the new one first, then the old one ends."""
        async with self._rolling:
            for old in [child for child in self._children.values() if not child.leaving]:
                if self._status.done() or old.leaving:
                    continue
                new = await self._spawn()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(START_S):
                        await _first(new.opened.wait(), new.ended.wait())
                if not new.taking:
                    logger.error("a new process is not ready, the old ones stay")
                    new.leaving = True
                    self._kill(new)
                    return
                old.leaving = True
                self._desk.leaves(old)
                old.link.tell("leave")
                await self._left(old)
            logger.info("all processes replaced")

    # Children come and go

    async def _begin(self, on_started: Callable[[], None]) -> None:
        # One alone first: what is wrong is told once, and keys are made once.
        first = await self._spawn()
        await _first(first.listening.wait(), first.ended.wait())
        await self._fill()
        await self._opened.wait()
        on_started()

    async def _fill(self) -> None:
        """Start as many as are missing."""
        async with self._filling:
            while not self._status.done() and self._count > sum(
                not child.leaving for child in self._children.values()
            ):
                try:
                    await self._spawn()
                except OSError as error:
                    logger.error("no process can be started", extra={"cause": error.strerror})
                    await asyncio.sleep(self._pause.after(0.0))

    async def _spawn(self) -> Child:
        ours, theirs = socket.socketpair()
        inherited = [one.fileno() for one in self._sockets]
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                env=self._environ,
                pass_fds=(theirs.fileno(), *inherited),
                process_group=0,  # Ctrl-C is for us alone, and we tell them
            )
        self._started += 1
        child = Child(self._started, process, await Link.of(ours), self._clock())
        self._children[child.number] = child
        child.link.tell(
            "begin",
            {
                "number": child.number,
                "sockets": inherited,
                "decoys": self._decoys.hex(),
                "first": not any(one.listening.is_set() for one in self._children.values()),
            },
        )
        self._start(self._live(child))
        return child

    def _start(self, life: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(life)
        self._lives.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        """A bug here ends all: whoever started us starts us anew."""
        self._lives.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("bug in the supervisor", exc_info=error)
            if not self._status.done():
                self._status.set_result(BROKEN)

    async def _live(self, child: Child) -> None:
        """From its start to what follows from its end."""
        talk = asyncio.create_task(self._talk(child))
        exit_ = asyncio.create_task(child.process.wait())
        await asyncio.wait((talk, exit_), return_when=asyncio.FIRST_COMPLETED)
        if not exit_.done():
            # It hears us no more, and ends by itself unless it hangs.
            await asyncio.wait((exit_,), timeout=END_S)
            self._kill(child)
        status = await exit_
        await talk  # what it said last
        del self._children[child.number]
        self._tally.gone(child.number)
        self._desk.gone(child)
        self._appoint()
        child.ended.set()
        if child.leaving or self._status.done():
            return
        logger.error("a process died", extra={"child": child.process.pid, "status": status})
        others = any(one.opened.is_set() for one in self._children.values())
        if status == CANNOT_START and not child.opened.is_set() and not others:
            self._status.set_result(CANNOT_START)
            return
        await asyncio.sleep(self._pause.after(self._clock() - child.started_s))
        if not self._status.done():
            self._restarts.add()
            await self._fill()

    async def _talk(self, child: Child) -> None:
        try:
            await child.link.run(
                {
                    "metrics": self._all_metrics,
                    "ready": self._ready,
                    "take": self._take,
                    "enter": lambda body: self._desk.enter(child, body),
                    "hand": lambda body: self._desk.hand(child, body),
                },
                {
                    "listening": lambda _: child.listening.set(),
                    "opened": lambda _: self._hear_opened(child),
                    "leaving": lambda _: self._hear_leaving(child),
                    "report": lambda body: self._hear_report(child, body),
                    "carries": lambda body: self._desk.carries(child, body),
                    "take_over": self._desk.take_over,
                    "show": lambda body: self._desk.show(child, body),
                    "give_back": self._desk.give_back,
                    "expect": lambda body: self._rates.expect(body["session"], body["in_s"]),
                },
            )
        except Exception as error:
            logger.error("bug in a conversation with a process", exc_info=error)

    async def _watch(self) -> None:
        """Kill who stands still: its sessions are lost anyway, and it may hold a lock."""
        while True:
            await asyncio.sleep(1.0)
            # Beats are counted, not seconds: while we stand still ourselves, nobody misses any.
            for child in self._children.values():
                child.missed += child.opened.is_set()
                if child.missed >= STILL:
                    logger.error("a process stands still", extra={"child": child.process.pid})
                    self._kill(child)

    def _hear_report(self, child: Child, body: Body) -> None:
        child.missed = 0
        self._tally.report(child.number, heard(body))

    def _hear_opened(self, child: Child) -> None:
        """A login is possible there."""
        child.opened.set()
        self._desk.greet(child)
        self._opened.set()
        self._appoint()

    def _hear_leaving(self, child: Child) -> None:
        """It was told to end, by us or by an operator; then another takes its place."""
        asked, child.leaving = child.leaving, True
        self._desk.leaves(child)
        self._appoint()
        if not asked and not self._status.done():
            logger.info("a process leaves", extra={"child": child.process.pid})
            self._start(self._replace(child))

    async def _replace(self, child: Child) -> None:
        await self._fill()
        await self._left(child)

    def _appoint(self) -> None:
        """One of them sweeps and settles."""
        keeper = self._keeper
        if keeper is not None and keeper.taking and keeper.number in self._children:
            return
        self._keeper = next((one for one in self._children.values() if one.taking), None)
        if self._keeper is not None:
            self._keeper.link.tell("keep")

    async def _left(self, child: Child) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await child.ended.wait()
        self._kill(child)

    async def _end(self) -> None:
        """Stop all, and see to it."""
        self._desk.stop()
        for child in self._children.values():
            child.link.tell("end")
        ends = [asyncio.create_task(one.ended.wait()) for one in self._children.values()]
        if ends:
            await asyncio.wait(ends, timeout=END_S)
        for child in list(self._children.values()):
            self._kill(child)
        await asyncio.gather(*ends)
        for task in list(self._lives):
            task.cancel()

    def _kill(self, child: Child) -> None:
        if child.process.returncode is None:
            logger.error("a process had to be killed", extra={"child": child.process.pid})
            with contextlib.suppress(ProcessLookupError):
                child.process.kill()

    # What they ask

    async def _take(self, body: Body) -> Body:
        keys = [(limit, key) for limit, key in body["keys"]]
        return {"wait_s": await self._rates.take(*keys, expected=body["expected"])}

    async def _all_metrics(self, _: Body) -> Body:
        """What all have counted, those who are gone included."""
        await asyncio.gather(*(self._count_of(child) for child in self._children.values()))
        own = tuple(
            Family(one.name, one.kind, one.text, tuple(one.samples()))
            for one in (self._alive, self._restarts)
        )
        return told(summed([self._tally.families(), self._metrics.families(), own]))

    async def _count_of(self, child: Child) -> None:
        if child.missed >= LATE:
            return
        with contextlib.suppress(Silent, Problem):
            counts = heard(await child.link.ask("count", {}, COUNT_S))
            if child.number in self._children:
                self._tally.report(child.number, counts)

    async def _ready(self, _: Body) -> Body:
        """How many would serve a login; one who says nothing would not."""
        codes: list[str | None] = []
        for found in await asyncio.gather(*(map(self._fault, self._children.values()))):
            if found["broken"]:
                return {"ready": 0, "of": self._count, "code": found["code"]}
            codes.append(found["code"])
        ready = codes.count(None)
        code = None if ready else next(iter(codes), "not_ready")
        return {"ready": ready, "of": self._count, "code": code}

    async def _fault(self, child: Child) -> Body:
        try:
            if child.missed >= LATE:
                raise Silent
            return await child.link.ask("fault", {}, FAULT_S)
        except (Silent, Problem):
            return {"code": "not_ready", "broken": False}


async def _first(*several: object) -> None:
    """Wait until one of them is done."""
    tasks = [asyncio.ensure_future(one) for one in several]  # type: ignore[call-overload]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
