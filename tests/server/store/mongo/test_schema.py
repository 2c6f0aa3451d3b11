"""The version of a MongoDB database and its indexes."""

from __future__ import annotations

import pytest
from pymongo import AsyncMongoClient

from server.store.mongo.schema import SCHEMA_VERSION
from server.store.port import Unavailable, WrongSchema
from server.store.tries import Tally
from tests.server.conformance.backends import MongoBackend
from tests.server.conformance.records import NOW, a_client, a_template
from tests.server.failing import strangers


async def test_a_newer_schema_is_refused(mongo: MongoBackend) -> None:
    store = mongo.store()
    await store.open()
    await store.close()
    async with AsyncMongoClient(mongo.url) as client:
        await client[mongo.name]["meta"].update_one(
            {"_id": "schema"}, {"$set": {"version": SCHEMA_VERSION + 1}}
        )
    with pytest.raises(WrongSchema):
        await store.open()
    with pytest.raises(Unavailable):
        await store.check(NOW)


async def test_indexes_keep_owners_unique(mongo: MongoBackend) -> None:
    await mongo.store().open()
    async with AsyncMongoClient(mongo.url) as client:
        db = client[mongo.name]
        made = await db["templates"].index_information()
        assert made["client_id_1_subject_1"]["unique"] is True
        made = await db["tries"].index_information()
        assert made["client_id_1_kind_1_key_1"]["unique"] is True


async def test_failures_of_a_version_before_become_strangers_tries(mongo: MongoBackend) -> None:
    """But for names that nobody has."""
    store = mongo.store()
    await store.open()
    await store.clients.add(a_client())
    await store.templates.put(a_template(), replace=False)
    async with AsyncMongoClient(mongo.url) as client:
        old = client[mongo.name]["failures"]
        for subject in ("ada", "hunter2"):
            await old.insert_one({"client_id": "shop", "subject": subject, "n": 3, "last_at": NOW})
        await store.close()
        await store.open()
        assert await old.count_documents({}) == 0
    assert await store.tries.tally(strangers("shop", "ada")) == Tally(3, 3, NOW, NOW)
    assert b"hunter2" not in await mongo.raw()


async def test_an_index_that_removes_sessions_by_the_databases_clock_is_dropped(
    mongo: MongoBackend,
) -> None:
    """Older versions had one."""
    async with AsyncMongoClient(mongo.url) as client:
        sessions = client[mongo.name]["sessions"]
        await sessions.create_index("expires_at", expireAfterSeconds=86400)
        for _ in range(2):
            await mongo.store().open()
            made = await sessions.index_information()
            assert not [name for name, one in made.items() if "expireAfterSeconds" in one]
            assert "expires_at_1_client_id_1" in made
