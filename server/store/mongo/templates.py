"""The collection `templates`. Not here: what the verbs mean (port.py), how a change of a gallery
becomes known (galleries.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bson.binary import Binary
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from server.store.gallery import Changes, GalleryVersion, VectorRecord, reaches
from server.store.mongo.clients import owned
from server.store.mongo.database import Database
from server.store.mongo.documents import Document, upsert, utc
from server.store.mongo.galleries import changing, removed, replaced, version_of
from server.store.port import Conflict, NotFound, TemplateRecord

_VECTOR = {
    "_id": 0,
    "subject": 1,
    "template_id": 1,
    "model_id": 1,
    "vector": 1,
    "counter": 1,
    "epoch": 1,
}

_SEALED = ("key_id", "sealed", "vector", "counter", "epoch", "consent")


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
        vector=_bytes_or_none(document.get("vector")),
        counter=document.get("counter", 0),  # older rows have none
        epoch=document.get("epoch", 0),
        consent=_bytes_or_none(document.get("consent")),
    )


def _vector(document: Mapping[str, Any]) -> VectorRecord:
    return VectorRecord(
        document["subject"],
        document["template_id"],
        document["model_id"],
        _bytes_or_none(document.get("vector")),
        document.get("counter", 0),
        document.get("epoch", 0),
    )


def _bytes_or_none(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


def content_of(record: TemplateRecord) -> Document:
    """All of a template but whose it is."""
    return {
        "template_id": record.template_id,
        "model_id": record.model_id,
        "created_at": utc(record.created_at),
        "quality": float(record.quality),
        "key_id": record.key_id,
        "sealed": Binary(record.sealed),
        "vector": None if record.vector is None else Binary(record.vector),
        "counter": record.counter,
        "epoch": record.epoch,
        "consent": None if record.consent is None else Binary(record.consent),
    }


class Templates:
    """The sealed templates in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, record: TemplateRecord, *, replace: bool) -> None:
        """The unique index on the owner finds the Conflict."""
        owner = {"client_id": record.client_id, "subject": record.subject}
        try:
            async with (
                self._database.turn() as db,
                changing(db, record.client_id, record.subject) as number,
            ):
                content = {**content_of(record), "changed": number}
                if replace:
                    before = await db["templates"].find_one(owner, {"template_id": 1})
                    await upsert(db, "templates", owner, {"$set": content})
                    await replaced(db, record.client_id, number, before, record.template_id)
                else:
                    await db["templates"].insert_one({**owner, **content})
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

    async def of_subjects(
        self, client_id: str, subjects: Sequence[str]
    ) -> Sequence[TemplateRecord]:
        """By the unique index, in the byte order of their subjects."""
        wanted = {"client_id": client_id, "subject": {"$in": list(subjects)}}
        async with self._database.turn(long=True) as db:
            found = db["templates"].find(wanted).sort("subject")
            return [_template(document) async for document in found]

    async def vectors(self, client_id: str, *, after: str, most: int) -> Sequence[VectorRecord]:
        """By the unique index, in the byte order of their subjects."""
        behind = {"client_id": client_id, "subject": {"$gt": after}}
        async with self._database.turn() as db:
            found = await db["templates"].find(behind, _VECTOR).sort("subject").to_list(most)
        return [_vector(document) for document in found]

    async def sample(self, n: int) -> Sequence[TemplateRecord]:
        """What the database finds first."""
        async with self._database.turn() as db:
            found = db["templates"].find({}).limit(n)
            return [_template(document) async for document in found]

    async def reseal(self, changes: Sequence[tuple[TemplateRecord, TemplateRecord]]) -> int:
        """A compare-and-set of each document, on what was sealed."""
        done = 0
        for was, now in changes:
            owner: Document = {"client_id": was.client_id, "subject": was.subject}
            new = {name: content_of(now)[name] for name in _SEALED}
            async with self._database.turn() as db:
                result = await db["templates"].update_one(
                    {**owner, "sealed": Binary(was.sealed)}, {"$set": new}
                )
            done += result.matched_count
        return done

    async def renewed(self, client_id: str) -> None:
        """The version grows past the log."""
        async with self._database.turn() as db:
            if await db["clients"].find_one({"_id": client_id, "removing": False}) is None:
                raise NotFound("client")
            nothing: Document = {"$setOnInsert": {"version": 0, "logged": 0}}
            await upsert(db, "galleries", {"_id": client_id}, nothing)
            await db["galleries"].update_one({"_id": client_id}, {"$inc": {"version": 1}})

    async def gallery_version(self, client_id: str) -> GalleryVersion:
        """Changes so far, each counted when it begins and when it is done."""
        async with self._database.turn() as db:
            return await version_of(db, client_id)

    async def changes(self, client_id: str, since: GalleryVersion) -> Changes | None:
        """The version first: what it does not count or calls open is told again the next time."""
        async with self._database.turn(long=True) as db:
            version = await version_of(db, client_id)
            newer = {"client_id": client_id, "logged": {"$gt": since.logged}}
            removed = await db["removals"].find(newer, {"_id": 0, "template_id": 1}).to_list()
            # By name those whose number may be older than `since`: their writers were not done.
            open_then_or_now = sorted(since.open | version.open)
            which: list[Document] = [{"changed": {"$gt": since.logged}}]
            if open_then_or_now:
                which.append({"subject": {"$in": open_then_or_now}})
            found = [
                document
                for part in which
                for document in await db["templates"]
                .find({"client_id": client_id, **part}, {**_VECTOR, "changed": 1})
                .to_list()
            ]
            # Again, because the log may have been shortened meanwhile.
            if not reaches(since, await version_of(db, client_id)):
                return None
        # Written after the version was read, so looked up once more, because not every server's
        # removal says which of two templates it took when one was written meanwhile.
        late = {row["subject"] for row in found if row.get("changed", 0) > version.logged}
        version = replace(version, open=version.open | late)
        ids = [document["template_id"] for document in removed]
        return Changes(version, ids, open_then_or_now, [_vector(row) for row in found])


async def forget(
    db: AsyncDatabase[Document], client_id: str, subject: str, template_id: str | None = None
) -> int:
    """Remove a subject's template, or only if it is this one; how many (0 or 1)."""
    owner: Document = {"client_id": client_id, "subject": subject}
    if template_id is not None:
        owner["template_id"] = template_id
    if await db["templates"].find_one(owner, {"_id": 1}) is None:
        return 0
    async with changing(db, client_id, subject) as number:
        gone = await db["templates"].find_one_and_delete(owner)
        if gone is not None:
            await removed(db, client_id, number, gone)
    return int(gone is not None)
