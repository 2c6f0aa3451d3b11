"""What is MongoDB's own: outages, indexes, limits.

Run over the wire protocol against SecantusDB, which is not MongoDB. It does not prove: failover and
elections, rollback of what a majority did not get, lock behaviour and conflicts under load, which
index the planner takes, when the TTL monitor runs, speed, sharding, authentication corner cases,
upgrades. Set MONGODB_URI to run test_store.py against a real server, too.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from pymongo import AsyncMongoClient

from server.store.mongo.database import AT_ONCE
from server.store.mongo.schema import SCHEMA_VERSION
from server.store.mongo.store import MongoStore
from server.store.port import NotFound, Unavailable, WrongSchema
from tests.server.conformance.backends import MongoBackend, Secantus
from tests.server.conformance.records import NOW, TICKET, a_client, a_session, a_template

# The driver (4.20) leaves a socket to the garbage collector when it is cancelled while it connects.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*<socket.socket:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def told_here() -> Iterator[None]:
    """What was left open is told at the end of its test, not in some later one."""
    yield
    gc.collect()


@pytest.fixture
async def mongo(secantus: Secantus) -> MongoBackend:
    return MongoBackend(secantus.url)


@pytest.mark.skipif(
    not os.environ.get("MONGODB_URI"),
    reason="no real MongoDB here: test_store.py ran against SQLite and SecantusDB only;"
    " set MONGODB_URI to run it against one",
)
async def test_a_real_mongodb_takes_part() -> None:
    async with AsyncMongoClient(os.environ["MONGODB_URI"]) as client:
        assert "secantus" not in str(await client.admin.command("buildInfo")).lower()


async def available(store: MongoStore) -> None:
    """Return when it answers again, by itself."""
    deadline_s = time.monotonic() + 15
    while True:
        try:
            return await store.ping()
        except Unavailable:
            assert time.monotonic() < deadline_s


async def test_an_outage_is_told_soon_and_ends_by_itself(own_secantus: Secantus) -> None:
    store = MongoStore(own_secantus.url)
    await store.open()
    try:
        await store.clients.add(a_client())
        await store.sessions.add(a_session())
        await store.templates.put(a_template(), replace=False)
        own_secantus.stop()

        began_s = time.monotonic()
        calls = [
            store.ping(),
            store.sessions.claim("s1", TICKET, NOW),
            store.templates.get("shop", "x"),
        ]
        calls += [store.templates.of_client("shop"), store.sweep(NOW)]
        calls += [store.failures.add("shop", "ada", NOW) for _ in range(3 * AT_ONCE)]
        told = await asyncio.gather(*calls, return_exceptions=True)
        assert time.monotonic() - began_s < 4
        assert {type(answer) for answer in told} == {Unavailable}

        own_secantus.start()
        await available(store)
        # What was acknowledged before is still there, and the ticket was not used up.
        assert await store.templates.get("shop", "ada") == a_template()
        assert (await store.sessions.claim("s1", TICKET, NOW)).state == "live"
    finally:
        await store.close()


async def test_a_server_that_hangs_is_told_soon(own_secantus: Secantus) -> None:
    store = MongoStore(own_secantus.url, wait_s=1.0)
    await store.open()
    try:
        await store.clients.add(a_client())
        own_secantus.hang()
        began_s = time.monotonic()
        with pytest.raises(Unavailable):
            await store.clients.get("shop")
        with pytest.raises(Unavailable):
            await store.failures.add("shop", "ada", NOW)
        assert time.monotonic() - began_s < 4
        own_secantus.go_on()
        await available(store)
        assert await store.clients.get("shop") == a_client()
    finally:
        own_secantus.go_on()
        await store.close()


async def test_it_opens_once_the_server_is_there(own_secantus: Secantus) -> None:
    own_secantus.stop()
    store = MongoStore(own_secantus.url, wait_s=0.3)
    try:
        with pytest.raises(Unavailable):
            await store.open()
        with pytest.raises(Unavailable):
            await store.ping()
        own_secantus.start()
        store = MongoStore(own_secantus.url)
        await store.open()
        await store.ping()
    finally:
        await store.close()


async def test_a_message_about_an_outage_holds_no_password() -> None:
    store = MongoStore("mongodb://operator:hunter2@127.0.0.1:1/lookgate", wait_s=0.3)
    with pytest.raises(Unavailable) as caught:
        await store.open()
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ValueError, match="connection string") as refused:
        await MongoStore("mongodb://operator:hunter2@host:port/").open()
    assert "hunter2" not in str(refused.value)


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
        await store.ping()
    await mongo.destroy()


async def test_indexes_keep_owners_unique_and_clean_up_sessions(mongo: MongoBackend) -> None:
    await mongo.store().open()
    async with AsyncMongoClient(mongo.url) as client:
        db = client[mongo.name]
        for name in ("templates", "failures"):
            made = await db[name].index_information()
            assert made["client_id_1_subject_1"]["unique"] is True
        made = await db["sessions"].index_information()
        assert made["expires_at_1"]["expireAfterSeconds"] == 86400
    await mongo.destroy()


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
    assert await store.templates.of_client("shop") == []
    await store.clients.add(a_client())
    await mongo.destroy()


async def test_a_cancelled_call_gives_its_turn_back(mongo: MongoBackend) -> None:
    store = mongo.store()
    await store.open()
    await store.clients.add(a_client())
    for _ in range(2):
        calls = [
            asyncio.ensure_future(store.failures.add("shop", "ada", NOW))
            for _ in range(2 * AT_ONCE)
        ]
        await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.gather(*(store.ping() for _ in range(2 * AT_ONCE)))
    before, _ = await store.failures.count("shop", "bob")
    assert await store.failures.add("shop", "bob", NOW + timedelta(1)) == before + 1
    await mongo.destroy()
