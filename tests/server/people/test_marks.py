"""The newest heads, outside of the database: one that was turned back as a whole is noticed."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.keys.vault import Vault, VaultError
from server.people.anchors import Ledger
from server.people.marks import FILE, drop_marks, keep_marks, look_and_keep, read_marks
from server.store.sqlite.store import SqliteStore
from tests.server.conformance.records import NOW, a_client

VAULT = Vault([bytes(range(32))])


def test_the_newest_is_kept(tmp_path: Path) -> None:
    assert read_marks(tmp_path) == {}
    keep_marks(tmp_path, {"a": 3, "b": 1})
    keep_marks(tmp_path, {"a": 2, "c": 5})  # of another process, which saw less of a
    assert read_marks(tmp_path) == {"a": 3, "b": 1, "c": 5}
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [FILE]
    drop_marks(tmp_path)
    drop_marks(tmp_path)
    assert read_marks(tmp_path) == {}


def test_nothing_is_written_where_nothing_is_new(tmp_path: Path) -> None:
    keep_marks(tmp_path, {"a": 3})
    before = (tmp_path / FILE).stat().st_mtime_ns, (tmp_path / FILE).stat().st_ino
    keep_marks(tmp_path, {"a": 3})
    assert ((tmp_path / FILE).stat().st_mtime_ns, (tmp_path / FILE).stat().st_ino) == before


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": "b"}', '{"a": null}'])
def test_a_file_that_cannot_be_read_is_told(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_text(text)
    with caplog.at_level(logging.ERROR):
        assert read_marks(tmp_path) == {}
    assert len(caplog.records) == 1


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.sqlite3")
    await store.open()
    yield store
    await store.close()


async def test_a_database_that_was_turned_back_as_a_whole_is_noticed(
    store: SqliteStore, tmp_path: Path
) -> None:
    await store.clients.add(a_client())
    ledger = Ledger(store.anchors, VAULT, now=lambda: NOW)
    _, first = await ledger.announce("shop", ["ada"])
    await ledger.settle("shop", first)
    await store.close()
    old = (tmp_path / "store.sqlite3").read_bytes()

    await store.open()
    ledger = Ledger(store.anchors, VAULT, now=lambda: NOW)
    _, second = await ledger.announce("shop", ["ada"])
    await ledger.settle("shop", second)
    await look_and_keep(store, ledger, tmp_path)
    await store.close()
    newest = (tmp_path / "store.sqlite3").read_bytes()
    (tmp_path / "store.sqlite3").write_bytes(old)

    await store.open()
    fresh = Ledger(store.anchors, VAULT, now=lambda: NOW)
    standing = await fresh.standing("shop", ["ada"])
    assert standing.fault("ada", first["ada"]) is None  # who was not told cannot know
    told = Ledger(store.anchors, VAULT, now=lambda: NOW, seen=read_marks(tmp_path))
    standing = await told.standing("shop", ["ada"])
    assert standing.fault("ada", first["ada"]) == "anchor_rolled_back"
    with pytest.raises(VaultError):
        await told.announce("shop", ["bob"])

    await told.accept("shop", first)  # the operator's word
    keep_marks(tmp_path, told.seen)
    again = Ledger(store.anchors, VAULT, now=lambda: NOW, seen=read_marks(tmp_path))
    standing = await again.standing("shop", ["ada"])
    assert standing.fault("ada", first["ada"]) is None
    for past in (old, newest):  # what the operator replaced is over, however new it was
        await store.close()
        (tmp_path / "store.sqlite3").write_bytes(past)
        await store.open()
        later = Ledger(store.anchors, VAULT, now=lambda: NOW, seen=read_marks(tmp_path))
        standing = await later.standing("shop", ["ada"])
        for counter in (first["ada"], second["ada"]):
            assert standing.fault("ada", counter) == "anchor_rolled_back"
