"""What is MongoDB's own: outages, limits, turns. What every store must do is in conformance/.

What SecantusDB does not prove is written in tests/server/conformance/secantus.py.
"""

from __future__ import annotations

import asyncio
import time

import pytest
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import OperationFailure
from pymongo.results import UpdateResult

from server.store.mongo.database import AT_ONCE, fault_of
from server.store.mongo.documents import Document
from server.store.mongo.schema import check_one_winner
from server.store.mongo.store import MongoStore
from server.store.port import Broken, Unavailable
from tests.server.conformance.backends import MongoBackend
from tests.server.conformance.records import NOW, TICKET, a_client, a_session, a_template, everybody
from tests.server.conformance.secantus import Secantus
from tests.server.failing import failed, failures

# The driver (4.20) leaves a socket to the garbage collector when it is cancelled while it connects.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*<socket.socket:pytest.PytestUnraisableExceptionWarning"
)


async def available(store: MongoStore) -> None:
    """Return when it answers again, by itself."""
    deadline_s = time.monotonic() + 15
    while True:
        try:
            return await store.check(NOW)
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
            store.check(NOW),
            store.sessions.claim("s1", TICKET, NOW),
            store.templates.get("shop", "x"),
        ]
        calls += [everybody(store, "shop"), store.sweep(NOW)]
        calls += [failed(store, "shop", "ada", NOW) for _ in range(3 * AT_ONCE)]
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
            await failed(store, "shop", "ada", NOW)
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
            await store.check(NOW)
        own_secantus.start()
        store = MongoStore(own_secantus.url)
        await store.open()
        await store.check(NOW)
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


async def test_a_check_writes_and_leaves_nothing(mongo: MongoBackend) -> None:
    store = mongo.store()
    await store.open()
    async with AsyncMongoClient(mongo.url) as client:
        assert await client[mongo.name]["sessions"].count_documents({}) == 0
        await store.check(NOW)
        assert await client[mongo.name]["sessions"].count_documents({}) == 0


def test_a_refused_password_or_a_lack_is_broken_and_an_election_is_down() -> None:
    broken_or_down = {13: True, 18: True, 238: True, 10107: False, 189: False, None: False}
    for code, broken in broken_or_down.items():
        found = fault_of(OperationFailure("user operator, hunter2", code))
        assert isinstance(found, Broken) is broken
        assert "hunter2" not in str(found)
        assert str(code or "OperationFailure") in str(found)


async def test_a_database_in_which_several_win_is_not_opened(mongo: MongoBackend) -> None:
    """As FerretDB 1.24 is in fact: tests/peers/test_ferretdb.py. Here each update forgets what it
    expects."""

    class Forgetful:
        def __init__(self, collection: AsyncCollection[Document]) -> None:
            self.insert_one = collection.insert_one
            self.delete_one = collection.delete_one
            self._collection = collection

        async def update_one(self, expected: Document, change: Document) -> UpdateResult:
            return await self._collection.update_one({"_id": expected["_id"]}, change)

    async with AsyncMongoClient(mongo.url) as client:
        sessions = client[mongo.name]["sessions"]
        await check_one_winner(client[mongo.name])
        with pytest.raises(Broken, match="10 of 10 callers won"):
            await check_one_winner({"sessions": Forgetful(sessions)})  # type: ignore[arg-type]
        assert await sessions.count_documents({}) == 0


async def test_a_cancelled_call_gives_its_turn_back(mongo: MongoBackend) -> None:
    store = mongo.store()
    await store.open()
    await store.clients.add(a_client())
    for _ in range(2):
        calls = [
            asyncio.ensure_future(failed(store, "shop", "ada", NOW)) for _ in range(2 * AT_ONCE)
        ]
        await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.gather(*(store.check(NOW) for _ in range(2 * AT_ONCE)))
    await failed(store, "shop", "bob", NOW)
    assert await failures(store, "shop", "bob") == 1
