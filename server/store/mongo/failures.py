"""The collection `failures`. Not here: what the verbs mean (port.py)."""

from __future__ import annotations

from datetime import datetime

from pymongo.asynchronous.database import AsyncDatabase

from server.store.mongo.clients import owned
from server.store.mongo.database import Database
from server.store.mongo.documents import Document, upsert, utc


class Failures:
    """Failed logins in a row, in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, client_id: str, subject: str, now: datetime) -> int:
        """Add, then look: with others counting at the same time it may say their count, never less
        than one's own."""
        owner = {"client_id": client_id, "subject": subject}
        async with self._database.turn() as db:
            await upsert(db, "failures", owner, {"$inc": {"n": 1}, "$max": {"last_at": utc(now)}})
            await owned(db, "failures", client_id, owner)
            document = await db["failures"].find_one(owner)
        return int(document["n"]) if document else 1

    async def count(self, client_id: str, subject: str) -> tuple[int, datetime | None]:
        """By the unique index; (0, None) if there is no document."""
        async with self._database.turn() as db:
            document = await db["failures"].find_one({"client_id": client_id, "subject": subject})
        return (int(document["n"]), document["last_at"]) if document else (0, None)

    async def clear(self, client_id: str, subject: str) -> None:
        """Remove the document."""
        async with self._database.turn() as db:
            await forget(db, client_id, subject)


async def forget(db: AsyncDatabase[Document], client_id: str, subject: str) -> None:
    """Remove a subject's count."""
    await db["failures"].delete_many({"client_id": client_id, "subject": subject})
