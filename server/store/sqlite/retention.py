"""The tables `retention`, `successes` and `clock`. Not here: what the verbs mean
(server/store/retention.py)."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime

import aiosqlite

from server.store.port import NotFound
from server.store.retention import ClockStand, Periods
from server.store.sqlite.database import Database
from server.store.sqlite.rows import changed, micros, micros_or_none, moment, moment_or_none


class Retention:
    """Periods, last successes and the clock in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def set(self, client_id: str, periods: Periods) -> None:
        """Insert or overwrite; the foreign key finds the missing client."""
        try:
            async with self._database.transaction() as db:
                await db.execute_fetchall(
                    "INSERT OR REPLACE INTO retention"
                    " (client_id, templates, sessions, tapes, since) VALUES (?, ?, ?, ?, ?)",
                    (
                        client_id,
                        periods.templates,
                        periods.sessions,
                        periods.tapes,
                        micros_or_none(periods.since),
                    ),
                )
        except sqlite3.IntegrityError as error:
            raise NotFound("client") from error

    async def all(self) -> Mapping[str, Periods]:
        """In the byte order of their ids."""
        rows = await self._database.read(
            "SELECT client_id, templates, sessions, tapes, since FROM retention ORDER BY client_id"
        )
        return {row[0]: Periods(row[1], row[2], row[3], moment_or_none(row[4])) for row in rows}

    async def last_success(self, client_id: str, subject: str) -> datetime | None:
        """By primary key."""
        rows = await self._database.read(
            "SELECT at FROM successes WHERE client_id = ? AND subject = ?", client_id, subject
        )
        return moment(rows[0][0]) if rows else None

    async def unused(self, client_id: str, before: datetime) -> Sequence[str]:
        """One look at all templates of the client, and at their successes by primary key."""
        rows = await self._database.read(
            "SELECT subject FROM templates t WHERE client_id = ? AND created_at < ?"
            " AND NOT EXISTS (SELECT 1 FROM successes s WHERE s.client_id = t.client_id"
            " AND s.subject = t.subject AND s.at >= ?) ORDER BY subject",
            client_id,
            micros(before),
            micros(before),
        )
        return [row[0] for row in rows]

    async def expired_sessions(self, client_id: str, before: datetime) -> int:
        """By the index of their expiry."""
        rows = await self._database.read(
            "SELECT count(*) FROM sessions WHERE client_id = ? AND expires_at < ?",
            client_id,
            micros(before),
        )
        return int(rows[0][0])

    async def remove_sessions(self, client_id: str, before: datetime) -> int:
        """One DELETE."""
        async with self._database.transaction(long=True) as db:
            return await changed(
                db,
                "DELETE FROM sessions WHERE client_id = ? AND expires_at < ?",
                client_id,
                micros(before),
            )

    async def clock(self) -> ClockStand | None:
        """The one row."""
        rows = await self._database.read("SELECT believed_at, doubted_since, seen_at FROM clock")
        if not rows:
            return None
        believed_at, doubted_since, seen_at = rows[0]
        return ClockStand(
            moment(believed_at), moment_or_none(doubted_since), moment_or_none(seen_at)
        )

    async def keep_clock(self, stand: ClockStand) -> None:
        """Overwrite it."""
        async with self._database.transaction() as db:
            await db.execute_fetchall(
                "INSERT OR REPLACE INTO clock (id, believed_at, doubted_since, seen_at)"
                " VALUES (1, ?, ?, ?)",
                (
                    micros(stand.believed_at),
                    micros_or_none(stand.doubted_since),
                    micros_or_none(stand.seen_at),
                ),
            )


async def succeeded(db: aiosqlite.Connection, client_id: str, subject: str, at: datetime) -> None:
    """A face was accepted as the subject's, within the caller's transaction."""
    await db.execute_fetchall(
        "INSERT INTO successes (client_id, subject, at) VALUES (?, ?, ?)"
        " ON CONFLICT (client_id, subject) DO UPDATE SET at = max(at, excluded.at)",
        (client_id, subject, micros(at)),
    )


async def forget(db: aiosqlite.Connection, client_id: str, subject: str) -> int:
    """Remove a subject's last success, within the caller's transaction; how many rows."""
    return await changed(
        db, "DELETE FROM successes WHERE client_id = ? AND subject = ?", client_id, subject
    )
