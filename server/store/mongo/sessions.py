"""The collection `sessions`. Not here: what the verbs mean (port.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bson.binary import Binary
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from server.store.mongo.clients import owned
from server.store.mongo.database import Database
from server.store.mongo.documents import Document, utc
from server.store.port import Conflict, NotFound, SessionRecord

UNSETTLED = "unsettled"
"""The member of a session that ended and whose consequences are not all written (endings.py)."""
FORGET = f"{UNSETTLED}.forget"
"""Set in it once the subject is to be forgotten: then nothing follows any more, and what was
written goes again, by the server that won it or by `settle`."""


def _session(document: Mapping[str, Any]) -> SessionRecord:
    return SessionRecord(
        session_id=document["_id"],
        client_id=document["client_id"],
        purpose=document["purpose"],
        subject=document["subject"],
        nonce=document["nonce"],
        ticket_hash=bytes(document["ticket_hash"]),
        # What was won and is not settled may yet be refused, if its server hears of nothing.
        state="live"
        if document["state"] == "accepted" and UNSETTLED in document
        else document["state"],
        created_at=document["created_at"],
        expires_at=document["expires_at"],
        claimed_at=document["claimed_at"],
        finished_at=document["finished_at"],
        reasons=tuple(document["reasons"]),
        evidence=document["evidence"],
        replace=document["replace"],
        challenge=document.get("challenge", "none"),  # older rows have none
        consent=document.get("consent"),
    )


class Sessions:
    """The attempts in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: SessionRecord) -> None:
        """Insert; `_id` finds the Conflict."""
        try:
            async with self._database.turn() as db:
                await db["sessions"].insert_one(
                    {
                        "_id": record.session_id,
                        "client_id": record.client_id,
                        "purpose": record.purpose,
                        "subject": record.subject,
                        "nonce": record.nonce,
                        "ticket_hash": Binary(record.ticket_hash),
                        "state": record.state,
                        "created_at": utc(record.created_at),
                        "expires_at": utc(record.expires_at),
                        "claimed_at": record.claimed_at and utc(record.claimed_at),
                        "finished_at": record.finished_at and utc(record.finished_at),
                        "reasons": list(record.reasons),
                        "evidence": record.evidence,
                        "replace": record.replace,
                        "challenge": record.challenge,
                        "consent": record.consent,
                    }
                )
                await owned(db, "sessions", record.client_id, {"_id": record.session_id})
        except DuplicateKeyError as error:
            raise Conflict("session") from error

    async def get(self, session_id: str) -> SessionRecord:
        """By `_id`."""
        async with self._database.turn() as db:
            document = await db["sessions"].find_one({"_id": session_id})
        if document is None or document.get(UNSETTLED, {}).get("forget"):
            raise NotFound("session")
        return _session(document)

    async def of_subject(self, client_id: str, subject: str) -> Sequence[SessionRecord]:
        """By the index of its owner; one that is being forgotten is none."""
        whose: Document = {"client_id": client_id, "subject": subject, FORGET: {"$exists": False}}
        async with self._database.turn(long=True) as db:
            found = db["sessions"].find(whose).sort([("created_at", 1), ("_id", 1)])
            return [_session(document) async for document in found]

    async def claim(self, session_id: str, ticket_hash: bytes, now: datetime) -> SessionRecord:
        """As `_of_new`: it matches for one caller."""
        change: Document = {"state": "live", "claimed_at": utc(now)}
        return await self._of_new(session_id, ticket_hash, now, change)

    async def agree(
        self, session_id: str, ticket_hash: bytes, consent: str, now: datetime
    ) -> SessionRecord:
        """As `_of_new`."""
        return await self._of_new(session_id, ticket_hash, now, {"consent": consent})

    async def _of_new(
        self, session_id: str, ticket_hash: bytes, now: datetime, change: Document
    ) -> SessionRecord:
        """One update whose filter holds every condition.

        Not find_one_and_update: that one scans the collection on the server that the tests use.
        """
        mine: Document = {
            "_id": session_id,
            "ticket_hash": Binary(ticket_hash),
            "expires_at": {"$gt": utc(now)},
        }
        async with self._database.turn() as db:
            won = await db["sessions"].update_one({**mine, "state": "new"}, {"$set": change})
            document = await db["sessions"].find_one(mine)
        if document is None:
            raise NotFound("session")
        if not won.matched_count:
            raise Conflict("session")
        return _session({**document, **change})

    async def live(self, session_ids: Sequence[str]) -> frozenset[str]:
        """By `_id`."""
        these = {"_id": {"$in": list(session_ids)}, "state": "live"}
        async with self._database.turn() as db:
            found = await db["sessions"].find(these, {"_id": 1}).to_list()
        return frozenset(document["_id"] for document in found)

    async def extend(self, session_id: str, until: datetime) -> None:
        """One update that only puts off."""
        async with self._database.turn() as db:
            await db["sessions"].update_one(
                {"_id": session_id, "state": "new", "expires_at": {"$lt": utc(until)}},
                {"$set": {"expires_at": utc(until)}},
            )

    async def finish(
        self,
        session_id: str,
        *,
        was: str,
        now_is: str,
        at: datetime,
        reasons: tuple[str, ...] = (),
        evidence: str = "[]",
        subject: str | None = None,
    ) -> SessionRecord:
        """One update whose filter holds the expected state and subject."""
        change: Document = {
            "state": now_is,
            "finished_at": utc(at),
            "reasons": list(reasons),
            "evidence": evidence,
        }
        expected: Document = {"_id": session_id, "state": was}
        if subject is not None:
            expected["subject"] = {"$in": [None, subject]}
            change["subject"] = subject
        async with self._database.turn() as db:
            won = await db["sessions"].update_one(expected, {"$set": change})
            document = await db["sessions"].find_one({"_id": session_id})
        if document is None:
            raise NotFound("session")
        if not won.matched_count:
            raise Conflict("session")
        return _session({**document, **change})


async def forget(db: AsyncDatabase[Document], client_id: str, subject: str) -> int:
    """Remove a subject's sessions; open ones are over by that. How many are left: somebody was
    ending them, who is told to undo it and to remove them."""
    whose = {"client_id": client_id, "subject": subject}
    await db["sessions"].delete_many({**whose, UNSETTLED: {"$exists": False}})
    await db["sessions"].update_many(
        {**whose, f"{UNSETTLED}.at": {"$exists": True}}, {"$set": {FORGET: True}}
    )
    return await count(db, client_id, subject)


async def count(db: AsyncDatabase[Document], client_id: str, subject: str) -> int:
    """Sessions of a subject, in whatever state."""
    return await db["sessions"].count_documents({"client_id": client_id, "subject": subject})


async def sweep(db: AsyncDatabase[Document], before: datetime) -> int:
    """Remove what expired before then, but of clients that have a period of their own; how many."""
    kept = await db["retention"].find({"sessions": {"$ne": None}}, {"_id": 1}).to_list()
    own = [one["_id"] for one in kept]
    over: Document = {"expires_at": {"$lt": utc(before)}, "client_id": {"$nin": own}}
    swept = await db["sessions"].delete_many(over)
    await db["fingerprints"].delete_many(over)
    return swept.deleted_count
