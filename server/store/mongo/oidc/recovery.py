"""The collection `recovery`: a document a person, with a list of hashes. Not here: what the verbs
mean (server/store/oidc/recovery.py)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bson.binary import Binary

from server.store.mongo.database import Database
from server.store.mongo.documents import Document, upsert, utc
from server.store.mongo.oidc.owners import enrolled, of
from server.store.port import NotFound


class RecoveryCodes:
    """The recovery codes in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, people: str, subject: str, hashes: Sequence[bytes]) -> None:
        """Overwrite the document, or remove it."""
        owner = of(people, subject)
        content: Document = {"hashes": [Binary(one) for one in hashes], "used_at": None}
        async with self._database.turn() as db:
            if hashes:
                await upsert(db, "recovery", owner, {"$set": content})
                await enrolled(db, "recovery", owner, owner)
            else:
                await db["recovery"].delete_one(owner)

    async def use(self, people: str, subject: str, code_hash: bytes, at: datetime) -> None:
        """One update whose filter holds the hash that it takes out."""
        this = {"hashes": Binary(code_hash)}
        change: Document = {"$pull": this, "$set": {"used_at": utc(at)}}
        async with self._database.turn() as db:
            done = await db["recovery"].update_one({**of(people, subject), **this}, change)
        if not done.matched_count:
            raise NotFound("recovery code")

    async def left(self, people: str, subject: str) -> int:
        """By the unique index."""
        async with self._database.turn() as db:
            document = await db["recovery"].find_one(of(people, subject), {"hashes": 1})
        return len(document["hashes"]) if document else 0

    async def used_at(self, people: str, subject: str) -> datetime | None:
        """By the unique index."""
        async with self._database.turn() as db:
            document = await db["recovery"].find_one(of(people, subject), {"used_at": 1})
        at: datetime | None = document["used_at"] if document else None
        return at
