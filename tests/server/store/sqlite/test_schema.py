"""The tables of a SQLite file, and a file of a newer version."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.store.port import Conflict, Unavailable, WrongSchema
from server.store.sqlite.rows import micros
from server.store.sqlite.schema import MIGRATIONS
from server.store.sqlite.store import SqliteStore
from server.store.tries import Tally
from tests.server.conformance.oidc.records import an_authenticator, done
from tests.server.conformance.records import DAY, NOW, a_key
from tests.server.failing import strangers
from tests.server.store.sqlite.another import another


async def test_it_is_durable_and_strict(store: SqliteStore, path: Path) -> None:
    with another(path) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        tables = db.execute("SELECT name, strict FROM pragma_table_list WHERE schema='main'")
        assert {strict for name, strict in tables if not name.startswith("sqlite_")} == {1}
    async with store.database.transaction() as writer:
        ((synchronous,),) = await writer.execute_fetchall("PRAGMA synchronous")
        ((foreign_keys,),) = await writer.execute_fetchall("PRAGMA foreign_keys")
    assert (synchronous, foreign_keys) == (2, 1)  # 2 is FULL


async def test_a_newer_schema_is_refused(store: SqliteStore, path: Path) -> None:
    await store.close()
    with another(path) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(WrongSchema):
        await store.open()
    with pytest.raises(Unavailable):
        await store.check(NOW)


async def test_failures_of_a_version_before_become_strangers_tries(path: Path) -> None:
    """But for names that nobody has: people type passwords into name fields."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with another(path) as db:
        for n, statements in enumerate(MIGRATIONS[:3], 1):
            for statement in statements:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {n}")
        db.execute("INSERT INTO clients VALUES ('shop', x'00', '[]', 'standard', 0)")
        db.execute(
            "INSERT INTO templates (client_id, subject, template_id, model_id, created_at,"
            " quality, key_id, sealed) VALUES ('shop', 'ada', 't', 'm', 0, 1.0, 'k', x'00')"
        )
        for subject in ("ada", "hunter2"):
            db.execute("INSERT INTO failures VALUES ('shop', ?, 3, ?)", (subject, micros(NOW)))
        db.commit()
    store = SqliteStore(path)
    await store.open()
    assert await store.tries.tally(strangers("shop", "ada")) == Tally(3, 3, NOW, NOW)
    assert await store.tries.tally(strangers("shop", "hunter2")) == Tally()
    await store.close()


async def test_a_file_of_before_opens_and_has_room_for_openid_connect(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with another(path) as db:
        for n, statements in enumerate(MIGRATIONS[:8], 1):
            for statement in statements:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {n}")
        db.execute(
            "INSERT INTO clients (client_id, secret_hash, origins, policy, created_at)"
            " VALUES ('shop', x'00', '[]', 'standard', 0)"
        )
        db.execute(
            "INSERT INTO templates (client_id, subject, template_id, model_id, created_at,"
            " quality, key_id, sealed) VALUES ('shop', 'ada', 't', 'm', 0, 1.0, 'k', x'00')"
        )
        for kid, retire_at in (("old", micros(NOW + DAY)), ("new", None)):
            db.execute(
                "INSERT INTO signing_keys VALUES (?, '{}', x'00', ?, ?)",
                (kid, micros(NOW), retire_at),
            )
        db.commit()
    store = SqliteStore(path)
    await store.open()
    keys = await store.keys.published(NOW)
    assert [(key.kid, key.alg) for key in keys] == [("new", "ES256"), ("old", "ES256")]
    with pytest.raises(Conflict):
        await store.keys.add(a_key("other"), retire_others_at=None)
    await store.keys.add(a_key("rsa", alg="RS256"), retire_others_at=None)
    await store.authenticators.add(an_authenticator())
    code = await done(store)
    assert await store.codes.redeem(code.code_hash, "shop", NOW) == code
    await store.forget_subject("shop", "ada")
    assert await store.authenticators.of_subject("shop", "ada") == []
    await store.close()
