"""The store is slow, its disk is full, or it refuses to write: a code, and all goes on by itself.

Nobody gets a token that is not recorded, nothing is half done, no log has a traceback, and when the
fault is over the same server works without being told. Not here: a store that is away or stands
still (tests/attack/test_database_stops.py), servers that are killed (test_walker.py).
Facts: docs/operations.md, "When something fails half-way".
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import secrets
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.events import Decided
from pipeline.reasons import Phase, Reason
from pipeline.refusal import Refusal
from server.audit.export import stored
from server.audit.record import read_body
from server.audit.verify import verify
from server.audit.witness import Witness
from server.keys.keyring import Keyring
from server.parts import Parts
from server.people.protection import space_of
from server.session.verdict import Said
from server.store.mongo.store import MongoStore
from server.store.port import NotFound, SessionRecord, Unavailable
from server.store.sqlite.store import SqliteStore
from tests.faults.between import Between
from tests.faults.steps import CASES, FACE, first_day, parts_of
from tests.pipeline.observations import template
from tests.server.conformance.secantus import Secantus
from tests.server.stage import CLIENT, POLICY, claimed, close_parts, enrolled

WAIT_S = 0.5
"""The stores' patience here, a fifth to a tenth of what they have."""
SLOW_S = 1.0
"""A call of a slow store, so that it is to it what 5 s are to a server's."""
AGAIN_S = 30.0
CODES = ("store_unavailable", "store_broken")
OTHERS = ("erase", "unlock", "rotate", "renew")
MEGABYTE = bytes(1 << 20)


@dataclass
class Faulty:
    """A server whose store can be made to fail."""

    parts: Parts
    folder: Path
    begin: Callable[[], Awaitable[None]]
    end: Callable[[], Awaitable[None]]
    full: bool = False
    """Whether it fails by the size of what is written."""

    async def template(self, subject: str) -> str | None:
        try:
            record = await self.parts.store.templates.get(CLIENT, subject)
        except NotFound:
            return None
        standing = await self.parts.protection.standing(CLIENT, [subject])
        self.parts.protection.opened(record, standing, space_of(standing.head))
        return record.template_id

    async def outcomes(self, session: str) -> list[str]:
        found = []
        async for record in stored(self.parts.store.audit):
            body = read_body(record.body)
            if body.get("session") == session:
                found.append(body["outcome"])
        return found

    async def whole(self) -> None:
        seen = [(name, *head) for name, head in Witness(self.folder).heads().items()]
        found = await verify(stored(self.parts.store.audit), self.parts.audit.seals, seen=seen)
        assert found.faults == []


class Slow:
    """Statements of every connection, as a disk that hangs makes them."""

    def __init__(self) -> None:
        self.wait_s = 0.0

    def connect(self, *given: Any, **named: Any) -> sqlite3.Connection:
        connection = _connect(*given, **named)
        connection.set_trace_callback(lambda _: time.sleep(self.wait_s))
        return connection


_connect: Callable[..., sqlite3.Connection] = sqlite3.connect


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Six megabytes, where this user may mount them; whether that is so."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m,mode=0700", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=10, check=False).returncode
    except OSError:
        done = -1
    try:
        yield done == 0
    finally:
        if done == 0:
            subprocess.run(["umount", "-l", str(folder)], timeout=10, check=True)


async def sqlite_of(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    slow = Slow()
    monkeypatch.setattr(sqlite3, "connect", slow.connect)
    with small_disk(folder / "disk") as mounted:
        data = folder / "disk" / "data"
        store = SqliteStore(data / "store.sqlite3", wait_s=WAIT_S, work_s=WAIT_S)

        async def tell(pragma: str) -> None:
            for writer in writers:
                await writer.execute_fetchall(f"PRAGMA {pragma}")

        async def begin() -> None:
            if kind == "slow":
                slow.wait_s = SLOW_S
            elif kind == "refused":
                await tell("query_only = ON")
            elif mounted:
                await tell("wal_checkpoint(TRUNCATE)")  # else there is room in the journal
                with suppress(OSError), (data / "full").open("wb", buffering=0) as out:
                    while out.write(MEGABYTE):
                        pass
            else:
                ((pages,),) = await store.database.read("PRAGMA page_count")
                await tell(f"max_page_count = {pages}")

        async def end() -> None:
            slow.wait_s = 0.0
            if kind == "refused":
                await tell("query_only = OFF")
            elif kind == "full" and mounted:
                (data / "full").unlink()
            elif kind == "full":
                await tell("max_page_count = 1000000")

        parts = await parts_of(store, data)
        async with store.database.transaction() as db:
            writers = [db]
        yield Faulty(parts, data, begin, end, kind == "full")
        slow.wait_s = 0.0
        await close_parts(parts)


REFUSALS = {
    "full": {"code": 14031, "codeName": "OutOfDiskSpace", "errmsg": "no space"},
    "refused": {"code": 10107, "codeName": "NotWritablePrimary", "errmsg": "read only"},
    "forbidden": {"code": 13, "codeName": "Unauthorized", "errmsg": "may not write"},
}


async def mongo_of(kind: str, folder: Path, secantus: Secantus) -> AsyncIterator[Any]:
    between = Between(secantus.port)
    await between.start()
    name = f"faulty_{secrets.token_hex(4)}"
    url = f"mongodb://127.0.0.1:{between.port}/?directConnection=true&heartbeatFrequencyMS=500"
    store = MongoStore(url, database=name, wait_s=WAIT_S)

    async def begin() -> None:
        between.wait_s = SLOW_S if kind == "slow" else 0.0
        between.refusal = REFUSALS.get(kind)

    async def end() -> None:
        between.wait_s, between.refusal = 0.0, None

    parts = await parts_of(store, folder / "data")
    yield Faulty(parts, folder / "data", begin, end)
    await end()
    await close_parts(parts)
    await between.stop()


@pytest.fixture(
    params=[
        *(("sqlite", kind) for kind in ("slow", "full", "refused")),
        *(("mongo", kind) for kind in ("slow", *REFUSALS)),
    ],
    ids=lambda param: "-".join(param),
)
async def faulty(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Faulty]:
    backend, kind = request.param
    if backend == "sqlite":
        made = sqlite_of(kind, tmp_path, monkeypatch)
    else:
        made = mongo_of(kind, tmp_path, request.getfixturevalue("secantus"))
    async for one in made:
        await first_day(one.parts)
        yield one


async def recovered(parts: Parts) -> None:
    """Nobody does anything but what a server does by itself."""
    async with asyncio.timeout(AGAIN_S):
        while True:
            try:
                await parts.store.check(parts.now())
                await parts.verdicts.settle()
                break
            except Unavailable:
                await asyncio.sleep(0.1)
    for _ in range(2):
        await parts.store.endings.settle(parts.audit)


async def refused(act: Awaitable[object]) -> str | None:
    """The code, if the act was refused as a refusal."""
    try:
        async with asyncio.timeout(AGAIN_S):
            await act
    except Refusal as refusal:
        return refusal.code
    return None


DECIDED: Mapping[str, Decided] = {
    "enrol": Decided(Phase.ACCEPTED, template=template(2)),
    "replace": Decided(Phase.ACCEPTED, template=template(2)),
    "login": Decided(Phase.ACCEPTED, subject="login"),
    "refuse": Decided(Phase.REJECTED, (Reason.NO_MATCH,)),
}


async def judged(parts: Parts, case: str, session: SessionRecord) -> Said:
    """What the page of a live session hears."""
    async with asyncio.timeout(AGAIN_S):
        return await parts.verdicts.record(session, POLICY, DECIDED[case], [FACE])


async def begun(parts: Parts, case: str) -> SessionRecord:
    purpose = "enroll" if case in ("enrol", "replace") else "login"
    return await claimed(parts, purpose, case, replace=True)


async def test_it_is_refused_by_a_code_and_all_goes_on(
    faulty: Faulty, caplog: pytest.LogCaptureFixture
) -> None:
    parts = faulty.parts
    for case in (*DECIDED, *OTHERS):
        if case != "enrol":
            await enrolled(parts, case, 1)
    old = {case: await faulty.template(case) for case in DECIDED}
    sessions = {case: await begun(parts, case) for case in DECIDED}

    caplog.set_level(logging.INFO)
    await faulty.begin()
    said = {case: await judged(parts, case, session) for case, session in sessions.items()}
    codes = {case: await refused(CASES[case](parts, case, "")) for case in OTHERS}
    codes["begin"] = await refused(begun(parts, "login"))
    await faulty.end()
    codes |= {case: told.error for case, told in said.items()}
    assert set(codes.values()) <= {*CODES, None}, codes
    # Only a disk that is nearly full may take the one or other.
    assert None not in codes.values() or (faulty.full and any(codes.values())), codes

    await recovered(parts)
    assert [one for one in caplog.records if one.exc_info] == []
    for case, session in sessions.items():
        state = (await parts.store.sessions.get(session.session_id)).state
        assert state == ("rejected" if said[case].token is None else "accepted"), case
        assert (await faulty.outcomes(session.session_id))[-1:] == [state], case
        if state == "rejected":
            assert await faulty.template(case) == old[case], case
    await faulty.whole()

    for case in DECIDED:
        again = await judged(parts, case, await begun(parts, case))
        assert (again.error, again.token is None) == (None, case == "refuse"), case
    for case in OTHERS:
        assert await CASES[case](parts, case, "") is not None, case
    assert await faulty.template("erase") is None
    ring = Keyring(parts.store.keys, parts.vault, issuer="https://login.example")
    await ring.load(parts.now())
    assert ring.unusable == 0
    await faulty.whole()


def _no_room(*given: Any, **named: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    made = await parts_of(SqliteStore(tmp_path / "store.sqlite3"), tmp_path / "data")
    await first_day(made)
    yield made
    await close_parts(made)


async def test_no_room_for_the_witness_costs_no_login(
    parts: Parts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It says less than there is from then on, and the log says so once."""
    monkeypatch.setattr(os, "pwrite", _no_room)
    for _ in range(2):
        record = await claimed(parts, "login", "first")
        assert await CASES["login"](parts, "first", record.session_id) is not None
    monkeypatch.undo()
    told = [one for one in caplog.records if "witness" in one.message]
    assert [(one.exc_info, getattr(one, "cause", None)) for one in told] == [(None, "OSError")]
    faulty = Faulty(parts, tmp_path / "data", asyncio.Event().wait, asyncio.Event().wait)
    assert await faulty.outcomes(record.session_id) == ["accepted"]
    await faulty.whole()


async def test_no_room_for_the_first_key_is_told_and_the_next_start_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "data"
    monkeypatch.setattr(os, "fsync", _no_room)
    with pytest.raises(AssertionError):
        await parts_of(store := SqliteStore(home / "store.sqlite3"), home, ())
    await store.close()
    assert list(home.glob("*master.key*")) == []
    monkeypatch.undo()
    parts = await parts_of(SqliteStore(home / "store.sqlite3"), home, ())
    assert await first_day(parts) == "begun"
    await close_parts(parts)


async def test_a_recording_that_cannot_be_removed_gives_no_receipt(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert parts.shelf is not None
    tape = parts.shelf.place(CLIENT, "s" * 12, parts.now())
    tape.mkdir()
    (tape / "video.mkv").write_text("a face")
    (tape / "tape.jsonl").write_text(
        '{"subject": "first", "session": {"gallery": {"subjects": []}}}\n'
    )

    unlink, iterdir = Path.unlink, Path.iterdir

    def held(path: Path, missing_ok: bool = False) -> None:
        if path.name == "video.mkv":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        unlink(path, missing_ok)

    # A folder tells its files in any order: here the header, which says whose tape it is, first.
    monkeypatch.setattr(Path, "iterdir", lambda path: sorted(iterdir(path)))
    monkeypatch.setattr(Path, "unlink", held)
    with pytest.raises(Unavailable) as caught:
        await CASES["erase"](parts, "first", "")
    assert caught.value.code == "store_unavailable"
    monkeypatch.undo()
    assert tape.exists()
    assert [one for one in caplog.records if one.exc_info] == []
    assert await CASES["erase"](parts, "first", "") is not None
    assert not tape.exists()
