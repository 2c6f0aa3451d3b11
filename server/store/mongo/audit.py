"""The collections `audit` and `audit_chains`. Not here: what the verbs mean
(server/store/audit.py), when the end of a session is noted (endings.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bson.binary import Binary
from pymongo.errors import DuplicateKeyError

from server.store.audit import AuditRecord, Note
from server.store.mongo.database import Database
from server.store.mongo.documents import upsert
from server.store.port import Conflict, NotFound, Unavailable

TRIES = 3
"""Of a note: a write whose answer was lost may still arrive and take the place of this one."""


def _record(document: Mapping[str, Any]) -> AuditRecord:
    return AuditRecord(
        chain=document["chain"],
        seq=document["seq"],
        prev=bytes(document["prev"]),
        ref=document["ref"],
        body=document["body"],
        hash=bytes(document["hash"]),
        seal=bytes(document["seal"]),
    )


class AuditTrail:
    """The records of all chains in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(
        self, record: AuditRecord, *, names: bool = False, retired: Sequence[str] = ()
    ) -> None:
        """Insert; the unique indexes find the Conflict. Then the list of live chains, which only
        says what the next checkpoint names."""
        try:
            async with self._database.turn() as db:
                await db["audit"].insert_one(
                    {
                        "chain": record.chain,
                        "seq": record.seq,
                        "prev": Binary(record.prev),
                        "ref": record.ref,
                        "body": record.body,
                        "hash": Binary(record.hash),
                        "seal": Binary(record.seal),
                    }
                )
        except DuplicateKeyError as error:
            raise Conflict("audit") from error
        if not names:
            return
        async with self._database.turn() as db:
            await upsert(db, "audit_chains", {"_id": record.chain}, {"$set": {"named": record.seq}})
            if retired:
                await db["audit_chains"].delete_many({"_id": {"$in": list(retired)}})

    async def last(self, chain: str) -> AuditRecord | None:
        """By the unique index, from its end."""
        async with self._database.turn() as db:
            found = await db["audit"].find({"chain": chain}).sort("seq", -1).to_list(1)
        return _record(found[0]) if found else None

    async def live(self) -> Sequence[AuditRecord]:
        """One look at the end of each."""
        async with self._database.turn() as db:
            chains = await db["audit_chains"].find({}).sort("_id").to_list()
        ends = [await self.last(document["_id"]) for document in chains]
        return [end for end in ends if end is not None]

    async def get(self, chain: str, seq: int) -> AuditRecord:
        """By the unique index."""
        async with self._database.turn() as db:
            document = await db["audit"].find_one({"chain": chain, "seq": seq})
        if document is None:
            raise NotFound("audit record")
        return _record(document)

    async def records(self, *, after: tuple[str, int], most: int) -> Sequence[AuditRecord]:
        """By the unique index: the rest of this chain, then those behind it."""
        chain, seq = after
        found: list[Mapping[str, Any]] = []
        for behind in ({"chain": chain, "seq": {"$gt": seq}}, {"chain": {"$gt": chain}}):
            if len(found) < most:
                async with self._database.turn(long=True) as db:
                    rest = db["audit"].find(behind).sort([("chain", 1), ("seq", 1)])
                    found += await rest.to_list(most - len(found))
        return [_record(document) for document in found]

    async def prune(self, chain: str, below: int) -> int:
        """One removal of many."""
        async with self._database.turn(long=True) as db:
            gone = await db["audit"].delete_many({"chain": chain, "seq": {"$lt": below}})
        return gone.deleted_count


async def write(database: Database, note: Note) -> None:
    """Write a note that may have been written before, by a process that did not live to say so.

    Never called within a turn of the database. Raises Unavailable.
    """
    trail = AuditTrail(database)
    for _ in range(TRIES):
        async with database.turn() as db:
            if await db["audit"].find_one({"ref": note.entry.ref}, {"_id": 1}) is not None:
                return
        try:
            async with note.chain.linked(note.entry) as record:
                await trail.append(record)
            return
        except Conflict:  # another wrote this note, or a late write of ours took the place
            continue
    raise Unavailable(f"MongoDB: an audit record met others {TRIES} times")
