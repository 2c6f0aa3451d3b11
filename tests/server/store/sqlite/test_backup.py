"""A copy holds everybody, is checked, and can be taken back; nothing is lost on the way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from server.store.port import Broken, NotFound, WrongSchema
from server.store.sqlite.backup import BackupError, backup, restore
from server.store.sqlite.schema import MIGRATIONS
from server.store.sqlite.store import SqliteStore
from tests.server.conformance.oidc.records import (
    a_profile,
    a_totp,
    an_authenticator,
    an_invitation,
    done,
)
from tests.server.conformance.records import NOW, a_client, a_key, a_session, a_template, everybody
from tests.server.failing import failed, failures
from tests.server.store.sqlite.another import another


async def _enrol(store: SqliteStore, *subjects: str) -> None:
    for subject in subjects:
        await store.templates.put(a_template(subject), replace=False)


async def _people(file: Path) -> list[str]:
    store = SqliteStore(file)
    await store.open()
    found = [record.subject for record in await everybody(store, "shop")]
    await store.close()
    return found


def _listed(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def test_a_copy_beside_a_running_server_holds_everybody(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    await _enrol(store, "ada", "bob")
    await store.keys.add(a_key("k1"), retire_others_at=None)
    copy = tmp_path / "copies" / "a.sqlite3"
    copy.parent.mkdir()
    contents = await asyncio.to_thread(backup, path, copy)
    assert (contents.clients, contents.people, contents.signing_keys) == (1, 2, 1)
    assert contents.master_keys == ("0123456789abcdef",)
    assert _listed(copy.parent) == ["a.sqlite3"]  # one file, no journal, nothing half done
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    await _enrol(store, "eve")  # the server goes on
    assert await _people(copy) == ["ada", "bob"]
    await asyncio.to_thread(backup, path, copy)  # a backup is replaced by a newer one
    assert await _people(copy) == ["ada", "bob", "eve"]


async def test_what_a_person_has_beside_the_face_comes_along_and_names_its_master_keys(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    await _enrol(store, "ada")
    code, copy = await done(store), tmp_path / "copy"
    await store.authenticators.add(an_authenticator())
    await store.otps.put(a_totp(key_id="b" * 16))
    await store.profiles.put(a_profile(key_id="a" * 16))
    await store.invitations.add(an_invitation(profile=None, key_id=""))
    contents = await asyncio.to_thread(backup, path, copy)
    assert contents.master_keys == ("0123456789abcdef", "a" * 16, "b" * 16)
    taken = SqliteStore(copy)
    await taken.open()
    assert await taken.codes.redeem(code.code_hash, "shop", NOW) == code
    assert await taken.authenticators.get("k1") == an_authenticator()
    assert await taken.otps.get("shop", "ada") == a_totp(key_id="b" * 16)
    await taken.close()


async def test_copies_while_somebody_writes_are_each_one_moment(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    """A session is added with each template: a copy never holds one without the other before it."""
    done = asyncio.Event()

    async def write() -> None:
        n = 0
        while not done.is_set():
            await store.sessions.add(a_session(f"s{n}"))
            await store.templates.put(a_template(f"p{n}"), replace=False)
            n += 1

    writing = asyncio.create_task(write())
    try:
        for n in range(5):
            copy = tmp_path / f"{n}.copy"
            await asyncio.to_thread(backup, path, copy)
            with another(copy) as db:
                sessions, templates = db.execute(
                    "SELECT (SELECT count(*) FROM sessions), (SELECT count(*) FROM templates)"
                ).fetchone()
            assert sessions - templates in (0, 1)
    finally:
        done.set()
        await writing


async def test_a_plain_copy_of_an_idle_server_holds_everybody(path: Path, tmp_path: Path) -> None:
    store = SqliteStore(path, idle_s=0.05)
    await store.open()
    await store.clients.add(a_client())
    await _enrol(store, "ada")
    async with asyncio.timeout(10):
        while True:
            shutil.copy(path, tmp_path / "plain")
            with another(tmp_path / "plain") as db, contextlib.suppress(sqlite3.Error):
                if db.execute("SELECT count(*) FROM templates").fetchone() == (1,):
                    break
            await asyncio.sleep(0.02)
    await store.close()


async def test_a_backup_is_taken_back_and_what_was_there_is_kept(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    await _enrol(store, "ada")
    await store.sessions.add(a_session("open"))
    await store.sessions.add(a_session("over", state="accepted"))
    copy = tmp_path / "copy"
    await asyncio.to_thread(backup, path, copy)
    await store.forget_subject("shop", "ada")
    await _enrol(store, "bob")
    await store.close()

    contents, kept = await asyncio.to_thread(restore, copy, path, NOW)
    assert contents.people == 1
    assert kept is not None
    assert await _people(kept) == ["bob"]
    assert await _people(path) == ["ada"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    await store.open()
    assert (await store.sessions.get("open")).state == "expired"
    assert (await store.sessions.get("over")).state == "accepted"
    await asyncio.to_thread(backup, path, tmp_path / "again")


async def test_a_database_that_is_in_use_is_not_replaced(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    await asyncio.to_thread(backup, path, copy)
    await _enrol(store, "ada")
    before = _listed(tmp_path)
    with pytest.raises(BackupError) as caught:
        await asyncio.to_thread(restore, copy, path, NOW)
    assert caught.value.code == "restore_in_use"
    assert str(path) in caught.value.text
    assert _listed(tmp_path) == before
    await _enrol(store, "bob")
    assert len(await everybody(store, "shop")) == 2


def _damage(path: Path, kind: str) -> None:
    """With a journal of another database beside it, which must not be read into the new one."""
    Path(f"{path}-wal").write_bytes(b"of another database")
    if kind == "header":
        with path.open("r+b") as file:
            file.write(random.Random(1).randbytes(100))
    elif kind == "cut":
        os.truncate(path, 5000)
    else:
        path.unlink()


@pytest.mark.parametrize("damage", ["header", "cut", "none at all"])
async def test_a_broken_database_is_replaced_and_kept(
    store: SqliteStore, path: Path, tmp_path: Path, damage: str
) -> None:
    await _enrol(store, "ada")
    copy = tmp_path / "copy"
    await asyncio.to_thread(backup, path, copy)
    await _enrol(store, "bob")
    await store.close()
    _damage(path, damage)
    _, kept = await asyncio.to_thread(restore, copy, path, NOW)
    names = _listed(tmp_path)
    assert f"{path.name}-wal" not in names
    assert kept is not None
    assert (kept.name in names) == (damage != "none at all")
    assert await _people(path) == ["ada"]


def _lookgate(path: Path, *, version: int | None = None) -> Path:
    async def make() -> None:
        store = SqliteStore(path)
        await store.open()
        await store.close()

    asyncio.run(make())
    if version is not None:
        with another(path) as db:
            db.execute(f"PRAGMA user_version = {version}")
    return path


def test_what_is_no_whole_backup_is_not_taken_back(tmp_path: Path) -> None:
    good = _lookgate(tmp_path / "good")
    with another(tmp_path / "foreign") as db:
        db.execute("CREATE TABLE t (x)")
    (tmp_path / "text").write_text("hello" * 1000)
    shutil.copy(good, tmp_path / "cut")
    os.truncate(tmp_path / "cut", 20_000)
    _lookgate(tmp_path / "newer", version=len(MIGRATIONS) + 1)
    place = _lookgate(tmp_path / "place")
    before = place.read_bytes()
    for name, kind in (
        ("foreign", BackupError),
        ("text", Broken),
        ("cut", Exception),
        ("newer", WrongSchema),
        ("nothing", BackupError),
        ("place", BackupError),
    ):
        with pytest.raises(kind) as caught:
            restore(tmp_path / name, place, NOW)
        assert name in str(caught.value)
        assert place.read_bytes() == before
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob("*.before*"))


def test_a_backup_takes_nobodys_place(tmp_path: Path) -> None:
    good = _lookgate(tmp_path / "good")
    (tmp_path / "thesis.txt").write_text("hello" * 1000)
    for target in ("thesis.txt", "good"):
        with pytest.raises((BackupError, Broken)):
            backup(good, tmp_path / target)
    assert (tmp_path / "thesis.txt").read_text() == "hello" * 1000
    with pytest.raises(BackupError):
        backup(tmp_path / "nothing", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_damaged_database_makes_no_backup(tmp_path: Path) -> None:
    path = _lookgate(tmp_path / "store")
    with path.open("r+b") as file:
        file.seek(4096 * 2)
        file.write(random.Random(3).randbytes(4096 * 6))
    copy = _lookgate(tmp_path / "copy")
    before = copy.read_bytes()
    with pytest.raises((BackupError, Broken), match=str(path)):
        backup(path, copy)
    assert copy.read_bytes() == before
    assert not list(tmp_path.glob("*.part*"))


def test_an_interrupted_one_leaves_what_was_there_and_is_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the last step: the half that it leaves is in nobody's way."""
    path, copy = _lookgate(tmp_path / "store"), _lookgate(tmp_path / "copy")
    before = copy.read_bytes()
    (tmp_path / "copy.part").write_bytes(b"half")
    (tmp_path / "copy.part-journal").write_bytes(b"of another file")

    def killed(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as until:
        until.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            backup(path, copy)
    assert copy.read_bytes() == before
    backup(path, copy)
    assert not list(tmp_path.glob("*.part*"))


async def test_a_taken_back_database_knows_what_it_knew(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    await failed(store, "shop", "ada", NOW)
    copy = tmp_path / "copy"
    await asyncio.to_thread(backup, path, copy)
    await store.close()
    os.unlink(path)
    await asyncio.to_thread(restore, copy, path, NOW)
    await store.open()
    assert await store.clients.get("shop") == a_client()
    assert await failures(store, "shop", "ada") == 1
    with pytest.raises(NotFound):
        await store.templates.get("shop", "ada")
