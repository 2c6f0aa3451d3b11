"""The collection `seen`. Not here: what the verb means (server/store/oidc/seen.py)."""

from __future__ import annotations

import hashlib
from datetime import datetime

from bson.binary import Binary
from pymongo.errors import DuplicateKeyError

from server.store.mongo.clients import owned
from server.store.mongo.database import Database
from server.store.mongo.documents import Document, utc


class Seen:
    """The names in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def once(self, client_id: str, jti: str, until: datetime, now: datetime) -> bool:
        """Insert, or take the place of one whose time is over."""
        this: Document = {
            "client_id": client_id,
            "jti_hash": Binary(hashlib.sha256(jti.encode()).digest()),
        }
        async with self._database.turn() as db:
            try:
                await db["seen"].insert_one({**this, "expires_at": utc(until)})
            except DuplicateKeyError:
                over = {**this, "expires_at": {"$lte": utc(now)}}
                again = await db["seen"].update_one(over, {"$set": {"expires_at": utc(until)}})
                return bool(again.matched_count)
            await owned(db, "seen", client_id, this)
            return True
