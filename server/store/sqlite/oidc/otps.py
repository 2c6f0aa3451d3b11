"""The table `otps`. Not here: what the verbs mean (server/store/oidc/otps.py)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import aiosqlite

from server.store.oidc.otps import Totp
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

_COLUMNS = "people, subject, sealed, key_id, last_step, created_at, used_at"


def _totp(row: Sequence[Any]) -> Totp:
    values = [*row[:5], moment(row[5]), moment_or_none(row[6])]
    return Totp(*values)


class Otps:
    """The secrets in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, totp: Totp) -> None:
        """Insert or overwrite; the foreign key finds the missing template."""
        with refusals("one-time password"):
            async with self._database.transaction() as db:
                await db.execute_fetchall(
                    f"INSERT OR REPLACE INTO otps ({_COLUMNS}) VALUES (?{', ?' * 6})",
                    (
                        totp.people,
                        totp.subject,
                        totp.sealed,
                        totp.key_id,
                        totp.last_step,
                        micros(totp.created_at),
                        micros_or_none(totp.used_at),
                    ),
                )

    async def get(self, people: str, subject: str) -> Totp:
        """By primary key."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM otps WHERE people = ? AND subject = ?", people, subject
        )
        if not rows:
            raise NotFound("one-time password")
        return _totp(rows[0])

    async def step(self, people: str, subject: str, step: int, at: datetime) -> None:
        """One UPDATE whose WHERE holds the last step."""
        async with self._database.transaction() as db:
            if await changed(
                db,
                "UPDATE otps SET last_step = ?, used_at = ?"
                " WHERE people = ? AND subject = ? AND last_step < ?",
                step,
                micros(at),
                people,
                subject,
                step,
            ):
                return
            rows = await db.execute_fetchall(
                "SELECT 1 FROM otps WHERE people = ? AND subject = ?", (people, subject)
            )
            raise Conflict("step") if list(rows) else NotFound("one-time password")

    async def remove(self, people: str, subject: str) -> None:
        """One DELETE."""
        async with self._database.transaction() as db:
            if not await forget(db, people, subject):
                raise NotFound("one-time password")

    async def of_people(self, people: str, *, after: str, most: int) -> Sequence[Totp]:
        """By primary key, in the byte order of their subjects."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM otps WHERE people = ? AND subject > ?"
            " ORDER BY subject LIMIT ?",
            people,
            after,
            most,
        )
        return [_totp(row) for row in rows]

    async def reseal(self, was: Totp, sealed: bytes, key_id: str) -> bool:
        """One UPDATE whose WHERE holds what was sealed."""
        async with self._database.transaction() as db:
            return bool(
                await changed(
                    db,
                    "UPDATE otps SET sealed = ?, key_id = ?"
                    " WHERE people = ? AND subject = ? AND sealed = ?",
                    sealed,
                    key_id,
                    was.people,
                    was.subject,
                    was.sealed,
                )
            )


async def forget(db: aiosqlite.Connection, people: str, subject: str) -> int:
    """Remove a person's secret, within the caller's transaction; how many (0 or 1)."""
    return await changed(db, "DELETE FROM otps WHERE people = ? AND subject = ?", people, subject)
