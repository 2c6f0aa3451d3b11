"""The collections `retention` and `successes`, and the clock in `meta`. Not here: what the verbs
mean (server/store/retention.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pymongo.asynchronous.database import AsyncDatabase

from server.store.mongo.clients import owned
from server.store.mongo.database import Database
from server.store.mongo.documents import Document, upsert, utc
from server.store.retention import ClockStand, Periods

AT_ONCE = 1000
"""Subjects that are asked about in one query."""


class Retention:
    """Periods, last successes and the clock in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def set(self, client_id: str, periods: Periods) -> None:
        """Insert or overwrite, then look whether the client is there."""
        change: Document = {
            "client_id": client_id,
            "templates": periods.templates,
            "sessions": periods.sessions,
            "tapes": periods.tapes,
            "since": _utc(periods.since),
        }
        async with self._database.turn() as db:
            await upsert(db, "retention", {"_id": client_id}, {"$set": change})
            await owned(db, "retention", client_id, {"_id": client_id})

    async def all(self) -> Mapping[str, Periods]:
        """In the byte order of their ids."""
        async with self._database.turn() as db:
            found = await db["retention"].find({}).sort("_id").to_list()
        return {
            one["_id"]: Periods(one["templates"], one["sessions"], one["tapes"], one["since"])
            for one in found
        }

    async def last_success(self, client_id: str, subject: str) -> datetime | None:
        """By the unique index."""
        whose = {"client_id": client_id, "subject": subject}
        async with self._database.turn() as db:
            found = await db["successes"].find_one(whose, {"at": 1})
        at: datetime | None = None if found is None else found["at"]
        return at

    async def unused(self, client_id: str, before: datetime) -> Sequence[str]:
        """Older templates, less those that were used since, some at a time."""
        older: Document = {"client_id": client_id, "created_at": {"$lt": utc(before)}}
        found: list[str] = []
        async with self._database.turn(long=True) as db:
            rows = await db["templates"].find(older, {"subject": 1}).sort("subject").to_list()
            subjects = [row["subject"] for row in rows]
            for start in range(0, len(subjects), AT_ONCE):
                some = subjects[start : start + AT_ONCE]
                since: Document = {"client_id": client_id, "at": {"$gte": utc(before)}}
                since["subject"] = {"$in": some}
                used = {
                    row["subject"]
                    async for row in db["successes"].find(since, {"_id": 0, "subject": 1})
                }
                found += [subject for subject in some if subject not in used]
        return found

    async def expired_sessions(self, client_id: str, before: datetime) -> int:
        """By the index of their expiry."""
        async with self._database.turn(long=True) as db:
            return await db["sessions"].count_documents(_expired(client_id, before))

    async def remove_sessions(self, client_id: str, before: datetime) -> int:
        """One removal, and one of what was kept of them."""
        async with self._database.turn(long=True) as db:
            gone = await db["sessions"].delete_many(_expired(client_id, before))
            await db["fingerprints"].delete_many(_expired(client_id, before))
        return gone.deleted_count

    async def clock(self) -> ClockStand | None:
        """The one document."""
        async with self._database.turn() as db:
            found = await db["meta"].find_one({"_id": "clock"})
        if found is None:
            return None
        return ClockStand(found["believed_at"], found["doubted_since"], found["seen_at"])

    async def keep_clock(self, stand: ClockStand) -> None:
        """Overwrite it."""
        change = {
            "believed_at": utc(stand.believed_at),
            "doubted_since": _utc(stand.doubted_since),
            "seen_at": _utc(stand.seen_at),
        }
        async with self._database.turn() as db:
            await upsert(db, "meta", {"_id": "clock"}, {"$set": change})


async def succeeded(db: AsyncDatabase[Document], owner: Mapping[str, str], at: datetime) -> None:
    """A face was accepted as the subject's."""
    await upsert(db, "successes", owner, {"$max": {"at": utc(at)}})


async def forget(db: AsyncDatabase[Document], client_id: str, subject: str) -> int:
    """Remove a subject's last success; how many documents."""
    gone = await db["successes"].delete_many({"client_id": client_id, "subject": subject})
    return gone.deleted_count


def _expired(client_id: str, before: datetime) -> Document:
    return {"client_id": client_id, "expires_at": {"$lt": utc(before)}}


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else utc(moment)
