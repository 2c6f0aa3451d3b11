"""The collection `pushed`. Not here: what the verbs mean (server/store/oidc/pushed.py)."""

from __future__ import annotations

from datetime import datetime

from bson.binary import Binary
from pymongo.errors import DuplicateKeyError

from server.store.mongo.clients import owned
from server.store.mongo.database import Database
from server.store.mongo.documents import Document, utc
from server.store.oidc.pushed import Pushed
from server.store.port import Conflict, NotFound


class PushedRequests:
    """The pushed requests in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, pushed: Pushed) -> None:
        """Insert; `_id` finds the Conflict."""
        this = {"_id": Binary(pushed.uri_hash)}
        document = {
            **this,
            "client_id": pushed.client_id,
            "request": pushed.request,
            "expires_at": utc(pushed.expires_at),
        }
        try:
            async with self._database.turn() as db:
                await db["pushed"].insert_one(document)
                await owned(db, "pushed", pushed.client_id, this)
        except DuplicateKeyError as error:
            raise Conflict("pushed request") from error

    async def take(self, uri_hash: bytes, client_id: str, now: datetime) -> Pushed:
        """Read it, then remove it: that is done for one caller."""
        this: Document = {
            "_id": Binary(uri_hash),
            "client_id": client_id,
            "expires_at": {"$gt": utc(now)},
        }
        async with self._database.turn() as db:
            document = await db["pushed"].find_one(this)
            if document is None or not (await db["pushed"].delete_one(this)).deleted_count:
                raise NotFound("pushed request")
        return Pushed(uri_hash, client_id, document["request"], document["expires_at"])
