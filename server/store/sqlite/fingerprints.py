"""The table `fingerprints`. Not here: what the verbs mean (server/store/fingerprints.py)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import aiosqlite

from server.store.fingerprints import Fingerprint
from server.store.port import Conflict, NotFound
from server.store.sqlite.database import Database
from server.store.sqlite.rows import changed, is_missing_client, micros, moment

_COLUMNS = "session_id, client_id, subject, created_at, expires_at, accepted, key_id, sealed"


class Fingerprints:
    """Fingerprints in SQLite. A session that goes takes its own along, whoever removes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, fingerprint: Fingerprint, *, most: int) -> None:
        """One transaction; the keys find the Conflict and the missing session."""
        one = fingerprint
        try:
            async with self._database.transaction() as db:
                await db.execute_fetchall(
                    f"INSERT INTO fingerprints ({_COLUMNS}) VALUES (?{', ?' * 7})",
                    (
                        one.session_id,
                        one.client_id,
                        one.subject,
                        micros(one.created_at),
                        micros(one.expires_at),
                        int(one.accepted),
                        one.key_id,
                        one.sealed,
                    ),
                )
                await db.execute_fetchall(
                    "DELETE FROM fingerprints WHERE session_id IN (SELECT session_id"
                    " FROM fingerprints WHERE client_id = ? AND subject = ? AND accepted = ?"
                    " ORDER BY created_at DESC, session_id DESC LIMIT -1 OFFSET ?)",
                    (one.client_id, one.subject, int(one.accepted), most),
                )
        except sqlite3.IntegrityError as error:
            if is_missing_client(error):
                raise NotFound("session") from error
            raise Conflict("fingerprint") from error

    async def of_subject(self, client_id: str, subject: str) -> Sequence[Fingerprint]:
        """By the index of its owner."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM fingerprints WHERE client_id = ? AND subject = ?"
            " ORDER BY created_at DESC, session_id DESC",
            client_id,
            subject,
        )
        return [
            Fingerprint(
                session_id=row[0],
                client_id=row[1],
                subject=row[2],
                created_at=moment(row[3]),
                expires_at=moment(row[4]),
                accepted=bool(row[5]),
                key_id=row[6],
                sealed=row[7],
            )
            for row in rows
        ]

    async def forget_others(self, key_id: str) -> int:
        """One DELETE."""
        async with self._database.transaction() as db:
            return await changed(db, "DELETE FROM fingerprints WHERE key_id <> ?", key_id)


async def forget(db: aiosqlite.Connection, client_id: str, subject: str) -> int:
    """Remove a subject's, within the caller's transaction; how many. One that is about to be kept
    finds no session."""
    return await changed(
        db, "DELETE FROM fingerprints WHERE client_id = ? AND subject = ?", client_id, subject
    )
