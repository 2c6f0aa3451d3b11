"""The collection `otps`. Not here: what the verbs mean (server/store/oidc/otps.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bson.binary import Binary

from server.store.mongo.database import Database
from server.store.mongo.documents import Document, upsert, utc
from server.store.mongo.oidc.owners import enrolled, of
from server.store.oidc.otps import Totp
from server.store.port import Conflict, NotFound


def _totp(document: Mapping[str, Any]) -> Totp:
    return Totp(
        people=document["people"],
        subject=document["subject"],
        sealed=bytes(document["sealed"]),
        key_id=document["key_id"],
        last_step=document["last_step"],
        created_at=document["created_at"],
        used_at=document["used_at"],
    )


class Otps:
    """The secrets in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, totp: Totp) -> None:
        """Insert or overwrite by the unique index."""
        owner = of(totp.people, totp.subject)
        content: Document = {
            "sealed": Binary(totp.sealed),
            "key_id": totp.key_id,
            "last_step": totp.last_step,
            "created_at": utc(totp.created_at),
            "used_at": totp.used_at and utc(totp.used_at),
        }
        async with self._database.turn() as db:
            await upsert(db, "otps", owner, {"$set": content})
            await enrolled(db, "otps", owner, owner)

    async def get(self, people: str, subject: str) -> Totp:
        """By the unique index."""
        async with self._database.turn() as db:
            document = await db["otps"].find_one(of(people, subject))
        if document is None:
            raise NotFound("one-time password")
        return _totp(document)

    async def step(self, people: str, subject: str, step: int, at: datetime) -> None:
        """One update whose filter holds the last step."""
        change: Document = {"last_step": step, "used_at": utc(at)}
        owner = of(people, subject)
        async with self._database.turn() as db:
            before = {**owner, "last_step": {"$lt": step}}
            done = await db["otps"].update_one(before, {"$set": change})
            if done.matched_count:
                return
            found = await db["otps"].find_one(owner, {"_id": 1})
        raise NotFound("one-time password") if found is None else Conflict("step")

    async def remove(self, people: str, subject: str) -> None:
        """One removal."""
        async with self._database.turn() as db:
            gone = await db["otps"].delete_one(of(people, subject))
        if not gone.deleted_count:
            raise NotFound("one-time password")

    async def of_people(self, people: str, *, after: str, most: int) -> Sequence[Totp]:
        """By the unique index, in the byte order of their subjects."""
        behind: Document = {"people": people, "subject": {"$gt": after}}
        async with self._database.turn() as db:
            found = await db["otps"].find(behind).sort("subject").to_list(most)
        return [_totp(document) for document in found]

    async def reseal(self, was: Totp, sealed: bytes, key_id: str) -> bool:
        """A compare-and-set on what was sealed."""
        before = {**of(was.people, was.subject), "sealed": Binary(was.sealed)}
        change = {"sealed": Binary(sealed), "key_id": key_id}
        async with self._database.turn() as db:
            done = await db["otps"].update_one(before, {"$set": change})
        return bool(done.matched_count)
