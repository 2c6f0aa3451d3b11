"""The table `failures`. Not here: what the verbs mean (port.py)."""

from __future__ import annotations

import sqlite3
from datetime import datetime

import aiosqlite

from server.store.port import NotFound
from server.store.sqlite.database import Database
from server.store.sqlite.rows import changed, micros, moment


class Failures:
    """Failed logins in a row, in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, client_id: str, subject: str, now: datetime) -> int:
        """Insert 1 or add 1, in one statement."""
        try:
            async with self._database.transaction() as db:
                return await count_one(db, client_id, subject, now)
        except sqlite3.IntegrityError as error:
            raise NotFound("client") from error

    async def count(self, client_id: str, subject: str) -> tuple[int, datetime | None]:
        """By primary key; (0, None) if there is no row."""
        rows = await self._database.read(
            "SELECT n, last_at FROM failures WHERE client_id = ? AND subject = ?",
            client_id,
            subject,
        )
        return (int(rows[0][0]), moment(rows[0][1])) if rows else (0, None)

    async def clear(self, client_id: str, subject: str) -> None:
        """Remove the row."""
        async with self._database.transaction() as db:
            await forget(db, client_id, subject)


async def count_one(db: aiosqlite.Connection, client_id: str, subject: str, now: datetime) -> int:
    """One more, within the caller's transaction; how many. Raises IntegrityError: no client."""
    ((n,),) = await db.execute_fetchall(
        "INSERT INTO failures (client_id, subject, n, last_at) VALUES (?, ?, 1, ?)"
        " ON CONFLICT (client_id, subject) DO UPDATE SET n = n + 1,"
        " last_at = max(last_at, excluded.last_at) RETURNING n",
        (client_id, subject, micros(now)),
    )
    return int(n)


async def forget(db: aiosqlite.Connection, client_id: str, subject: str) -> int:
    """Remove a subject's count, within the caller's transaction; how many rows."""
    return await changed(
        db, "DELETE FROM failures WHERE client_id = ? AND subject = ?", client_id, subject
    )
