"""The collections `galleries` and `removals`: where a gallery stands, and what is being written.

A change has three acts. The first takes a number, in one document, and names the subject there as
open. The second writes the template with that number, or removes it and leaves the number with its
id. The third takes the subject away and lets the version grow again. Who reads the version between
these is told of the subject, and looks at it again the next time. So a number that is written late
is skipped by nobody, and a writer that dies leaves an open subject until `settle` closes it.

Not here: the templates (templates.py), what the verbs mean (port.py).
Source: docs/decisions/no-transactions.md; mongodb.com/docs/manual (atomicity of one document).
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from server.store import gallery
from server.store.gallery import GalleryVersion
from server.store.mongo.documents import Document, upsert
from server.store.port import Conflict, NotFound


async def version_of(db: AsyncDatabase[Document], client_id: str) -> GalleryVersion:
    """One read of one document."""
    document = await db["galleries"].find_one({"_id": client_id})
    if document is None:
        return GalleryVersion(0, 0)
    return GalleryVersion(
        int(document["version"]),
        int(document.get("logged", 0)),
        frozenset(document.get("open", {}).values()),
    )


@asynccontextmanager
async def changing(
    db: AsyncDatabase[Document], client_id: str, subject: str
) -> AsyncGenerator[int]:
    """The first act, the caller's, and the third; the number of the change.

    What a caller refuses for a reason of its own is closed, too. After anything else nobody knows
    what was written, and the subject stays open.
    """
    token = secrets.token_hex(8)
    number = await _count(db, client_id, {"$set": {f"open.{token}": subject}})
    try:
        yield number
    except (DuplicateKeyError, Conflict, NotFound):
        await _close(db, client_id, token)
        raise
    await _close(db, client_id, token)


async def removed(
    db: AsyncDatabase[Document], client_id: str, number: int, template: Mapping[str, Any]
) -> None:
    """Leave the number of a removal, and shorten the log."""
    await db["removals"].insert_one(
        {"client_id": client_id, "logged": number, "template_id": template["template_id"]}
    )
    await db["removals"].delete_many(
        {"client_id": client_id, "logged": {"$lte": number - gallery.LOG_KEPT}}
    )


async def replaced(
    db: AsyncDatabase[Document],
    client_id: str,
    number: int,
    before: Mapping[str, Any] | None,
    template_id: str,
) -> None:
    """Leave the number of a template that another took the place of, if there was one: who knows
    only that one must learn that it went, also if the other goes as well."""
    if before is not None and before["template_id"] != template_id:
        await removed(db, client_id, number, before)


async def forget_client(db: AsyncDatabase[Document], client_id: str) -> None:
    """Its templates are gone: the version grows past the log, which is over."""
    await db["removals"].delete_many({"client_id": client_id})
    await db["galleries"].update_one({"_id": client_id}, {"$inc": {"version": 1}})


async def left_open(db: AsyncDatabase[Document]) -> set[tuple[str, str]]:
    """Clients and tokens of what is being written, or was when its process died."""
    return {
        (document["_id"], token)
        async for document in db["galleries"].find({}, {"open": 1})
        for token in document.get("open", {})
    }


async def close_late(db: AsyncDatabase[Document], client_id: str, token: str) -> None:
    """Close what a dead process left open.

    Nobody knows which template it removed, so the version grows past the log: everybody reads all.
    """
    still: Document = {"_id": client_id, f"open.{token}": {"$exists": True}}
    change: Document = {"$inc": {"version": 1}, "$unset": {f"open.{token}": ""}}
    await db["galleries"].update_one(still, change)


async def _close(db: AsyncDatabase[Document], client_id: str, token: str) -> None:
    await _count(db, client_id, {"$unset": {f"open.{token}": ""}})


async def _count(db: AsyncDatabase[Document], client_id: str, change: Document) -> int:
    """Let the version grow, and change the document with it, in one act; the new number."""
    for _ in range(2):
        document = await db["galleries"].find_one_and_update(
            {"_id": client_id},
            {"$inc": {"version": 1, "logged": 1}, **change},
            return_document=ReturnDocument.AFTER,
        )
        if document is not None:
            return int(document["logged"])
        # Apart from the count, because not every server tells which of two first ones was first.
        nothing: Document = {"$setOnInsert": {"version": 0, "logged": 0}}
        await upsert(db, "galleries", {"_id": client_id}, nothing)
    raise AssertionError("no gallery is ever removed")
