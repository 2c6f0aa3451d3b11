"""The tables `templates`, `galleries` and `removals`. Not here: what the verbs mean (port.py).

A change and its number are one transaction, and there is one writer: whoever reads the number of a
gallery reads every change up to it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

import aiosqlite

from server.store import gallery
from server.store.gallery import Changes, GalleryVersion, VectorRecord
from server.store.port import Conflict, NotFound, TemplateRecord
from server.store.sqlite.database import Database
from server.store.sqlite.rows import changed, is_missing_client, micros, moment

_COLUMNS = (
    "client_id, subject, template_id, model_id, created_at, quality, key_id, sealed, vector,"
    " counter, epoch, consent"
)
_VECTOR = "subject, template_id, model_id, vector, counter, epoch"


def _template(row: Sequence[Any]) -> TemplateRecord:
    client_id, subject, template_id, model_id, created_at, *rest = row
    return TemplateRecord(client_id, subject, template_id, model_id, moment(created_at), *rest)


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

    async def of_subjects(
        self, client_id: str, subjects: Sequence[str]
    ) -> Sequence[TemplateRecord]:
        """By primary key, in the byte order of their subjects."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM templates WHERE client_id = ?"
            " AND subject IN (SELECT value FROM json_each(?)) ORDER BY subject",
            client_id,
            json.dumps(list(subjects)),
        )
        return [_template(row) for row in rows]

    async def vectors(self, client_id: str, *, after: str, most: int) -> Sequence[VectorRecord]:
        """By primary key, in the byte order of their subjects."""
        rows = await self._database.read(
            f"SELECT {_VECTOR} FROM templates WHERE client_id = ? AND subject > ?"
            " ORDER BY subject LIMIT ?",
            client_id,
            after,
            most,
        )
        return [VectorRecord(*row) for row in rows]

    async def sample(self, n: int) -> Sequence[TemplateRecord]:
        """The first rows of the table."""
        rows = await self._database.read(f"SELECT {_COLUMNS} FROM templates LIMIT ?", n)
        return [_template(row) for row in rows]

    async def reseal(self, changes: Sequence[tuple[TemplateRecord, TemplateRecord]]) -> int:
        """One transaction of UPDATEs whose WHERE holds what was sealed."""
        async with self._database.transaction(long=True) as db:
            return sum(
                [
                    await changed(
                        db,
                        "UPDATE templates SET key_id = ?, sealed = ?, vector = ?, counter = ?,"
                        " epoch = ?, consent = ?"
                        " WHERE client_id = ? AND subject = ? AND sealed = ?",
                        now.key_id,
                        now.sealed,
                        now.vector,
                        now.counter,
                        now.epoch,
                        now.consent,
                        was.client_id,
                        was.subject,
                        was.sealed,
                    )
                    for was, now in changes
                ]
            )

    async def renewed(self, client_id: str) -> None:
        """The version grows past the log."""
        async with self._database.transaction() as db:
            rows = await db.execute_fetchall(
                "SELECT 1 FROM clients WHERE client_id = ?", (client_id,)
            )
            if not list(rows):
                raise NotFound("client")
            await db.execute_fetchall(
                "INSERT INTO galleries (client_id, version, logged) VALUES (?, 1, 0) ON CONFLICT"
                " (client_id) DO UPDATE SET version = version + 1",
                (client_id,),
            )

    async def gallery_version(self, client_id: str) -> GalleryVersion:
        """Changes so far; none is ever open."""
        rows = await self._database.read(
            "SELECT version, logged FROM galleries WHERE client_id = ?", client_id
        )
        return GalleryVersion(*rows[0]) if rows else GalleryVersion(0, 0)

    async def changes(self, client_id: str, since: GalleryVersion) -> Changes | None:
        """The number first: what is written between these reads has a greater one, and is told
        again the next time."""
        version = await self.gallery_version(client_id)
        removed = await self._database.read(
            "SELECT template_id FROM removals WHERE client_id = ? AND logged > ?",
            client_id,
            since.logged,
        )
        rows = await self._database.read(
            f"SELECT {_VECTOR} FROM templates WHERE client_id = ? AND changed > ?",
            client_id,
            since.logged,
            long=True,
        )
        # Again, because the log may have been shortened meanwhile.
        if not gallery.reaches(since, await self.gallery_version(client_id)):
            return None
        return Changes(version, [row[0] for row in removed], (), [VectorRecord(*r) for r in rows])


async def insert(db: aiosqlite.Connection, record: TemplateRecord, *, replace: bool) -> None:
    """Insert, or replace what the subject has, within the caller's transaction; the gallery's
    version grows with it. Raises IntegrityError."""
    number = await _next(db, record.client_id)
    if replace:
        # Who knows only the one before must learn that it went, also if this one goes as well.
        before = await db.execute_fetchall(
            "SELECT template_id FROM templates WHERE client_id = ? AND subject = ?",
            (record.client_id, record.subject),
        )
        for (template_id,) in before:
            await _log(db, record.client_id, number, template_id)
    instead = (
        " ON CONFLICT (client_id, subject) DO UPDATE SET template_id = excluded.template_id,"
        " model_id = excluded.model_id, created_at = excluded.created_at,"
        " quality = excluded.quality, key_id = excluded.key_id, sealed = excluded.sealed,"
        " vector = excluded.vector, counter = excluded.counter,"
        " epoch = excluded.epoch, consent = excluded.consent, changed = excluded.changed"
    )
    await db.execute_fetchall(
        f"INSERT INTO templates ({_COLUMNS}, changed) VALUES (?{', ?' * 12})"
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
            record.vector,
            record.counter,
            record.epoch,
            record.consent,
            number,
        ),
    )


async def forget(db: aiosqlite.Connection, client_id: str, subject: str) -> int:
    """Remove a subject's template, within the caller's transaction; how many (0 or 1)."""
    removed = list(
        await db.execute_fetchall(
            "DELETE FROM templates WHERE client_id = ? AND subject = ? RETURNING template_id",
            (client_id, subject),
        )
    )
    if removed:
        await _log(db, client_id, await _next(db, client_id), removed[0][0])
    return len(removed)


async def _log(db: aiosqlite.Connection, client_id: str, number: int, template_id: str) -> None:
    """Leave the number of a removal, and shorten the log."""
    await db.execute_fetchall(
        "INSERT INTO removals (client_id, logged, template_id) VALUES (?, ?, ?)",
        (client_id, number, template_id),
    )
    await db.execute_fetchall(
        "DELETE FROM removals WHERE client_id = ? AND logged <= ?",
        (client_id, number - gallery.LOG_KEPT),
    )


async def forget_client(db: aiosqlite.Connection, client_id: str) -> None:
    """The templates of a client went with it; its version grows past the log, which is over."""
    await db.execute_fetchall("DELETE FROM removals WHERE client_id = ?", (client_id,))
    await db.execute_fetchall(
        "UPDATE galleries SET version = version + 1 WHERE client_id = ?", (client_id,)
    )


async def _next(db: aiosqlite.Connection, client_id: str) -> int:
    """Let the gallery's version grow; the number of this change in the log."""
    ((number,),) = await db.execute_fetchall(
        "INSERT INTO galleries (client_id, version, logged) VALUES (?, 1, 1) ON CONFLICT"
        " (client_id) DO UPDATE SET version = version + 1, logged = logged + 1 RETURNING logged",
        (client_id,),
    )
    return int(number)
