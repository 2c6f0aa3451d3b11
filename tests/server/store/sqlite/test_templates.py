"""What is SQLite's own about galleries: files and servers of the version before."""

from __future__ import annotations

import asyncio
from pathlib import Path

from server.store.sqlite.schema import MIGRATIONS
from server.store.sqlite.store import SqliteStore
from tests.server.conformance.following import Follower, all_of
from tests.server.conformance.records import a_template, everybody
from tests.server.store.sqlite.another import another


async def test_a_file_of_before_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    with another(path) as db:
        for statements in MIGRATIONS[:2]:
            for statement in statements:
                db.execute(statement)
        db.execute("PRAGMA user_version = 2")
        db.execute("INSERT INTO clients VALUES ('shop', x'00', '[]', 'default', 0)")
        db.execute("INSERT INTO galleries VALUES ('shop', 7)")
        sealed = a_template().sealed
        db.execute(
            "INSERT INTO templates VALUES ('shop', 'ada', 't-ada', 'sface', 0, 0.75, 'k', ?)",
            (sealed,),
        )
        db.commit()
    store = SqliteStore(path)
    await store.open()
    follower = Follower(store)
    assert await follower.follow() == {"ada": "t-ada"}
    (kept,) = await everybody(store, "shop")
    assert (kept.sealed, kept.vector) == (sealed, None)
    assert (await store.templates.gallery_version("shop")).changes == 7
    await store.templates.put(a_template("bob"), replace=False)
    await store.forget_subject("shop", "ada")
    assert await follower.follow() == {"bob": "t-bob"}
    assert follower.whole == 1
    await store.close()


async def test_a_server_of_before_that_goes_on_is_seen(store: SqliteStore, path: Path) -> None:
    """It opened the file before the migration, and knows neither log nor vectors."""
    await store.templates.put(a_template(vector=b"of before"), replace=False)
    await store.templates.put(a_template("bob"), replace=False)
    follower = Follower(store)
    await follower.follow()
    grow = "UPDATE galleries SET version = version + 1 WHERE client_id = 'shop'"
    with another(path) as db:
        db.execute("UPDATE templates SET template_id = 't2' WHERE subject = 'ada'")
        db.execute(grow)
        db.commit()
        assert (await follower.follow())["ada"] == "t2"
        db.execute("DELETE FROM templates WHERE subject = 'ada'")
        db.execute(grow)
        db.commit()
    assert await follower.follow() == {"bob": "t-bob"}
    assert follower.whole == 3
    await store.forget_subject("shop", "bob")
    assert await follower.follow() == await all_of(store) == {}
    assert follower.whole == 3


async def test_who_is_forgotten_is_not_named_in_the_log(store: SqliteStore, path: Path) -> None:
    await store.templates.put(a_template("a-name-of-somebody", template_id="t1"), replace=False)
    await store.forget_subject("shop", "a-name-of-somebody")
    await store.close()
    assert b"a-name-of-somebody" not in await asyncio.to_thread(path.read_bytes)
