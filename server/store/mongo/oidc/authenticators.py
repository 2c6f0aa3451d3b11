"""The collection `authenticators`. Not here: what the verbs mean
(server/store/oidc/authenticators.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bson.binary import Binary
from pymongo.errors import DuplicateKeyError

from server.store.mongo.database import Database
from server.store.mongo.documents import Document, utc
from server.store.mongo.oidc.owners import enrolled, of
from server.store.oidc.authenticators import Authenticator, grows
from server.store.port import Conflict, NotFound


def _authenticator(document: Mapping[str, Any]) -> Authenticator:
    return Authenticator(
        key_id=document["_id"],
        people=document["people"],
        subject=document["subject"],
        user_handle=bytes(document["user_handle"]),
        public_key=bytes(document["public_key"]),
        kind=document["kind"],
        sign_count=document["sign_count"],
        created_at=document["created_at"],
        used_at=document["used_at"],
        name=document["name"],
    )


class Authenticators:
    """The keys that people hold in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, authenticator: Authenticator) -> None:
        """Insert; `_id` finds the Conflict."""
        this = {"_id": authenticator.key_id}
        owner = of(authenticator.people, authenticator.subject)
        document = {
            **this,
            **owner,
            "user_handle": Binary(authenticator.user_handle),
            "public_key": Binary(authenticator.public_key),
            "kind": authenticator.kind,
            "sign_count": authenticator.sign_count,
            "created_at": utc(authenticator.created_at),
            "used_at": authenticator.used_at and utc(authenticator.used_at),
            "name": authenticator.name,
        }
        try:
            async with self._database.turn() as db:
                await db["authenticators"].insert_one(document)
                await enrolled(db, "authenticators", owner, this)
        except DuplicateKeyError as error:
            raise Conflict("key") from error

    async def get(self, key_id: str) -> Authenticator:
        """By `_id`."""
        async with self._database.turn() as db:
            document = await db["authenticators"].find_one({"_id": key_id})
        if document is None:
            raise NotFound("key")
        return _authenticator(document)

    async def of_subject(self, people: str, subject: str) -> Sequence[Authenticator]:
        """By the index of subjects."""
        return await self._all(of(people, subject))

    async def of_handle(self, user_handle: bytes) -> Sequence[Authenticator]:
        """By the index of handles."""
        return await self._all({"user_handle": Binary(user_handle)})

    async def _all(self, which: Document) -> Sequence[Authenticator]:
        async with self._database.turn() as db:
            found = db["authenticators"].find(which).sort([("created_at", 1), ("_id", 1)])
            return [_authenticator(document) async for document in found]

    async def use(self, key_id: str, was_count: int, now_count: int, at: datetime) -> None:
        """One update whose filter holds the count."""
        change: Document = {"sign_count": now_count, "used_at": utc(at)}
        expected: Document = {"_id": key_id, "sign_count": was_count}
        async with self._database.turn() as db:
            if grows(was_count, now_count):
                done = await db["authenticators"].update_one(expected, {"$set": change})
                if done.matched_count:
                    return
            found = await db["authenticators"].find_one({"_id": key_id}, {"_id": 1})
        raise NotFound("key") if found is None else Conflict("key")

    async def remove(self, people: str, subject: str, key_id: str) -> None:
        """One removal."""
        async with self._database.turn() as db:
            gone = await db["authenticators"].delete_one({"_id": key_id, **of(people, subject)})
        if not gone.deleted_count:
            raise NotFound("key")
