"""The collection `fingerprints`. Not here: what the verbs mean (server/store/fingerprints.py)."""

from __future__ import annotations

from collections.abc import Sequence

from bson.binary import Binary
from pymongo import DESCENDING
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from server.store.fingerprints import Fingerprint
from server.store.mongo.database import Database
from server.store.mongo.documents import Document, utc
from server.store.mongo.sessions import FORGET
from server.store.port import Conflict, NotFound

_NEWEST = [("created_at", DESCENDING), ("_id", DESCENDING)]


class Fingerprints:
    """Fingerprints in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, fingerprint: Fingerprint, *, most: int) -> None:
        """Insert, then look whether the session is there; a removal takes sessions first, so that
        either it finds this or this finds no session. Then what is too many goes."""
        one = fingerprint
        document: Document = {
            "_id": one.session_id,
            "client_id": one.client_id,
            "subject": one.subject,
            "created_at": utc(one.created_at),
            "expires_at": utc(one.expires_at),
            "accepted": one.accepted,
            "key_id": one.key_id,
            "sealed": Binary(one.sealed),
        }
        there: Document = {"_id": one.session_id, FORGET: {"$exists": False}}
        pool = {"client_id": one.client_id, "subject": one.subject, "accepted": one.accepted}
        async with self._database.turn() as db:
            try:
                await db["fingerprints"].insert_one(document)
            except DuplicateKeyError as error:
                raise Conflict("fingerprint") from error
            if await db["sessions"].find_one(there, {"_id": 1}) is None:
                await db["fingerprints"].delete_one({"_id": one.session_id})
                raise NotFound("session")
            found = db["fingerprints"].find(pool, {"_id": 1}).sort(_NEWEST).skip(most)
            old = [document["_id"] async for document in found]
            if old:
                await db["fingerprints"].delete_many({"_id": {"$in": old}})

    async def of_subject(self, client_id: str, subject: str) -> Sequence[Fingerprint]:
        """By the index of its owner."""
        whose = {"client_id": client_id, "subject": subject}
        async with self._database.turn() as db:
            documents = await db["fingerprints"].find(whose).sort(_NEWEST).to_list()
        return [
            Fingerprint(
                session_id=document["_id"],
                client_id=document["client_id"],
                subject=document["subject"],
                created_at=document["created_at"],
                expires_at=document["expires_at"],
                accepted=document["accepted"],
                key_id=document["key_id"],
                sealed=bytes(document["sealed"]),
            )
            for document in documents
        ]

    async def forget_others(self, key_id: str) -> int:
        """One removal."""
        async with self._database.turn(long=True) as db:
            gone = await db["fingerprints"].delete_many({"key_id": {"$ne": key_id}})
        return gone.deleted_count


async def forget(db: AsyncDatabase[Document], client_id: str, subject: str) -> int:
    """Remove a subject's; how many. Their sessions are gone already."""
    gone = await db["fingerprints"].delete_many({"client_id": client_id, "subject": subject})
    return gone.deleted_count
