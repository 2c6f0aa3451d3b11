"""FerretDB is refused, by name and for what it does not hold. What it holds otherwise is shown by
the store's suite, which `make test-peers` runs against it with `--store ferretdb`."""

from __future__ import annotations

import secrets

import pytest
from pymongo import AsyncMongoClient

from server.store.mongo.schema import check_one_winner
from server.store.mongo.store import MongoStore
from server.store.port import Broken
from tests.peers.ferretdb_server import FerretDB, ferretdb

__all__ = ["ferretdb"]


async def test_a_store_does_not_open_it_and_says_why(ferretdb: FerretDB) -> None:
    store = MongoStore(ferretdb.url, database=f"refused_{secrets.token_hex(6)}")
    with pytest.raises(Broken, match="callers won one update"):
        await store.open()
    await store.close()


async def test_several_of_its_callers_win_one_update(ferretdb: FerretDB) -> None:
    async with AsyncMongoClient(ferretdb.url) as client:
        with pytest.raises(Broken, match="callers won one update"):
            await check_one_winner(client[f"race_{secrets.token_hex(6)}"])
