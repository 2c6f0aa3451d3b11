"""The table `signing_keys`. Not here: what the verbs mean (port.py)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import aiosqlite

from server.store.keys import KeyRecord
from server.store.port import Conflict
from server.store.sqlite.database import Database
from server.store.sqlite.rows import changed, micros, micros_or_none, moment, moment_or_none

_COLUMNS = "kid, public_jwk, sealed_private, created_at, retire_at, alg"


def _key(row: Sequence[Any]) -> KeyRecord:
    return KeyRecord(row[0], row[1], row[2], moment(row[3]), moment_or_none(row[4]), row[5])


class Keys:
    """The signing keys in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: KeyRecord, *, retire_others_at: datetime | None) -> None:
        """Retire the others of its algorithm and insert; the partial unique index decides a
        race."""
        try:
            async with self._database.transaction() as db:
                if retire_others_at is not None:
                    await db.execute_fetchall(
                        "UPDATE signing_keys SET retire_at = :at"
                        " WHERE alg = :alg AND (retire_at IS NULL OR retire_at > :at)",
                        {"at": micros(retire_others_at), "alg": record.alg},
                    )
                await db.execute_fetchall(
                    f"INSERT INTO signing_keys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        record.kid,
                        record.public_jwk,
                        record.sealed_private,
                        micros(record.created_at),
                        micros_or_none(record.retire_at),
                        record.alg,
                    ),
                )
        except sqlite3.IntegrityError as error:
            raise Conflict("key") from error

    async def reseal(self, was: KeyRecord, sealed_private: bytes) -> bool:
        """One UPDATE whose WHERE holds what was sealed."""
        async with self._database.transaction() as db:
            return bool(
                await changed(
                    db,
                    "UPDATE signing_keys SET sealed_private = ?"
                    " WHERE kid = ? AND sealed_private = ?",
                    sealed_private,
                    was.kid,
                    was.sealed_private,
                )
            )

    async def all(self) -> Sequence[KeyRecord]:
        """By kid."""
        rows = await self._database.read(f"SELECT {_COLUMNS} FROM signing_keys ORDER BY kid")
        return [_key(row) for row in rows]

    async def published(self, now: datetime) -> Sequence[KeyRecord]:
        """Not those whose time is over at `now`."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM signing_keys WHERE retire_at IS NULL OR retire_at > ?"
            " ORDER BY alg, retire_at IS NOT NULL, created_at DESC, kid",
            micros(now),
        )
        return [_key(row) for row in rows]


async def sweep(db: aiosqlite.Connection, before: datetime) -> int:
    """Remove what was published until before then, within the caller's transaction; how many."""
    return await changed(db, "DELETE FROM signing_keys WHERE retire_at < ?", micros(before))
