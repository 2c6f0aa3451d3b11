"""What MongoDB needs because removing a client is no transaction."""

from __future__ import annotations

import pytest
from pymongo import AsyncMongoClient

from server.store.port import NotFound
from tests.server.conformance.backends import MongoBackend
from tests.server.conformance.records import a_client, a_session, a_template, everybody


async def test_an_interrupted_removal_of_a_client_can_be_finished(mongo: MongoBackend) -> None:
    store = mongo.store()
    await store.open()
    await store.clients.add(a_client())
    await store.templates.put(a_template(), replace=False)
    async with AsyncMongoClient(mongo.url) as client:  # the first step, then the server died
        await client[mongo.name]["clients"].update_one(
            {"_id": "shop"}, {"$set": {"removing": True}}
        )
    with pytest.raises(NotFound):
        await store.clients.get("shop")
    with pytest.raises(NotFound):
        await store.sessions.add(a_session())
    await store.clients.remove("shop")
    assert await everybody(store, "shop") == []
    await store.clients.add(a_client())
