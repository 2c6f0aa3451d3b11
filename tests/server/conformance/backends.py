"""The databases that the suite runs against: SQLite, SecantusDB over the wire, a real MongoDB, and
by `--store ferretdb` FerretDB in place of these."""

from __future__ import annotations

import secrets
from pathlib import Path

import bson
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from server.store.mongo.documents import Document
from server.store.mongo.schema import INDEXES, check_version
from server.store.mongo.store import MongoStore
from server.store.port import Store
from server.store.sqlite.store import SqliteStore
from server.store.tries import LIMITS, Limits


class Backend:
    """A fresh, empty database. `store()` makes another Store on it, as another process would."""

    kind: str

    def __init__(self) -> None:
        self._opened: list[Store] = []

    def store(self, limits: Limits = LIMITS) -> Store:
        """Not opened yet; closed at the end of the test."""
        store = self._make(limits)
        self._opened.append(store)
        return store

    def _make(self, limits: Limits) -> Store:
        raise NotImplementedError

    async def raw(self) -> bytes:
        """Every byte that is stored."""
        raise NotImplementedError

    async def destroy(self) -> None:
        for store in self._opened:
            await store.close()


class SqliteBackend(Backend):
    kind = "sqlite"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def _make(self, limits: Limits) -> Store:
        return SqliteStore(self.path, limits=limits)

    async def raw(self) -> bytes:
        return b"".join(file.read_bytes() for file in self.path.parent.glob(self.path.name + "*"))


class MongoBackend(Backend):
    kind = "mongo"

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.name = f"lookgate_test_{secrets.token_hex(6)}"

    def _make(self, limits: Limits) -> Store:
        return MongoStore(self.url, database=self.name, limits=limits)

    async def raw(self) -> bytes:
        found = []
        async with AsyncMongoClient(self.url) as client:
            db = client[self.name]
            for collection in await db.list_collection_names():
                found += [bson.encode(document) async for document in db[collection].find()]
        return b"".join(found)

    async def destroy(self) -> None:
        await super().destroy()
        async with AsyncMongoClient(self.url) as client:
            await client.drop_database(self.name)


class FerretBackend(MongoBackend):
    """FerretDB 1.24, which a store refuses to open (tests/peers/test_ferretdb.py): here opened
    without what the refusal is about."""

    def _make(self, limits: Limits) -> Store:
        return MongoStore(self.url, database=self.name, prepare=_prepare_what_it_has, limits=limits)


async def _prepare_what_it_has(db: AsyncDatabase[Document]) -> None:
    await check_version(db)
    for collection, index in INDEXES:
        if "expireAfterSeconds" not in index.document:
            await db[collection].create_indexes([index])
