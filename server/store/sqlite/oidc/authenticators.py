"""The table `authenticators`. Not here: what the verbs mean
(server/store/oidc/authenticators.py)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import aiosqlite

from server.store.oidc.authenticators import Authenticator, grows
from server.store.port import Conflict, NotFound
from server.store.sqlite.database import Database
from server.store.sqlite.rows import (
    changed,
    micros,
    micros_or_none,
    moment,
    moment_or_none,
    refusals,
)

_COLUMNS = (
    "key_id, people, subject, user_handle, public_key, kind, sign_count, created_at, used_at, name"
)


def _authenticator(row: Sequence[Any]) -> Authenticator:
    values = [*row[:7], moment(row[7]), moment_or_none(row[8]), row[9]]
    return Authenticator(*values)


class Authenticators:
    """The keys that people hold in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, authenticator: Authenticator) -> None:
        """Insert; the keys find the Conflict and the missing template."""
        with refusals("key"):
            async with self._database.transaction() as db:
                await db.execute_fetchall(
                    f"INSERT INTO authenticators ({_COLUMNS}) VALUES (?{', ?' * 9})",
                    (
                        authenticator.key_id,
                        authenticator.people,
                        authenticator.subject,
                        authenticator.user_handle,
                        authenticator.public_key,
                        authenticator.kind,
                        authenticator.sign_count,
                        micros(authenticator.created_at),
                        micros_or_none(authenticator.used_at),
                        authenticator.name,
                    ),
                )

    async def get(self, key_id: str) -> Authenticator:
        """By primary key."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM authenticators WHERE key_id = ?", key_id
        )
        if not rows:
            raise NotFound("key")
        return _authenticator(rows[0])

    async def of_subject(self, people: str, subject: str) -> Sequence[Authenticator]:
        """By the index of subjects."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM authenticators WHERE people = ? AND subject = ?"
            " ORDER BY created_at, key_id",
            people,
            subject,
        )
        return [_authenticator(row) for row in rows]

    async def of_handle(self, user_handle: bytes) -> Sequence[Authenticator]:
        """By the index of handles."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM authenticators WHERE user_handle = ?"
            " ORDER BY created_at, key_id",
            user_handle,
        )
        return [_authenticator(row) for row in rows]

    async def use(self, key_id: str, was_count: int, now_count: int, at: datetime) -> None:
        """One UPDATE whose WHERE holds the count."""
        async with self._database.transaction() as db:
            if grows(was_count, now_count) and await changed(
                db,
                "UPDATE authenticators SET sign_count = ?, used_at = ?"
                " WHERE key_id = ? AND sign_count = ?",
                now_count,
                micros(at),
                key_id,
                was_count,
            ):
                return
            rows = await db.execute_fetchall(
                "SELECT 1 FROM authenticators WHERE key_id = ?", (key_id,)
            )
            raise Conflict("key") if list(rows) else NotFound("key")

    async def remove(self, people: str, subject: str, key_id: str) -> None:
        """One DELETE."""
        async with self._database.transaction() as db:
            if not await changed(
                db,
                "DELETE FROM authenticators WHERE key_id = ? AND people = ? AND subject = ?",
                key_id,
                people,
                subject,
            ):
                raise NotFound("key")


async def forget(db: aiosqlite.Connection, people: str, subject: str) -> int:
    """Remove a person's keys, within the caller's transaction; how many."""
    return await changed(
        db, "DELETE FROM authenticators WHERE people = ? AND subject = ?", people, subject
    )
