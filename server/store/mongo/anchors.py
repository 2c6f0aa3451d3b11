"""The collection `anchors`. Not here: what the verbs mean (server/store/anchors.py)."""

from __future__ import annotations

from collections.abc import Sequence

from bson.binary import Binary
from pymongo.errors import DuplicateKeyError

from server.store.anchors import AnchorRecord
from server.store.mongo.clients import owned
from server.store.mongo.database import Database
from server.store.mongo.documents import Document
from server.store.port import Conflict


class Anchors:
    """The anchors in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(
        self, client_id: str, parts: Sequence[int] | None = None
    ) -> Sequence[AnchorRecord]:
        """By the unique index. The parts may be of several moments, the head is the first read."""
        wanted: Document = {"client_id": client_id}
        if parts is not None:
            wanted["part"] = {"$in": list(parts)}
        async with self._database.turn(long=parts is None) as db:
            found = await db["anchors"].find(wanted).sort("part").to_list()
        return [
            AnchorRecord(client_id, one["part"], one["version"], bytes(one["sealed"]))
            for one in found
        ]

    async def put(self, record: AnchorRecord) -> None:
        """Insert, or a compare-and-set of one document."""
        this = {"client_id": record.client_id, "part": record.part}
        new = {"version": record.version, "sealed": Binary(record.sealed)}
        async with self._database.turn() as db:
            if record.version == 1:
                try:
                    await db["anchors"].insert_one({**this, **new})
                except DuplicateKeyError as error:
                    raise Conflict("anchor") from error
                await owned(db, "anchors", record.client_id, this)
                return
            was = {**this, "version": record.version - 1}
            done = await db["anchors"].update_one(was, {"$set": new})
        if not done.matched_count:
            raise Conflict("anchor")
