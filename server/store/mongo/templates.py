"""The collections `templates` and `galleries`. Not here: what the verbs mean (port.py).

The gallery's version grows before and after each change, because the two writes are not one: a
server that dies in between leaves nobody with the old gallery who reads it later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bson.binary import Binary
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from server.store.mongo.clients import owned
from server.store.mongo.database import Database
from server.store.mongo.documents import Document, upsert, utc
from server.store.port import Conflict, NotFound, TemplateRecord


def _template(document: Mapping[str, Any]) -> TemplateRecord:
    return TemplateRecord(
        client_id=document["client_id"],
        subject=document["subject"],
        template_id=document["template_id"],
        model_id=document["model_id"],
        created_at=document["created_at"],
        quality=document["quality"],
        key_id=document["key_id"],
        sealed=bytes(document["sealed"]),
    )


def content_of(record: TemplateRecord) -> Document:
    """All of a template but whose it is."""
    return {
        "template_id": record.template_id,
        "model_id": record.model_id,
        "created_at": utc(record.created_at),
        "quality": float(record.quality),
        "key_id": record.key_id,
        "sealed": Binary(record.sealed),
    }


class Templates:
    """The sealed templates in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, record: TemplateRecord, *, replace: bool) -> None:
        """The unique index on the owner finds the Conflict."""
        owner = {"client_id": record.client_id, "subject": record.subject}
        content = content_of(record)
        try:
            async with self._database.turn() as db:
                await bump(db, record.client_id)
                if replace:
                    await upsert(db, "templates", owner, {"$set": content})
                else:
                    await db["templates"].insert_one({**owner, **content})
                await bump(db, record.client_id)
                await owned(db, "templates", record.client_id, owner)
        except DuplicateKeyError as error:
            raise Conflict("template") from error

    async def get(self, client_id: str, subject: str) -> TemplateRecord:
        """By the unique index."""
        async with self._database.turn() as db:
            document = await db["templates"].find_one({"client_id": client_id, "subject": subject})
        if document is None:
            raise NotFound("template")
        return _template(document)

    async def of_client(self, client_id: str) -> Sequence[TemplateRecord]:
        """A client's all, in the byte order of their subjects."""
        async with self._database.turn(long=True) as db:
            found = db["templates"].find({"client_id": client_id}).sort("subject")
            return [_template(document) async for document in found]

    async def sample(self, n: int) -> Sequence[TemplateRecord]:
        """What the database finds first."""
        async with self._database.turn() as db:
            found = db["templates"].find({}).limit(n)
            return [_template(document) async for document in found]

    async def gallery_version(self, client_id: str) -> int:
        """Changes so far, each counted twice."""
        async with self._database.turn() as db:
            document = await db["galleries"].find_one({"_id": client_id})
        return int(document["version"]) if document else 0


async def forget(db: AsyncDatabase[Document], client_id: str, subject: str) -> int:
    """Remove a subject's template; how many (0 or 1)."""
    owner: Document = {"client_id": client_id, "subject": subject}
    known = await db["templates"].find_one(owner, {"_id": 1})
    if known is not None:
        await bump(db, client_id)
    removed = (await db["templates"].delete_many(owner)).deleted_count
    if known is not None or removed:
        await bump(db, client_id)
    return removed


async def bump(db: AsyncDatabase[Document], client_id: str) -> None:
    """Let the gallery's version grow."""
    await upsert(db, "galleries", {"_id": client_id}, {"$inc": {"version": 1}})
