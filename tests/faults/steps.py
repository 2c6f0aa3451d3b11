"""A server that kills itself at a step of what it writes, to the database and to files, in order.

`python -m tests.faults.steps URL NAME FOLDER` reads a line for each act from its input: the case,
the step before which to die (0: at none), the subject and the session. It forks, and the child does
the act. Its answer is one line of JSON: how the child ended, the steps that it took (if it lived),
and what it had told the person or the relying app.

The steps come from a trace: statements of SQLite that write, commands of MongoDB that write, files
that are opened for writing, written to at a place, forced to the disk, renamed or removed. So a
step that is new is walked without a word here.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pymongo import monitoring

from pipeline.decision import Evidence, Stand, Topic
from pipeline.events import Decided
from pipeline.nets.embed import Embedder
from pipeline.reasons import Phase, Reason
from server.app import build
from server.audit.pruning import prune
from server.life import open_parts
from server.parts import Parts
from server.people.forgetting import withdraw_subject
from server.people.marks import look_and_keep
from server.people.renewal import Renewal
from server.people.sealed_people import reseal_people, seal_profile, seal_secret
from server.people.unlocking import unlock_subject
from server.store.mongo.store import MongoStore
from server.store.oidc.logins import DONE
from server.store.port import Client, Conflict, SessionRecord, Store
from server.store.sqlite.store import SqliteStore
from tests.pipeline.observations import Camera, template
from tests.pipeline.session.test_fingerprint import film, path
from tests.server.conformance.oidc.records import (
    a_code,
    a_login,
    a_profile,
    a_totp,
    an_access,
    an_authenticator,
    an_invitation,
    hashed,
)
from tests.server.stage import CLIENT, KEY, POLICY, Clock, add_client, enrolled, settings

BEGAN = datetime(2090, 1, 1, 12, tzinfo=UTC)
"""Far away, so that no database's own clock finds anything here expired."""
NEW = b"n" * 32
"""Another master key."""
MANY = 20
FACE = Evidence("face", Topic.QUALITY, Stand.FOR, "usable")
SHOWN = path(film(1), seconds=1.5)
"""What every session shows."""
READS = ("SELECT", "PRAGMA", "EXPLAIN")
WRITES = ("insert", "update", "delete", "findAndModify", "create", "createIndexes")
EVENTS = {"os.rename": 2, "os.remove": 1, "os.rmdir": 1, "os.mkdir": 2, "os.link": 2}
"""Of the interpreter, and which of their arguments is the folder that a path is told from."""

_taken: list[str] | None = None
"""The steps so far, while they count."""
_dies_at = 0
_folder = ""


def step(name: str) -> None:
    """About to be done, in whatever thread."""
    if _taken is None:
        return
    _taken.append(name)
    if len(_taken) == _dies_at:
        os.kill(os.getpid(), signal.SIGKILL)


def _statement(sql: str) -> None:
    word = sql.lstrip("- ").partition(" ")[0].upper()
    if word and word not in READS:
        step(f"sql {word}")


def _watch(event: str, given: tuple[Any, ...]) -> None:
    """Audit events of the interpreter (PEP 578)."""
    if _taken is None or not (event in EVENTS or event == "open"):
        return
    writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT
    if event == "open" and not given[2] & writes:
        return
    inside = given[EVENTS[event]] if event in EVENTS else -1
    place = given[0] if inside == -1 else f"{_opened(inside)}/{os.fsdecode(given[0])}"
    if (_opened(place) if isinstance(place, int) else str(place)).startswith(_folder):
        step(f"file {event}")


def _opened(descriptor: int) -> str:
    """The path of an open file."""
    return os.readlink(f"/proc/self/fd/{descriptor}")


def _stepped(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """In the place of a call of `os` that raises no event."""

    def first(*given: Any) -> Any:
        step(name)
        return call(*given)

    return first


def _connect(*given: Any, **named: Any) -> sqlite3.Connection:
    """In the place of sqlite3.connect."""
    connection = _connects(*given, **named)
    connection.set_trace_callback(_statement)
    return connection


_connects: Callable[..., sqlite3.Connection] = sqlite3.connect


class Commands(monitoring.CommandListener):
    """Those of MongoDB that write."""

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in WRITES:
            step(f"mongo {event.command_name} {event.command.get(event.command_name)}")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def store_of(url: str, name: str) -> Store:
    """A file without a name, or a database of a server."""
    return MongoStore(url, database=name) if name else SqliteStore(Path(url))


async def parts_of(store: Store, folder: Path, keys: Sequence[bytes] = (KEY, NEW)) -> Parts:
    """A whole server, whose store is open; nobody connects to it. `keys`: the first one seals;
    without any it is the one of the key file, which is made."""
    clock = Clock(began=BEGAN)
    given = {"master_key": " ".join(_text(key) for key in keys)} if keys else {}
    parts = build(
        settings(folder, **given, workers="1", record=str(folder / "tapes")),
        lambda frame, ask: Camera().shot(ask),
        store=store,
        embedder=Embedder("test", 128),
        clock=clock,
        now=clock.now,
        call_later=clock.call_later,
    )
    await open_parts(parts)
    assert parts.opened.is_set()
    return parts


# What is walked: each returns what the outside was told


async def _verdict(parts: Parts, session: SessionRecord, decided: Decided) -> str | None:
    said = await parts.verdicts.record(session, POLICY, decided, [FACE], path=SHOWN)
    await parts.verdicts.remember(session, decided, said, SHOWN)
    return said.token


async def _enrol(parts: Parts, subject: str, session: str) -> str | None:
    decided = Decided(Phase.ACCEPTED, template=template(2))
    return await _verdict(parts, await parts.store.sessions.get(session), decided)


async def _login(parts: Parts, subject: str, session: str) -> str | None:
    decided = Decided(Phase.ACCEPTED, subject=subject)
    return await _verdict(parts, await parts.store.sessions.get(session), decided)


async def _code(parts: Parts, subject: str, session: str) -> str | None:
    """A login of OpenID Connect from its face on: verdict, code, access token."""
    if await _login(parts, subject, session) is None:
        return None
    store, was = parts.store, await parts.store.logins.get(subject, parts.now())
    given = a_code(subject, login_id=subject, subject=subject, **_times(parts))
    await store.logins.move(was, replace(was, state=DONE), given)
    await store.codes.redeem(given.code_hash, CLIENT, parts.now())
    times = {"expires_at": given.expires_at}
    await store.access.add(an_access(subject, code_hash=given.code_hash, subject=subject, **times))
    return "given"


def _times(parts: Parts) -> dict[str, datetime]:
    return {"issued_at": parts.now(), "expires_at": parts.now() + timedelta(minutes=5)}


async def beside(parts: Parts, subject: str) -> None:
    """What an enrolled person has beside the face, and a login at its face."""
    store, vault = parts.store, parts.vault
    key = an_authenticator(f"k {subject}", subject=subject, user_handle=subject.encode())
    await store.authenticators.add(key)
    sealed = seal_secret(vault, CLIENT, subject, b"secret")
    await store.otps.put(a_totp(subject=subject, sealed=sealed, key_id=vault.key_id))
    await store.recovery.put(CLIENT, subject, [hashed("1")])
    profile = seal_profile(vault, CLIENT, subject, b"{}")
    of = {"subject": subject, "key_id": vault.key_id}
    await store.profiles.put(a_profile(**of, sealed=profile))
    await store.invitations.add(an_invitation(subject, **of, profile=profile))
    login = a_login(subject, subject=subject, expires_at=parts.now() + timedelta(minutes=10))
    await store.logins.add(login)


async def _refuse(parts: Parts, subject: str, session: str) -> str | None:
    decided = Decided(Phase.REJECTED, (Reason.NO_MATCH,))
    assert await _verdict(parts, await parts.store.sessions.get(session), decided) is None
    return "refused"


async def _erase(parts: Parts, subject: str, session: str) -> str | None:
    _, receipt = await withdraw_subject(
        parts.audit,
        parts.keyring,
        parts.vault,
        parts.store,
        parts.shelf,
        client_id=CLIENT,
        subject=subject,
        by="client",
        now=parts.now,
    )
    return receipt


async def _rotate(parts: Parts, subject: str, session: str) -> str | None:
    async with parts.audit.act("keys", act="rotate"):
        new = await parts.keyring.rotate(parts.now(), timedelta(hours=1))
    return " ".join(new.values())


async def _audit(parts: Parts, subject: str, session: str) -> str | None:
    """A life of the audit: all that there was is pruned; a record, a checkpoint, the stop."""
    await prune(parts.audit, parts.store.audit, BEGAN + timedelta(days=1), parts.now())
    record = await parts.audit.record("unlock", client_id=CLIENT, subject=subject)
    await parts.audit.checkpoint()
    await parts.audit.close()
    return record.ref


async def _renew(parts: Parts, subject: str, session: str) -> str | None:
    renewal = Renewal(parts.store, parts.protection)
    async with parts.audit.act("client", client_id=CLIENT, act="renew-templates"):
        await renewal.renew(CLIENT)
        await renewal.retire(CLIENT)
    return "renewed"


async def _reseal(parts: Parts, subject: str, session: str) -> str | None:
    """With the newest master key, which is another one in this process."""
    renewal = Renewal(parts.store, parts.protection)
    async with parts.audit.act("keys", act="rotate-data", key=parts.vault.key_id):
        await renewal.carry(CLIENT)
        await renewal.rotate_keys()
        await reseal_people(parts.store, parts.vault)
    return parts.vault.key_id


async def _unlock(parts: Parts, subject: str, session: str) -> str | None:
    await unlock_subject(
        parts.audit,
        parts.store,
        client_id=CLIENT,
        subject=subject,
        by="operator",
        forget_devices=True,
    )
    return "unlocked"


async def first_day(parts: Parts) -> str | None:
    """Behind the first start: a relying app, a person, the marks, the stop; again is the same."""
    try:
        await add_client(parts, Client(CLIENT, bytes(32), (), "standard", parts.now()))
    except Conflict:
        await parts.clients.believe(CLIENT)  # an operator does, whose `client add` was killed
    await enrolled(parts, "first", 1)
    await look_and_keep(parts.store, parts.protection.ledger, parts.settings.data_dir)
    await parts.audit.close()
    return "begun"


def new_place(url: str, name: str, folder: Path, which: str) -> tuple[tuple[str, str], Path]:
    """Where nothing is yet: a database and a folder, for a first start."""
    home = folder / which
    return (url, f"{name}_{which}") if name else (str(home / "store.sqlite3"), ""), home


async def _many(parts: Parts, subject: str, session: str) -> str | None:
    """So many records at once."""
    await asyncio.gather(*(parts.audit.record("unlock", n=n) for n in range(MANY)))
    return "recorded"


Act = Callable[[Parts, str, str], Awaitable[str | None]]
CASES: Mapping[str, Act] = {
    "enrol": _enrol,
    "replace": _enrol,
    "login": _login,
    "code": _code,
    "refuse": _refuse,
    "erase": _erase,
    "rotate": _rotate,
    "audit": _audit,
    "renew": _renew,
    "reseal": _reseal,
    "unlock": _unlock,
}
"""What is walked step by step."""


async def _live(url: str, name: str, folder: Path, case: str, subject: str, session: str) -> Any:
    global _taken
    if case == "start":
        where, home = new_place(url, name, folder, subject)
        _taken = []
        told = await first_day(await parts_of(store_of(*where), home, ()))
        taken, _taken = _taken, None
        return {"steps": taken, "told": told}
    keys = (NEW, KEY) if case == "reseal" else (KEY, NEW)
    parts = await parts_of(store_of(url, name), folder, keys)
    _taken = []
    told = await (_many if case == "many" else CASES[case])(parts, subject, session)
    taken, _taken = _taken, None
    return {"steps": taken, "told": told}


def _child(answers: int, arguments: list[str], line: str) -> None:
    """Does the act and is gone at once, as if it were killed after its last word."""
    global _dies_at, _folder
    url, name, folder = arguments
    case, at, subject, session = line.split()
    _dies_at, _folder = int(at), folder
    sqlite3.connect = _connect  # type: ignore[assignment]
    os.pwrite = _stepped("file pwrite", os.pwrite)
    os.fsync = _stepped("file fsync", os.fsync)
    sys.addaudithook(_watch)
    monitoring.register(Commands())
    signal.alarm(30)
    found = asyncio.run(_live(url, name, Path(folder), case, subject, session))
    os.write(answers, json.dumps(found).encode())
    os._exit(0)


def main(arguments: list[str]) -> None:
    """Answer line for line until there is none."""
    for line in sys.stdin:
        answers, given = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(answers)
            try:
                _child(given, arguments, line)
            finally:
                os._exit(1)
        os.close(given)
        with os.fdopen(answers, "rb") as pipe:
            told = pipe.read()
        _, status = os.waitpid(child, 0)
        found = json.loads(told) if told else {"steps": [], "told": None}
        print(json.dumps({"ended": os.waitstatus_to_exitcode(status), **found}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
