"""The collection `failures`. Not here: what the verbs mean (port.py)."""

from __future__ import annotations

from datetime import datetime

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from server.store.mongo.clients import owned
from server.store.mongo.database import Database
from server.store.mongo.documents import TRIES, Document, upsert, utc

REMEMBERED = 8
"""Sessions whose failure was counted: a server that died may have counted one and not said so."""


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


async def count_once(
    db: AsyncDatabase[Document], owner: Document, session_id: str, at: datetime
) -> int:
    """Count a session's failure, unless it is among the last that were counted; how many in a row.

    Raises NotFound: no such client.
    """
    uncounted = {**owner, "counted": {"$ne": session_id}}
    change = {
        "$inc": {"n": 1},
        "$max": {"last_at": at},
        "$push": {"counted": {"$each": [session_id], "$slice": -REMEMBERED}},
    }
    for _ in range(TRIES):
        try:
            await db["failures"].update_one(uncounted, change, upsert=True)
            break
        except DuplicateKeyError:  # counted before, or another made the document just now
            if await db["failures"].find_one({**owner, "counted": session_id}) is not None:
                break
    await owned(db, "failures", owner["client_id"], owner)
    document = await db["failures"].find_one(owner)
    return int(document["n"]) if document else 1


async def forget(db: AsyncDatabase[Document], client_id: str, subject: str) -> int:
    """Remove a subject's count; how many documents."""
    gone = await db["failures"].delete_many({"client_id": client_id, "subject": subject})
    return gone.deleted_count
