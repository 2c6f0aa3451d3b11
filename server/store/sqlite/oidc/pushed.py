"""The table `pushed`. Not here: what the verbs mean (server/store/oidc/pushed.py)."""

from __future__ import annotations

from datetime import datetime

import aiosqlite

from server.store.oidc.pushed import Pushed
from server.store.port import NotFound
from server.store.sqlite.database import Database
from server.store.sqlite.rows import changed, micros, moment, refusals


class PushedRequests:
    """The pushed requests in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, pushed: Pushed) -> None:
        """Insert; the keys find the Conflict and the missing client."""
        with refusals("pushed request"):
            async with self._database.transaction() as db:
                await db.execute_fetchall(
                    "INSERT INTO pushed (uri_hash, client_id, request, expires_at)"
                    " VALUES (?, ?, ?, ?)",
                    (pushed.uri_hash, pushed.client_id, pushed.request, micros(pushed.expires_at)),
                )

    async def take(self, uri_hash: bytes, client_id: str, now: datetime) -> Pushed:
        """One DELETE whose WHERE holds every condition."""
        async with self._database.transaction() as db:
            taken = await db.execute_fetchall(
                "DELETE FROM pushed WHERE uri_hash = ? AND client_id = ? AND expires_at > ?"
                " RETURNING request, expires_at",
                (uri_hash, client_id, micros(now)),
            )
            for request, expires_at in taken:
                return Pushed(uri_hash, client_id, request, moment(expires_at))
        raise NotFound("pushed request")


async def sweep(db: aiosqlite.Connection, before: datetime) -> int:
    """Remove those that expired before then, within the caller's transaction; how many."""
    return await changed(db, "DELETE FROM pushed WHERE expires_at < ?", micros(before))
