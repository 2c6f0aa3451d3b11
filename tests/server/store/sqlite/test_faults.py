"""Down or broken: every code of SQLite is one of the two, and real damage is told as damage."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from server.store.port import Broken, Unavailable
from server.store.sqlite.faults import BROKEN, CODES, DOWN, fault_of, named_faults
from server.store.sqlite.store import SqliteStore
from tests.server.conformance.records import NOW, a_client, a_session, a_template, everybody
from tests.server.store.sqlite.another import another

NONE = {"SQLITE_OK", "SQLITE_NOTICE", "SQLITE_WARNING", "SQLITE_ROW", "SQLITE_DONE"}
"""Result codes that are no error (sqlite.org/rescode.html)."""


def _error(code: int) -> sqlite3.Error:
    error = sqlite3.DatabaseError("peer data: s3cret")
    error.sqlite_errorcode, error.sqlite_errorname = code, "SQLITE_X"
    return error


def test_every_primary_result_code_is_one_or_the_other() -> None:
    assert set(CODES) == set(range(1, 27))  # the list ends with SQLITE_NOTADB
    assert set(CODES.values()) == {DOWN, BROKEN}
    for code, kind in CODES.items():
        for extended in (code, code | 3 << 8):
            found = fault_of(_error(extended), Path("/data/x"))
            assert isinstance(found, Broken) is (kind == BROKEN)
            assert found.code == ("store_broken" if kind == BROKEN else "store_unavailable")
            assert "/data/x" in found.text
            assert "s3cret" not in str(found)


def test_the_codes_that_python_knows_are_in_the_table() -> None:
    known = {
        name: value
        for name, value in vars(sqlite3).items()
        if name.startswith("SQLITE_") and isinstance(value, int) and name not in NONE
    }
    codes = {"SQLITE_BUSY", "SQLITE_CORRUPT", "SQLITE_FULL", "SQLITE_NOTADB", "SQLITE_CANTOPEN"}
    assert codes <= set(known)
    assert [CODES[known[name]] for name in sorted(codes)] == [DOWN, DOWN, BROKEN, DOWN, BROKEN]


def test_what_has_no_code_may_pass() -> None:
    for error in (sqlite3.ProgrammingError("closed"), PermissionError(13, "x", "/data")):
        with pytest.raises(Unavailable) as caught, named_faults(Path("/data/x")):
            raise error
        assert not isinstance(caught.value, Broken)
        assert "/data/x" in caught.value.text


async def _filled(path: Path) -> None:
    """Sixty pages of people and sessions, the journal written back."""
    store = SqliteStore(path)
    await store.open()
    await store.clients.add(a_client())
    for n in range(60):
        await store.templates.put(a_template(f"p{n}", sealed=bytes(2600)), replace=False)
        await store.sessions.add(a_session(f"s{n}"))
    await store.close()


def _first_bytes(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(random.Random(1).randbytes(100))


def _something_else(path: Path) -> None:
    path.write_bytes(b"These are not the faces you are looking for." * 200)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _cut_to_a_header(path: Path) -> None:
    os.truncate(path, 1000)


def _four_pages(path: Path) -> None:
    with path.open("r+b") as file:
        for page in (5, 9, 20, 31):
            file.seek(page * 4096)
            file.write(random.Random(page).randbytes(4096))


def _no_tables(path: Path) -> None:
    with another(path) as db:
        db.execute("DROP TABLE sessions")


@pytest.mark.parametrize(
    "damage", [_first_bytes, _something_else, _cut, _cut_to_a_header, _four_pages, _no_tables]
)
async def test_a_damaged_file_is_broken_and_left_as_it_is(
    path: Path, damage: Callable[[Path], None]
) -> None:
    await _filled(path)
    damage(path)
    before = path.read_bytes()  # noqa: ASYNC240
    store = SqliteStore(path, wait_s=0.2)

    async def used() -> None:
        await store.open()
        await store.check(NOW)

    with pytest.raises(Broken) as caught:
        await used()
    assert caught.value.code == "store_broken"
    assert str(path) in caught.value.text
    await store.close()
    if damage is not _no_tables:
        assert path.read_bytes() == before  # noqa: ASYNC240


async def test_pages_that_are_damaged_while_it_serves_are_told(path: Path) -> None:
    await _filled(path)
    store = SqliteStore(path, wait_s=0.2)
    await store.open()
    await store.check(NOW)
    size = path.stat().st_size  # noqa: ASYNC240
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(random.Random(2).randbytes(size - 4096))
    with pytest.raises(Broken):
        await everybody(store, "shop")
    with pytest.raises(Broken):
        await store.check(NOW)
    await store.close()
