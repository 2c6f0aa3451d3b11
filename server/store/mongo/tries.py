"""The collection `tries`. Not here: what the verbs mean, and the rules (server/store/tries.py).

A counter is one document that changes by compare-and-set on its `turn`. Where a session takes
several, each is taken by itself, and those before a refusal are given back: meanwhile they count,
which refuses somebody at worst.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from server.store.mongo.clients import owned
from server.store.mongo.database import Database
from server.store.mongo.documents import Document, utc
from server.store.port import Conflict, NotFound, Unavailable
from server.store.tries import Counter, Held, Kind, Limit, Limits, Refused, Tally, ended

ROUNDS = 60
"""Of a compare-and-set: each loss is another's success, and a limit ends the crowd."""


class Tries:
    """Counters in MongoDB."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits

    async def take(
        self, session_id: str, counters: Sequence[Counter], now: datetime
    ) -> Refused | None:
        """One after the other; the session names them last."""
        async with self._database.turn() as db:
            for n, counter in enumerate(counters):
                refused = await _take(db, session_id, counter, utc(now), self._limits[counter.kind])
                if refused is not None:
                    for before in counters[:n]:
                        await _end_one(db, before, session_id, failed=False, at=utc(now))
                    return refused
            names = [{"kind": one.kind.value, "key": one.key, "tag": one.tag} for one in counters]
            await db["sessions"].update_one({"_id": session_id}, {"$set": {"tries": names}})
            return None

    async def end(
        self, session_id: str, counters: Sequence[Counter], *, failed: bool | None, at: datetime
    ) -> None:
        """One after the other."""
        async with self._database.turn() as db:
            for counter in counters:
                await _end_one(db, counter, session_id, failed=failed, at=utc(at))

    async def tally(self, counter: Counter) -> Tally:
        """By the unique index."""
        async with self._database.turn() as db:
            document = await db["tries"].find_one(_name(counter))
        return _tally(document, counter.tag)

    async def keep_device(
        self, device: Counter, until: datetime, *, most: int, instead: str | None = None
    ) -> None:
        """Insert, then remove what is too many."""
        begin = {**_fields(Tally()), "turn": 0, "tag": "", "subject": device.subject}
        async with self._database.turn() as db:
            try:
                await db["tries"].insert_one({**_name(device), **begin, "expires_at": utc(until)})
            except DuplicateKeyError as error:
                raise Conflict("device") from error
            await owned(db, "tries", device.client_id, _name(device))
            theirs = {
                "client_id": device.client_id,
                "subject": device.subject,
                "kind": device.kind.value,
                "key": {"$ne": device.key},
            }
            await db["tries"].delete_many({**theirs, "key": instead})
            others = await db["tries"].find(theirs).to_list()
            others.sort(key=lambda one: one["expires_at"], reverse=True)
            for old in others[most - 1 :]:
                await db["tries"].delete_one({"_id": old["_id"]})

    async def knows_device(self, device: Counter, now: datetime) -> bool:
        """By the unique index; an expired one is absent."""
        found = {**_name(device), "subject": device.subject, "expires_at": {"$gt": utc(now)}}
        async with self._database.turn() as db:
            return await db["tries"].find_one(found, {"_id": 1}) is not None

    async def of_subject(self, client_id: str, subject: str) -> Sequence[Held]:
        """By the index of subjects."""
        async with self._database.turn() as db:
            theirs = {"client_id": client_id, "subject": subject}
            found = await db["tries"].find(theirs).sort([("kind", 1), ("key", 1)]).to_list()
        return [
            Held(_counter(one), _tally(one, one["tag"]), one.get("expires_at")) for one in found
        ]

    async def unlock(self, client_id: str, subject: str, *, forget_devices: bool = False) -> int:
        """One document after the other; again does the rest."""
        locked = 0
        async with self._database.turn() as db:
            theirs = {"client_id": client_id, "subject": subject}
            for document in await db["tries"].find(theirs).to_list():
                counter = _counter(document)
                tally = _tally(document, counter.tag)
                locked += bool(tally.n or tally.total)
                await _change(db, counter, Tally.unlock)
            if forget_devices:
                await db["tries"].delete_many({**theirs, "kind": Kind.DEVICE.value})
        return locked


async def end(
    db: AsyncDatabase[Document],
    session: Mapping[str, Any],
    limits: Limits,
    *,
    failed: bool | None,
    at: datetime,
) -> Refused | None:
    """End what a session took; why the next try may not begin now. Again changes nothing."""
    refused: Refused | None = None
    for taken in session.get("tries", ()):
        kind = Kind(taken["kind"])
        counter = Counter(session["client_id"], kind, taken["key"], None, taken["tag"])
        after = await _end_one(db, counter, session["_id"], failed=failed, at=at)
        refused = refused or after.refusal(at, limits[counter.kind])
    return refused


async def forget(db: AsyncDatabase[Document], client_id: str, subject: str) -> int:
    """Remove a subject's counters and devices; how many."""
    gone = await db["tries"].delete_many({"client_id": client_id, "subject": subject})
    return gone.deleted_count


async def sweep(db: AsyncDatabase[Document], before: datetime) -> int:
    """Remove devices that expired before then, and what was counted of a subject while it was being
    forgotten; how many."""
    swept = await db["tries"].delete_many({"expires_at": {"$lt": utc(before)}})
    gone = 0
    async for document in db["tries"].find({"subject": {"$ne": None}}):
        owner = {"client_id": document["client_id"], "subject": document["subject"]}
        if await db["templates"].find_one(owner, {"_id": 1}) is None:
            gone += (await db["tries"].delete_one({"_id": document["_id"]})).deleted_count
    return swept.deleted_count + gone


async def _take(
    db: AsyncDatabase[Document], session_id: str, counter: Counter, now: datetime, limit: Limit
) -> Refused | None:
    for turn in range(ROUNDS):
        document = await db["tries"].find_one(_name(counter))
        if document is None and counter.kind is Kind.DEVICE:
            raise NotFound("device")
        tally = _tally(document, counter.tag)
        if (refused := tally.refusal(now, limit)) is not None:
            return refused
        if await _set(db, counter, document, tally.take(session_id, now, limit)):
            await owned(db, "tries", counter.client_id, _name(counter))
            return None
        await asyncio.sleep(0.001 * turn)
    raise Unavailable("MongoDB: a counter met too many others")


async def _end_one(
    db: AsyncDatabase[Document],
    counter: Counter,
    session_id: str,
    *,
    failed: bool | None,
    at: datetime,
) -> Tally:
    return await _change(
        db, counter, lambda tally: ended(tally, counter.kind, session_id, failed=failed, at=at)
    )


async def _change(
    db: AsyncDatabase[Document], counter: Counter, step: Callable[[Tally], Tally]
) -> Tally:
    """One step of a counter that is there; one that was forgotten stays so."""
    for turn in range(ROUNDS):
        document = await db["tries"].find_one(_name(counter))
        if document is None or document["tag"] != counter.tag:
            return Tally()
        after = step(_tally(document, counter.tag))
        if await _set(db, counter, document, after):
            return after
        await asyncio.sleep(0.001 * turn)
    raise Unavailable("MongoDB: a counter met too many others")


async def _set(
    db: AsyncDatabase[Document], counter: Counter, before: Document | None, tally: Tally
) -> bool:
    """Whether nobody was quicker."""
    written = {**_fields(tally), "tag": counter.tag}
    if before is None:
        try:
            await db["tries"].insert_one(
                {**_name(counter), **written, "subject": counter.subject, "turn": 0}
            )
        except DuplicateKeyError:
            return False
        return True
    found = await db["tries"].update_one(
        {"_id": before["_id"], "turn": before["turn"]},
        {"$set": {**written, "turn": before["turn"] + 1}},
    )
    return bool(found.matched_count)


def _name(counter: Counter) -> Document:
    return {"client_id": counter.client_id, "kind": counter.kind.value, "key": counter.key}


def _counter(document: Mapping[str, Any]) -> Counter:
    return Counter(
        document["client_id"],
        Kind(document["kind"]),
        document["key"],
        document["subject"],
        document["tag"],
    )


def _tally(document: Mapping[str, Any] | None, tag: str) -> Tally:
    if document is None or document["tag"] != tag:
        return Tally()
    taken = tuple((one["session"], one["at"]) for one in document["taken"])
    return Tally(document["n"], document["total"], document["since"], document["last_at"], taken)


def _fields(tally: Tally) -> Document:
    return {
        "n": tally.n,
        "total": tally.total,
        "since": tally.since and utc(tally.since),
        "last_at": tally.last and utc(tally.last),
        "taken": [{"session": session, "at": utc(at)} for session, at in tally.taken],
    }
