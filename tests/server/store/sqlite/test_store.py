"""What a SQLite store does over several tables."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from server.store.port import NotFound
from server.store.sqlite.store import SqliteStore
from tests.server.conformance.records import NOW, a_session, a_template
from tests.server.failing import failed, failures
from tests.server.store.sqlite.another import another


async def test_who_was_removed_is_not_left_in_a_free_page(store: SqliteStore, path: Path) -> None:
    sealed = bytes(range(256)) * 4
    await store.templates.put(a_template("ada", sealed=sealed), replace=False)
    await store.templates.put(a_template("bob", sealed=b"other"), replace=False)
    await store.forget_subject("shop", "ada")
    await store.close()  # writes the journal back and removes it
    (left,) = path.parent.glob("store.sqlite3*")
    data = await asyncio.to_thread(left.read_bytes)
    assert b"other" in data
    assert sealed[:256] not in data


async def test_a_person_is_forgotten_wholly_or_not_at_all(store: SqliteStore, path: Path) -> None:
    await store.templates.put(a_template(), replace=False)
    await failed(store, "shop", "ada", NOW)
    await store.sessions.add(a_session(state="accepted"))
    with another(path) as db:
        db.execute(
            "CREATE TRIGGER kept BEFORE DELETE ON sessions BEGIN SELECT raise(ABORT, 'kept'); END"
        )
        with pytest.raises(sqlite3.IntegrityError):
            await store.forget_subject("shop", "ada")
        assert await store.templates.get("shop", "ada") == a_template()
        assert await failures(store, "shop", "ada") == 1
        assert (await store.templates.gallery_version("shop")).changes == 1
        db.execute("DROP TRIGGER kept")
    assert (await store.forget_subject("shop", "ada"))["templates"] == 1
    with pytest.raises(NotFound):
        await store.sessions.get("s1")
