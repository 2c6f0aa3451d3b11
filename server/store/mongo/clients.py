"""The collection `clients`, and what a client owns. Not here: what the verbs mean (port.py).

A client is hidden before it is emptied, because nothing here is a transaction
(docs/decisions/no-transactions.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bson.binary import Binary
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from server.store.mongo import galleries
from server.store.mongo.database import Database
from server.store.mongo.documents import Document, utc
from server.store.port import Client, Conflict, NotFound
from server.store.relying import relying_json, relying_of


def _client(document: Mapping[str, Any]) -> Client:
    return Client(
        client_id=document["_id"],
        secret_hash=bytes(document["secret_hash"]),
        origins=tuple(document["origins"]),
        policy=document["policy"],
        created_at=document["created_at"],
        seal=None if document.get("seal") is None else bytes(document["seal"]),
        relying=relying_of(document.get("relying")),
    )


OWNED = (
    *("sessions", "templates", "anchors", "tries", "successes", "retention"),
    *("consent_texts", "logins", "access_tokens", "pushed", "seen", "invitations"),
    "fingerprints",
)
"""Collections whose documents have a client_id, and go with it. Logins before access tokens,
because whoever adds one of these looks at the login afterwards."""
OF_PEOPLE = ("authenticators", "otps", "recovery", "profiles", "invitations")
"""Those whose documents name the client whose people it is."""


class Clients:
    """The relying apps in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, client: Client) -> None:
        """Insert; `_id` finds the Conflict."""
        try:
            async with self._database.turn() as db:
                await db["clients"].insert_one(
                    {
                        "_id": client.client_id,
                        **_changing(client),
                        "policy": client.policy,
                        "created_at": utc(client.created_at),
                        "removing": False,
                    }
                )
        except DuplicateKeyError as error:
            raise Conflict("client") from error

    async def get(self, client_id: str) -> Client:
        """By `_id`."""
        async with self._database.turn() as db:
            document = await db["clients"].find_one({"_id": client_id, "removing": False})
        if document is None:
            raise NotFound("client")
        return _client(document)

    async def all(self) -> Sequence[Client]:
        """In the byte order of their ids."""
        async with self._database.turn() as db:
            documents = await db["clients"].find({"removing": False}).sort("_id").to_list()
        return [_client(document) for document in documents]

    async def change(self, was: Client, client: Client) -> None:
        """One update whose filter holds what can change."""
        there = {"_id": was.client_id, "removing": False}
        async with self._database.turn() as db:
            result = await db["clients"].update_one(
                {**there, **_changing(was)}, {"$set": _changing(client)}
            )
            if result.matched_count:
                return
            if await db["clients"].find_one(there, {"_id": 1}) is None:
                raise NotFound("client")
            raise Conflict("client")

    async def remove(self, client_id: str) -> None:
        """Hide it, remove what it owns, then itself: interrupted, the same call finishes the job.

        Every write for a client is followed by a look whether the client is still there (`owned`):
        either that look comes after the hiding, or the removal comes after the write.
        """
        async with self._database.turn(long=True) as db:
            hidden = await db["clients"].update_one(
                {"_id": client_id}, {"$set": {"removing": True}}
            )
            if not hidden.matched_count:
                raise NotFound("client")
            for name in OWNED:
                await db[name].delete_many({"client_id": client_id})
            for name in OF_PEOPLE:
                await db[name].delete_many({"people": client_id})
            await galleries.forget_client(db, client_id)
            await db["clients"].delete_one({"_id": client_id, "removing": True})


def _changing(client: Client) -> Document:
    """What `change` changes. In a filter, None finds a document without the member, too."""
    return {
        "secret_hash": Binary(client.secret_hash),
        "origins": list(client.origins),
        "relying": relying_json(client.relying),
        "seal": None if client.seal is None else Binary(client.seal),
    }


async def owned(
    db: AsyncDatabase[Document], name: str, client_id: str, written: Mapping[str, Any]
) -> None:
    """Take back what was written for a client that is not there. Raises NotFound."""
    if await db["clients"].find_one({"_id": client_id, "removing": False}, {"_id": 1}) is None:
        await db[name].delete_many(written)
        raise NotFound("client")
