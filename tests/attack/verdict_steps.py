"""One verdict on one store, step by step: a process dies, or a database stops, at any of them.

`python -m tests.attack.verdict_steps URL NAME CASE N` is that child: it kills itself at step N.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from pymongo import monitoring

from server.store.mongo.store import MongoStore
from server.store.port import Store
from server.store.sqlite.store import SqliteStore
from tests.server.conformance.records import MINUTE, NOW, a_client, a_session, a_template, everybody
from tests.server.failing import failed, failures, strangers

OLD = a_template(template_id="old", sealed=b"old")
NEW = a_template(template_id="new", sealed=b"new", created_at=NOW + MINUTE)
CASES = ("enroll", "replace", "login", "refuse")

at_step: list[Callable[[int], None]] = []
"""Called with the number of each command that is about to be sent, from 1, while it is here."""
_steps = [0]


class Steps(monitoring.CommandListener):
    """Counts the commands to MongoDB."""

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if at_step and event.command_name in ("find", "insert", "update", "delete"):
            step()

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


def step(*_: object) -> None:
    _steps[0] += 1
    for call in list(at_step):
        call(_steps[0])


def begin(call: Callable[[int], None]) -> None:
    """Count from here on."""
    _steps[0] = 0
    at_step[:] = [call]


def end() -> None:
    at_step.clear()


async def prepare(store: Store, case: str) -> None:
    """A person with two failed logins and, but for a first enrolment, a template; one session."""
    await store.clients.add(a_client())
    for _ in range(2):
        await failed(store, "shop", "ada", NOW)
    if case != "enroll":
        await store.templates.put(OLD, replace=False)
    purpose = "login" if case in ("login", "refuse") else "enroll"
    session = a_session(state="live", purpose=purpose, replace=case == "replace")
    await store.sessions.add(session)
    if purpose == "login":
        assert await store.tries.take("s1", [strangers("shop", "ada")], NOW) is None


async def act(store: Store, case: str) -> None:
    """The verdict of that session."""
    if case == "refuse":
        await store.endings.refuse("s1", now_is="rejected", at=NOW, failure=True)
    else:
        template = None if case == "login" else NEW
        await store.endings.accept("s1", at=NOW, subject="ada", template=template)


async def whole(store: Store, case: str) -> str:
    """The session's state, once record, template and failures were seen to agree."""
    state = (await store.sessions.get("s1")).state
    templates = await everybody(store, "shop")
    counted = await failures(store, "shop", "ada")
    before = [] if case == "enroll" else [OLD]
    expected = {
        ("login", "accepted"): (before, 2),
        ("login", "live"): (before, 3),  # a try that nobody ends stays a failure
        ("refuse", "live"): (before, 3),
        ("enroll", "accepted"): ([NEW], 2),
        ("replace", "accepted"): ([NEW], 2),
        ("refuse", "rejected"): (before, 3),
    }.get((case, state), (before, 2))
    assert (templates, counted) == expected, (case, state)
    return state


async def _die(url: str, name: str, case: str, n: int) -> None:
    def kill(number: int) -> None:
        if number == n:
            os.kill(os.getpid(), signal.SIGKILL)

    if name:
        monitoring.register(Steps())
        store: Store = MongoStore(url, database=name)
        await store.open()
    else:
        sqlite = SqliteStore(Path(url))
        await sqlite.open()
        async with sqlite.database.transaction() as db:
            await db.set_trace_callback(lambda _: step() if at_step else None)
        store = sqlite
    begin(kill)
    await act(store, case)
    end()
    await store.close()


if __name__ == "__main__":
    asyncio.run(_die(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
