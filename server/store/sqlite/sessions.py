"""The table `sessions`. Not here: what the verbs mean (port.py)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import aiosqlite

from server.store.port import Conflict, NotFound, SessionRecord
from server.store.sqlite.database import Database
from server.store.sqlite.rows import (
    changed,
    is_missing_client,
    micros,
    micros_or_none,
    moment,
    moment_or_none,
)

_COLUMNS = (
    "session_id, client_id, purpose, subject, nonce, ticket_hash, state, created_at, expires_at,"
    " claimed_at, finished_at, reasons, evidence, replace_template, challenge, consent"
)


def _session(row: Sequence[Any]) -> SessionRecord:
    return SessionRecord(
        session_id=row[0],
        client_id=row[1],
        purpose=row[2],
        subject=row[3],
        nonce=row[4],
        ticket_hash=row[5],
        state=row[6],
        created_at=moment(row[7]),
        expires_at=moment(row[8]),
        claimed_at=moment_or_none(row[9]),
        finished_at=moment_or_none(row[10]),
        reasons=tuple(json.loads(row[11])),
        evidence=row[12],
        replace=bool(row[13]),
        challenge=row[14],
        consent=row[15],
    )


class Sessions:
    """The attempts in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: SessionRecord) -> None:
        """Insert; the keys find the Conflict and the missing client."""
        try:
            async with self._database.transaction() as db:
                await insert(db, record)
        except sqlite3.IntegrityError as error:
            if is_missing_client(error):
                raise NotFound("client") from error
            raise Conflict("session") from error

    async def get(self, session_id: str) -> SessionRecord:
        """By primary key."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM sessions WHERE session_id = ?", session_id
        )
        if not rows:
            raise NotFound("session")
        return _session(rows[0])

    async def of_subject(self, client_id: str, subject: str) -> Sequence[SessionRecord]:
        """By the index of its owner."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM sessions WHERE client_id = ? AND subject = ?"
            " ORDER BY created_at, session_id",
            client_id,
            subject,
        )
        return [_session(row) for row in rows]

    async def claim(self, session_id: str, ticket_hash: bytes, now: datetime) -> SessionRecord:
        """As `_of_new`; its one winner has the session."""
        change = "state = 'live', claimed_at = ?"
        return await self._of_new(session_id, ticket_hash, now, change, micros(now))

    async def agree(
        self, session_id: str, ticket_hash: bytes, consent: str, now: datetime
    ) -> SessionRecord:
        """As `_of_new`."""
        return await self._of_new(session_id, ticket_hash, now, "consent = ?", consent)

    async def _of_new(
        self, session_id: str, ticket_hash: bytes, now: datetime, change: str, value: object
    ) -> SessionRecord:
        """One UPDATE whose WHERE holds every condition; the row it returns is the winner's."""
        this = (session_id, ticket_hash, micros(now))
        mine = "session_id = ? AND ticket_hash = ? AND expires_at > ?"
        async with self._database.transaction() as db:
            rows = list(
                await db.execute_fetchall(
                    f"UPDATE sessions SET {change} WHERE state = 'new' AND {mine}"
                    f" RETURNING {_COLUMNS}",
                    (value, *this),
                )
            )
            if rows:
                return _session(rows[0])
            if list(await db.execute_fetchall(f"SELECT 1 FROM sessions WHERE {mine}", this)):
                raise Conflict("session")
            raise NotFound("session")

    async def live(self, session_ids: Sequence[str]) -> frozenset[str]:
        """By primary key."""
        rows = await self._database.read(
            "SELECT session_id FROM sessions WHERE state = 'live'"
            " AND session_id IN (SELECT value FROM json_each(?))",
            json.dumps(list(session_ids)),
        )
        return frozenset(row[0] for row in rows)

    async def extend(self, session_id: str, until: datetime) -> None:
        """One UPDATE that only puts off."""
        async with self._database.transaction() as db:
            await db.execute_fetchall(
                "UPDATE sessions SET expires_at = max(expires_at, ?)"
                " WHERE session_id = ? AND state = 'new'",
                (micros(until), session_id),
            )

    async def finish(
        self,
        session_id: str,
        *,
        was: str,
        now_is: str,
        at: datetime,
        reasons: tuple[str, ...] = (),
        evidence: str = "[]",
        subject: str | None = None,
    ) -> SessionRecord:
        """One UPDATE whose WHERE holds the expected state and subject."""
        async with self._database.transaction() as db:
            rows = list(
                await db.execute_fetchall(
                    "UPDATE sessions SET state = ?, finished_at = ?, reasons = ?, evidence = ?,"
                    " subject = coalesce(subject, ?)"
                    " WHERE session_id = ? AND state = ? AND coalesce(subject, ?, '') ="
                    f" coalesce(?, subject, '') RETURNING {_COLUMNS}",
                    (
                        now_is,
                        micros(at),
                        json.dumps(reasons),
                        evidence,
                        subject,
                        session_id,
                        was,
                        subject,
                        subject,
                    ),
                )
            )
            if rows:
                return _session(rows[0])
            if list(
                await db.execute_fetchall(
                    "SELECT 1 FROM sessions WHERE session_id = ?", (session_id,)
                )
            ):
                raise Conflict("session")
            raise NotFound("session")


async def insert(db: aiosqlite.Connection, record: SessionRecord) -> None:
    """Add a row, within the caller's transaction. Raises IntegrityError."""
    await db.execute_fetchall(
        f"INSERT INTO sessions ({_COLUMNS}) VALUES (?{', ?' * 15})",
        (
            record.session_id,
            record.client_id,
            record.purpose,
            record.subject,
            record.nonce,
            record.ticket_hash,
            record.state,
            micros(record.created_at),
            micros(record.expires_at),
            micros_or_none(record.claimed_at),
            micros_or_none(record.finished_at),
            json.dumps(record.reasons),
            record.evidence,
            int(record.replace),
            record.challenge,
            record.consent,
        ),
    )


async def forget(db: aiosqlite.Connection, client_id: str, subject: str) -> int:
    """Remove a subject's sessions, within the caller's transaction; open ones are over by that.
    How many."""
    return await changed(
        db, "DELETE FROM sessions WHERE client_id = ? AND subject = ?", client_id, subject
    )


async def sweep(db: aiosqlite.Connection, before: datetime) -> int:
    """Remove what expired before then, but of clients that have a period of their own, within the
    caller's transaction; how many."""
    return await changed(
        db,
        "DELETE FROM sessions WHERE expires_at < ? AND client_id NOT IN"
        " (SELECT client_id FROM retention WHERE sessions IS NOT NULL)",
        micros(before),
    )
