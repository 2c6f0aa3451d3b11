"""What is SQLite's own: files, locks, threads. What every store must do is in conformance/."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from server.store.port import Broken, Unavailable
from server.store.sqlite.store import SqliteStore
from tests.server.conformance.records import NOW, TICKET, a_client, a_session, a_template, everybody
from tests.server.failing import failed, failures
from tests.server.store.sqlite.another import another


async def test_the_file_and_its_companions_are_private(store: SqliteStore, path: Path) -> None:
    files = sorted(path.parent.glob("store.sqlite3*"))
    assert [file.name for file in files] == [path.name, f"{path.name}-shm", f"{path.name}-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_a_locked_file_is_unavailable_until_it_is_free(
    store: SqliteStore, path: Path
) -> None:
    await store.sessions.add(a_session())
    with another(path) as db:
        db.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await store.sessions.claim("s1", TICKET, NOW)
        assert (await store.sessions.get("s1")).state == "new"  # reading goes on
        told = await asyncio.gather(
            *(failed(store, "shop", "ada", NOW) for _ in range(10)), return_exceptions=True
        )
        assert {type(answer) for answer in told} == {Unavailable}
        db.execute("ROLLBACK")
    assert (await store.sessions.claim("s1", TICKET, NOW)).state == "live"
    assert await failures(store, "shop", "ada") == 0


async def test_a_full_disk_is_unavailable_until_there_is_room(store: SqliteStore) -> None:
    async with store.database.transaction() as db:
        ((pages,),) = await db.execute_fetchall("PRAGMA page_count")
        await db.execute_fetchall(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unavailable):
        await store.templates.put(a_template(sealed=bytes(100_000)), replace=False)
    assert await everybody(store, "shop") == []
    assert (await store.templates.gallery_version("shop")).changes == 0
    async with store.database.transaction() as db:
        await db.execute_fetchall("PRAGMA max_page_count = 100000")
    await store.templates.put(a_template(sealed=bytes(100_000)), replace=False)


async def test_it_opens_once_the_place_is_there(tmp_path: Path) -> None:
    place = tmp_path / "mount"
    place.write_text("not a directory yet")
    store = SqliteStore(place / "store.sqlite3", wait_s=0.2)
    with pytest.raises(Unavailable):
        await store.open()
    with pytest.raises(Unavailable):
        await store.check(NOW)
    with pytest.raises(Unavailable):
        await store.clients.add(a_client())
    place.unlink()
    await store.open()
    await store.clients.add(a_client())
    await store.close()


def test_a_file_of_something_else_is_left_alone(path: Path) -> None:
    content = b"These are not the faces you are looking for." * 200
    path.write_bytes(content)
    with pytest.raises(Broken, match=str(path)):
        asyncio.run(SqliteStore(path, wait_s=0.2).open())
    assert path.read_bytes() == content


async def test_a_copy_that_others_may_read_is_made_private(store: SqliteStore, path: Path) -> None:
    await store.close()
    os.chmod(path, 0o644)
    await store.open()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


async def test_a_check_writes_and_leaves_nothing(store: SqliteStore, path: Path) -> None:
    await store.check(NOW)
    with another(path) as db:
        assert db.execute("SELECT client_id FROM clients").fetchall() == [("shop",)]
        assert db.execute("SELECT count(*) FROM sessions").fetchone() == (0,)
        db.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):  # reading would be answered
            await store.check(NOW)
        db.execute("ROLLBACK")
    await store.check(NOW)


async def test_a_full_disk_is_met_by_the_check(store: SqliteStore) -> None:
    async with store.database.transaction() as db:
        ((pages,),) = await db.execute_fetchall("PRAGMA page_count")
        await db.execute_fetchall(f"PRAGMA max_page_count = {pages}")
    assert list(await store.clients.all())  # reading goes on
    with pytest.raises(Unavailable) as caught:
        await store.check(NOW)
    assert not isinstance(caught.value, Broken)


async def test_a_disk_that_hangs_is_unavailable_and_what_it_had_begun_is_undone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_s, connect = [0.0], sqlite3.connect

    def slowly(*given: Any, **named: Any) -> sqlite3.Connection:
        connection = connect(*given, **named)
        connection.set_trace_callback(lambda _: time.sleep(wait_s[0]))
        return connection

    monkeypatch.setattr(sqlite3, "connect", slowly)
    store = SqliteStore(path, work_s=0.3)
    await store.open()
    wait_s[0] = 0.5
    with pytest.raises(Unavailable) as caught:
        await store.clients.add(a_client("slow"))
    assert not isinstance(caught.value, Broken)
    with pytest.raises(Unavailable):
        await store.clients.all()
    wait_s[0] = 0.0
    await store.clients.add(a_client("next"))  # its turn comes behind what is undone
    assert "next" in {one.client_id for one in await store.clients.all()}
    assert "slow" not in {one.client_id for one in await store.clients.all()}
    await store.close()


async def test_a_cancelled_write_is_whole_or_not_at_all(store: SqliteStore) -> None:
    done = 0
    for steps in range(12):
        call = asyncio.ensure_future(store.templates.put(a_template(f"p{steps}"), replace=False))
        for _ in range(steps):
            await asyncio.sleep(0.0005)
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
        found = {record.subject for record in await everybody(store, "shop")}
        done += f"p{steps}" in found
        assert (await store.templates.gallery_version("shop")).changes == len(found) == done
    await store.templates.put(a_template("last"), replace=False)  # the turn was given back


async def test_closing_leaves_no_thread_and_no_lock(path: Path) -> None:
    before = set(threading.enumerate())
    store = SqliteStore(path)
    await store.open()
    started = set(threading.enumerate()) - before
    workers = [thread for thread in started if "_connection_worker_thread" in thread.name]
    assert len(workers) == 2
    writes = [asyncio.ensure_future(store.clients.add(a_client(f"c{n}"))) for n in range(5)]
    await asyncio.sleep(0)
    await store.close()
    told = await asyncio.gather(*writes, return_exceptions=True)
    assert {type(answer) for answer in told} <= {type(None), Unavailable}
    for worker in workers:  # each says that it has closed, and ends a moment later
        await asyncio.to_thread(worker.join, 10)
        assert not worker.is_alive()
    with another(path) as db:
        db.execute("BEGIN EXCLUSIVE")
        (count,) = db.execute("SELECT count(*) FROM clients").fetchone()
    assert count == told.count(None)
