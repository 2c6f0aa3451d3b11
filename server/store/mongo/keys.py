"""The collection `signing`: a document for each algorithm, a revision and a list of a few keys.

It is one document, so that retiring one key and adding another is one write. That of ES256 is the
one of versions that knew no other, so that such a server meets no key that it cannot open. Not
here: what the verbs mean (server/store/keys.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bson.binary import Binary
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from server.store.keys import ES256, RS256, KeyRecord
from server.store.mongo.database import Database
from server.store.mongo.documents import TRIES, Document, utc
from server.store.port import Conflict

LISTS = {ES256: "keys", RS256: "keys RS256"}
"""The document of each algorithm."""


def _key(alg: str, document: Mapping[str, Any]) -> KeyRecord:
    return KeyRecord(
        kid=document["kid"],
        public_jwk=document["public_jwk"],
        sealed_private=bytes(document["sealed_private"]),
        created_at=document["created_at"],
        retire_at=document["retire_at"],
        alg=alg,
    )


class Keys:
    """The signing keys in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: KeyRecord, *, retire_others_at: datetime | None) -> None:
        """Read the list, change it, put it back if it is still the one that was read."""
        new = {
            "kid": record.kid,
            "public_jwk": record.public_jwk,
            "sealed_private": Binary(record.sealed_private),
            "created_at": utc(record.created_at),
            "retire_at": record.retire_at and utc(record.retire_at),
        }
        async with self._database.turn() as db:
            for _ in range(TRIES):
                rev, keys = await _read_list(db, record.alg)
                signing = [key for key in keys if key["retire_at"] is None]
                if any(key["kid"] == record.kid for key in keys):
                    raise Conflict("key")
                if signing and record.retire_at is None and retire_others_at is None:
                    raise Conflict("key")
                if retire_others_at is not None:
                    at = utc(retire_others_at)
                    for key in keys:
                        if key["retire_at"] is None or key["retire_at"] > at:
                            key["retire_at"] = at
                if await _set_list(db, record.alg, rev, [*keys, new]):
                    return
            raise Conflict("key")

    async def reseal(self, was: KeyRecord, sealed_private: bytes) -> bool:
        """Read the list, change it, put it back if it is still the one that was read."""
        async with self._database.turn() as db:
            for _ in range(TRIES):
                rev, keys = await _read_list(db, was.alg)
                same = [
                    key
                    for key in keys
                    if key["kid"] == was.kid and bytes(key["sealed_private"]) == was.sealed_private
                ]
                for key in same:
                    key["sealed_private"] = Binary(sealed_private)
                if not same or await _set_list(db, was.alg, rev, keys):
                    return bool(same)
            raise Conflict("key")

    async def all(self) -> Sequence[KeyRecord]:
        """By kid."""
        async with self._database.turn() as db:
            return sorted(await _all_keys(db), key=lambda key: key.kid)

    async def published(self, now: datetime) -> Sequence[KeyRecord]:
        """Not those whose time is over at `now`."""
        async with self._database.turn() as db:
            found = await _all_keys(db)
        keys = [key for key in found if key.retire_at is None or key.retire_at > utc(now)]
        keys.sort(key=lambda key: key.kid)
        keys.sort(key=lambda key: key.created_at, reverse=True)
        return sorted(keys, key=lambda key: (key.alg, key.retire_at is not None))


async def sweep(db: AsyncDatabase[Document], before: datetime) -> int:
    """Remove what was published until before then; how many."""
    return sum([await _sweep_one(db, alg, utc(before)) for alg in LISTS])


async def _sweep_one(db: AsyncDatabase[Document], alg: str, before: datetime) -> int:
    swept = 0
    for _ in range(TRIES):
        rev, keys = await _read_list(db, alg)
        kept = [k for k in keys if k["retire_at"] is None or k["retire_at"] >= before]
        swept = len(keys) - len(kept)
        if not swept or await _set_list(db, alg, rev, kept):
            break
    return swept


async def _all_keys(db: AsyncDatabase[Document]) -> list[KeyRecord]:
    return [_key(alg, one) for alg in LISTS for one in (await _read_list(db, alg))[1]]


async def _read_list(db: AsyncDatabase[Document], alg: str) -> tuple[int, list[Document]]:
    """Its revision (0: there is none yet) and the keys."""
    document = await db["signing"].find_one({"_id": LISTS[alg]})
    return (document["rev"], document["keys"]) if document else (0, [])


async def _set_list(db: AsyncDatabase[Document], alg: str, rev: int, keys: list[Document]) -> bool:
    """Whether the list was still at `rev`."""
    if rev == 0:
        try:
            await db["signing"].insert_one({"_id": LISTS[alg], "rev": 1, "keys": keys})
        except DuplicateKeyError:
            return False
        return True
    result = await db["signing"].update_one(
        {"_id": LISTS[alg], "rev": rev}, {"$set": {"rev": rev + 1, "keys": keys}}
    )
    return result.matched_count == 1
