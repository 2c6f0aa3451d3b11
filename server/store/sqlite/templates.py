"""The tables `templates` and `galleries`. Not here: what the verbs mean (port.py)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import aiosqlite

from server.store.port import Conflict, NotFound, TemplateRecord
from server.store.sqlite.database import Database
from server.store.sqlite.rows import changed, is_missing_client, micros, moment

_COLUMNS = "client_id, subject, template_id, model_id, created_at, quality, key_id, sealed"


def _template(row: Sequence[Any]) -> TemplateRecord:
    return TemplateRecord(row[0], row[1], row[2], row[3], moment(row[4]), row[5], row[6], row[7])


class Templates:
    """The sealed templates in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, record: TemplateRecord, *, replace: bool) -> None:
        """Insert, or replace what the subject has; the gallery's version grows with it."""
        try:
            async with self._database.transaction() as db:
                await insert(db, record, replace=replace)
        except sqlite3.IntegrityError as error:
            if is_missing_client(error):
                raise NotFound("client") from error
            raise Conflict("template") from error

    async def get(self, client_id: str, subject: str) -> TemplateRecord:
        """By primary key."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM templates WHERE client_id = ? AND subject = ?",
            client_id,
            subject,
        )
        if not rows:
            raise NotFound("template")
        return _template(rows[0])

    async def of_client(self, client_id: str) -> Sequence[TemplateRecord]:
        """A client's all, in the byte order of their subjects."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM templates WHERE client_id = ? ORDER BY subject", client_id
        )
        return [_template(row) for row in rows]

    async def sample(self, n: int) -> Sequence[TemplateRecord]:
        """The first rows of the table."""
        rows = await self._database.read(f"SELECT {_COLUMNS} FROM templates LIMIT ?", n)
        return [_template(row) for row in rows]

    async def gallery_version(self, client_id: str) -> int:
        """Changes so far."""
        rows = await self._database.read(
            "SELECT version FROM galleries WHERE client_id = ?", client_id
        )
        return int(rows[0][0]) if rows else 0


async def insert(db: aiosqlite.Connection, record: TemplateRecord, *, replace: bool) -> None:
    """Insert, or replace what the subject has, within the caller's transaction; the gallery's
    version grows with it. Raises IntegrityError."""
    instead = (
        " ON CONFLICT (client_id, subject) DO UPDATE SET template_id = excluded.template_id,"
        " model_id = excluded.model_id, created_at = excluded.created_at,"
        " quality = excluded.quality, key_id = excluded.key_id, sealed = excluded.sealed"
    )
    await db.execute_fetchall(
        f"INSERT INTO templates ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        + (instead if replace else ""),
        (
            record.client_id,
            record.subject,
            record.template_id,
            record.model_id,
            micros(record.created_at),
            float(record.quality),
            record.key_id,
            record.sealed,
        ),
    )
    await _bump(db, record.client_id)


async def forget(db: aiosqlite.Connection, client_id: str, subject: str) -> int:
    """Remove a subject's template, within the caller's transaction; how many (0 or 1)."""
    removed = await changed(
        db, "DELETE FROM templates WHERE client_id = ? AND subject = ?", client_id, subject
    )
    if removed:
        await _bump(db, client_id)
    return removed


async def _bump(db: aiosqlite.Connection, client_id: str) -> None:
    await db.execute_fetchall(
        "INSERT INTO galleries (client_id, version) VALUES (?, 1)"
        " ON CONFLICT (client_id) DO UPDATE SET version = version + 1",
        (client_id,),
    )
