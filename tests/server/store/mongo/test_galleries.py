"""What MongoDB needs because the number of a change and the change are two documents."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from server.store.gallery import GalleryVersion
from server.store.mongo import templates
from server.store.mongo.galleries import changing, removed, version_of
from server.store.mongo.store import MongoStore
from server.store.mongo.templates import content_of
from tests.server.conformance.backends import MongoBackend
from tests.server.conformance.following import Follower, all_of
from tests.server.conformance.records import a_client, a_template


@pytest.fixture
async def store(mongo: MongoBackend) -> MongoStore:
    store = mongo.store()
    assert isinstance(store, MongoStore)
    await store.open()
    await store.clients.add(a_client())
    await store.templates.put(a_template("bob"), replace=False)
    return store


ADA = {"client_id": "shop", "subject": "ada"}


async def enrol(store: MongoStore, number: int) -> None:
    """The second act alone."""
    async with store.database.turn() as db:
        await db["templates"].insert_one({**ADA, **content_of(a_template()), "changed": number})


@pytest.mark.parametrize("told_between", [0, 1, 2])
async def test_a_slow_enrolment_is_not_skipped_by_who_read_a_later_number(
    store: MongoStore, told_between: int
) -> None:
    follower = Follower(store)
    await follower.follow()
    async with store.database.turn() as db, changing(db, "shop", "ada") as number:
        await store.templates.put(a_template("eve"), replace=False)
        for _ in range(told_between):
            assert "ada" not in await follower.follow()
        await enrol(store, number)
    assert set(await follower.follow()) == {"ada", "bob", "eve"}
    assert follower.whole == 1


@pytest.mark.parametrize("told_between", [0, 1, 2])
async def test_a_slow_removal_is_not_skipped_by_who_read_a_later_number(
    store: MongoStore, told_between: int
) -> None:
    await store.templates.put(a_template(), replace=False)
    follower = Follower(store)
    await follower.follow()
    async with store.database.turn() as db, changing(db, "shop", "ada") as number:
        await store.templates.put(a_template("eve"), replace=False)
        for _ in range(told_between):
            assert "ada" in await follower.follow()
        await db["templates"].delete_one(ADA)
        assert told_between == 0 or "ada" not in await follower.follow()  # at the next search
        await removed(db, "shop", number, {"template_id": "t-ada"})
    assert set(await follower.follow()) == {"bob", "eve"}
    assert follower.whole == 1


async def test_who_came_after_the_version_was_read_is_looked_up_again(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SecantusDB's `find_one_and_delete` returns what was there before another's update, so that a
    removal may leave another template's id (904 of 3,390 tries)."""
    follower = Follower(store)
    await follower.follow()
    reads = 0

    async def read(db: Any, client_id: str) -> GalleryVersion:
        nonlocal reads
        found, reads = await version_of(db, client_id), reads + 1
        if reads == 1:
            await store.templates.put(a_template(), replace=False)
        return found

    monkeypatch.setattr(templates, "version_of", read)
    assert "ada" in await follower.follow()
    async with store.database.turn() as db, changing(db, "shop", "ada") as number:
        await db["templates"].delete_one(ADA)
        await removed(db, "shop", number, {"template_id": "an older one"})
    assert set(await follower.follow()) == {"bob"}
    assert follower.whole == 1


async def test_a_writer_that_died_hides_nothing(store: MongoStore) -> None:
    """It wrote, and its last act never came: who was told before sees it, and so does everybody
    after a minute, when another process closes what it left."""
    await store.templates.put(a_template(), replace=False)
    before, between = Follower(store), Follower(store)
    await before.follow()
    with contextlib.suppress(asyncio.CancelledError):
        async with store.database.turn() as db, changing(db, "shop", "ada"):
            await between.follow()
            await db["templates"].delete_one(ADA)
            raise asyncio.CancelledError
    assert set(await between.follow()) == {"bob"}
    assert set(await before.follow()) == {"bob"}
    assert (await store.templates.gallery_version("shop")).open == {"ada"}

    late = Follower(store)
    await late.follow()
    await store.endings.settle()
    assert (await store.templates.gallery_version("shop")).open == {"ada"}  # it may live yet
    await store.endings.settle()
    assert (await store.templates.gallery_version("shop")).open == frozenset()
    for follower in (before, between, late):
        assert set(await follower.follow()) == {"bob"}


async def test_a_dead_writer_is_seen_by_who_read_only_before_and_after_it(
    store: MongoStore,
) -> None:
    await store.templates.put(a_template(), replace=False)
    follower = Follower(store)
    await follower.follow()
    with contextlib.suppress(asyncio.CancelledError):
        async with store.database.turn() as db, changing(db, "shop", "ada"):
            await db["templates"].delete_one(ADA)
            raise asyncio.CancelledError  # before the removal left its number
    await store.endings.settle()
    await store.endings.settle()
    assert set(await follower.follow()) == {"bob"}


async def test_who_writes_as_versions_before_did_is_seen(
    store: MongoStore, mongo: MongoBackend
) -> None:
    """They let the version grow alone, twice, and leave the vector of another template."""
    await store.templates.put(a_template(vector=b"of before"), replace=False)
    follower = Follower(store)
    await follower.follow()
    async with AsyncMongoClient[dict[str, Any]](mongo.url) as client:
        db = client[mongo.name]
        for step in ("grow", "write", "grow"):
            if step == "grow":
                await db["galleries"].update_one({"_id": "shop"}, {"$inc": {"version": 1}})
            else:
                content = content_of(replace(a_template(), template_id="t2"))
                del content["vector"]
                await db["templates"].update_one(ADA, {"$set": content})
    assert (await follower.follow())["ada"] == "t2"
    await store.forget_subject("shop", "ada")  # and this version goes on from there
    assert await follower.follow() == await all_of(store) == {"bob": "t-bob"}
    assert follower.whole == 2


async def test_a_database_of_before_goes_on(mongo: MongoBackend) -> None:
    async with AsyncMongoClient[dict[str, Any]](mongo.url) as client:
        db = client[mongo.name]
        content = content_of(a_template())
        del content["vector"]
        await db["templates"].insert_one({**ADA, **content})
        await db["galleries"].insert_one({"_id": "shop", "version": 2})
        await db["meta"].insert_one({"_id": "schema", "version": 1})
    store = mongo.store()
    await store.open()
    await store.clients.add(a_client())
    assert await store.templates.get("shop", "ada") == a_template()
    follower = Follower(store)
    assert await follower.follow() == {"ada": "t-ada"}
    await store.templates.put(a_template("bob"), replace=False)
    await store.forget_subject("shop", "ada")
    assert await follower.follow() == {"bob": "t-bob"}
    assert follower.whole == 1
