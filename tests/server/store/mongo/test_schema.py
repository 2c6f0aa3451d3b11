"""The version of a MongoDB database and its indexes."""

from __future__ import annotations

import pytest
from pymongo import AsyncMongoClient

from server.store.mongo.schema import SCHEMA_VERSION
from server.store.port import Unavailable, WrongSchema
from tests.server.conformance.backends import MongoBackend
from tests.server.conformance.records import NOW


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


async def test_indexes_keep_owners_unique_and_clean_up_sessions(mongo: MongoBackend) -> None:
    await mongo.store().open()
    async with AsyncMongoClient(mongo.url) as client:
        db = client[mongo.name]
        for name in ("templates", "failures"):
            made = await db[name].index_information()
            assert made["client_id_1_subject_1"]["unique"] is True
        made = await db["sessions"].index_information()
        assert made["expires_at_1"]["expireAfterSeconds"] == 86400
