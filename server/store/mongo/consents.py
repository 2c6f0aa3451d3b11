"""The collection `consent_texts`. Not here: what the verbs mean (server/store/consents.py)."""

from __future__ import annotations

from collections.abc import Sequence

from pymongo import DESCENDING
from pymongo.errors import DuplicateKeyError

from server.store.consents import ConsentText
from server.store.mongo.clients import owned
from server.store.mongo.database import Database
from server.store.mongo.documents import utc
from server.store.port import Conflict


class Consents:
    """The clients' texts in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, text: ConsentText) -> None:
        """Insert; the unique index finds the Conflict."""
        key = {"client_id": text.client_id, "text_id": text.text_id, "version": text.version}
        try:
            async with self._database.turn() as db:
                await db["consent_texts"].insert_one(
                    {**key, "set_at": utc(text.set_at), "content": text.content}
                )
                await owned(db, "consent_texts", text.client_id, key)
        except DuplicateKeyError as error:
            raise Conflict("consent text") from error

    async def of_client(self, client_id: str) -> Sequence[ConsentText]:
        """By the index, sorted: a client has a handful."""
        async with self._database.turn() as db:
            found = db["consent_texts"].find({"client_id": client_id})
            order = [(name, DESCENDING) for name in ("set_at", "text_id", "version")]
            documents = await found.sort(order).to_list()
        return [
            ConsentText(
                document["client_id"],
                document["text_id"],
                document["version"],
                document["set_at"],
                document["content"],
            )
            for document in documents
        ]
