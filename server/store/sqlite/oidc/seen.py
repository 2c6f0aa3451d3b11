"""The table `seen`. Not here: what the verb means (server/store/oidc/seen.py)."""

from __future__ import annotations

import hashlib
from datetime import datetime

import aiosqlite

from server.store.sqlite.database import Database
from server.store.sqlite.rows import changed, micros, refusals


class Seen:
    """The names in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def once(self, client_id: str, jti: str, until: datetime, now: datetime) -> bool:
        """Insert, or take the place of one whose time is over."""
        with refusals("name of an assertion"):
            async with self._database.transaction() as db:
                first = await db.execute_fetchall(
                    "INSERT INTO seen (client_id, jti_hash, until) VALUES (?, ?, ?)"
                    " ON CONFLICT (client_id, jti_hash) DO UPDATE SET until = excluded.until"
                    " WHERE until <= ? RETURNING 1",
                    (client_id, hashlib.sha256(jti.encode()).digest(), micros(until), micros(now)),
                )
                return bool(list(first))


async def sweep(db: aiosqlite.Connection, before: datetime) -> int:
    """Remove those whose time was over before then, within the caller's transaction; how many."""
    return await changed(db, "DELETE FROM seen WHERE until < ?", micros(before))
