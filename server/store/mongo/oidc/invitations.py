"""The collection `invitations`. Not here: what the verbs mean
(server/store/oidc/invitations.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bson.binary import Binary
from pymongo.errors import DuplicateKeyError

from server.store.mongo.clients import owned
from server.store.mongo.database import Database
from server.store.mongo.documents import Document, utc
from server.store.mongo.oidc.owners import of
from server.store.oidc.invitations import Invitation
from server.store.port import Conflict, NotFound


def _invitation(document: Mapping[str, Any]) -> Invitation:
    return Invitation(
        token_hash=bytes(document["_id"]),
        client_id=document["client_id"],
        people=document["people"],
        subject=document["subject"],
        profile=None if document["profile"] is None else bytes(document["profile"]),
        key_id=document["key_id"],
        return_url=document["return_url"],
        kind=document["kind"],
        created_at=document["created_at"],
        expires_at=document["expires_at"],
    )


class Invitations:
    """The invitations in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, invitation: Invitation) -> None:
        """Insert; `_id` finds the Conflict."""
        this = {"_id": Binary(invitation.token_hash)}
        document = {
            **this,
            "client_id": invitation.client_id,
            "people": invitation.people,
            "subject": invitation.subject,
            "profile": None if invitation.profile is None else Binary(invitation.profile),
            "key_id": invitation.key_id,
            "return_url": invitation.return_url,
            "kind": invitation.kind,
            "created_at": utc(invitation.created_at),
            "expires_at": utc(invitation.expires_at),
        }
        try:
            async with self._database.turn() as db:
                await db["invitations"].insert_one(document)
                for client_id in {invitation.client_id, invitation.people}:
                    await owned(db, "invitations", client_id, this)
        except DuplicateKeyError as error:
            raise Conflict("invitation") from error

    async def get(self, token_hash: bytes, now: datetime) -> Invitation:
        """By `_id`; an expired one is absent."""
        this: Document = {"_id": Binary(token_hash), "expires_at": {"$gt": utc(now)}}
        async with self._database.turn() as db:
            document = await db["invitations"].find_one(this)
        if document is None:
            raise NotFound("invitation")
        return _invitation(document)

    async def use(self, token_hash: bytes, now: datetime) -> Invitation:
        """Read it, then remove it: that is done for one caller."""
        this: Document = {"_id": Binary(token_hash), "expires_at": {"$gt": utc(now)}}
        async with self._database.turn() as db:
            document = await db["invitations"].find_one(this)
            if document is None or not (await db["invitations"].delete_one(this)).deleted_count:
                raise NotFound("invitation")
        return _invitation(document)

    async def of_subject(self, people: str, subject: str) -> Sequence[Invitation]:
        """By the index of subjects."""
        async with self._database.turn() as db:
            found = db["invitations"].find(of(people, subject))
            documents = await found.sort([("created_at", 1), ("_id", 1)]).to_list()
        return [_invitation(document) for document in documents]

    async def of_people(self, people: str, *, after: bytes, most: int) -> Sequence[Invitation]:
        """By `_id`. All hashes have one length, by which BSON sorts first."""
        behind: Document = {"people": people}
        if after:
            behind["_id"] = {"$gt": Binary(after)}
        async with self._database.turn() as db:
            found = await db["invitations"].find(behind).sort("_id").to_list(most)
        return [_invitation(document) for document in found]

    async def reseal(self, was: Invitation, profile: bytes, key_id: str) -> bool:
        """A compare-and-set on what was sealed."""
        if was.profile is None:
            return False
        before = {"_id": Binary(was.token_hash), "profile": Binary(was.profile)}
        change = {"profile": Binary(profile), "key_id": key_id}
        async with self._database.turn() as db:
            done = await db["invitations"].update_one(before, {"$set": change})
        return bool(done.matched_count)
