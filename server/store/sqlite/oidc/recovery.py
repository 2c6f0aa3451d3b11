"""The table `recovery`: a row a person, with a list of hashes. Not here: what the verbs mean
(server/store/oidc/recovery.py)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import aiosqlite

from server.store.port import NotFound
from server.store.sqlite.database import Database
from server.store.sqlite.rows import changed, micros, moment_or_none, refusals

_OF = "FROM recovery WHERE people = ? AND subject = ?"


class RecoveryCodes:
    """The recovery codes in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, people: str, subject: str, hashes: Sequence[bytes]) -> None:
        """Remove the row, and insert another; the foreign key finds the missing template."""
        with refusals("recovery code"):
            async with self._database.transaction() as db:
                await forget(db, people, subject)
                if hashes:
                    await db.execute_fetchall(
                        "INSERT INTO recovery (people, subject, hashes) VALUES (?, ?, ?)",
                        (people, subject, json.dumps([one.hex() for one in hashes])),
                    )

    async def use(self, people: str, subject: str, code_hash: bytes, at: datetime) -> None:
        """Read the list and write it back, in one transaction."""
        async with self._database.transaction() as db:
            rows = await db.execute_fetchall(f"SELECT hashes {_OF}", (people, subject))
            hashes = [one for (text,) in rows for one in json.loads(text)]
            if code_hash.hex() not in hashes:
                raise NotFound("recovery code")
            hashes.remove(code_hash.hex())
            await changed(
                db,
                "UPDATE recovery SET hashes = ?, used_at = ? WHERE people = ? AND subject = ?",
                json.dumps(hashes),
                micros(at),
                people,
                subject,
            )

    async def left(self, people: str, subject: str) -> int:
        """By primary key."""
        rows = await self._database.read(f"SELECT hashes {_OF}", people, subject)
        return len(json.loads(rows[0][0])) if rows else 0

    async def used_at(self, people: str, subject: str) -> datetime | None:
        """By primary key."""
        rows = await self._database.read(f"SELECT used_at {_OF}", people, subject)
        return moment_or_none(rows[0][0]) if rows else None


async def forget(db: aiosqlite.Connection, people: str, subject: str) -> int:
    """Remove a person's codes, within the caller's transaction; how many rows."""
    return await changed(
        db, "DELETE FROM recovery WHERE people = ? AND subject = ?", people, subject
    )
