"""The tables `audit` and `audit_chains`. Not here: what the verbs mean (server/store/audit.py).

A record that belongs to the end of a session is written in that transaction (endings.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite

from server.store.audit import AuditRecord, Note
from server.store.port import Conflict, NotFound, Unavailable
from server.store.sqlite.database import Database
from server.store.sqlite.rows import changed

_COLUMNS = "chain, seq, prev, ref, body, hash, seal"


def _record(row: Sequence[Any]) -> AuditRecord:
    return AuditRecord(*row)


class AuditTrail:
    """The records of all chains in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(
        self, record: AuditRecord, *, names: bool = False, retired: Sequence[str] = ()
    ) -> None:
        """Insert; the keys find the Conflict."""
        async with self._database.transaction() as db:
            await insert(db, record)
            if names:
                await db.execute_fetchall(
                    "INSERT INTO audit_chains (chain) VALUES (?) ON CONFLICT DO NOTHING",
                    (record.chain,),
                )
            for chain in retired:
                await changed(db, "DELETE FROM audit_chains WHERE chain = ?", chain)

    async def last(self, chain: str) -> AuditRecord | None:
        """By primary key, from its end."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM audit WHERE chain = ? ORDER BY seq DESC LIMIT 1", chain
        )
        return _record(rows[0]) if rows else None

    async def live(self) -> Sequence[AuditRecord]:
        """One look at the end of each."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM audit JOIN audit_chains USING (chain) WHERE seq ="
            " (SELECT max(seq) FROM audit AS of WHERE of.chain = audit.chain) ORDER BY chain"
        )
        return [_record(row) for row in rows]

    async def get(self, chain: str, seq: int) -> AuditRecord:
        """By primary key."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM audit WHERE chain = ? AND seq = ?", chain, seq
        )
        if not rows:
            raise NotFound("audit record")
        return _record(rows[0])

    async def records(self, *, after: tuple[str, int], most: int) -> Sequence[AuditRecord]:
        """By primary key."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM audit WHERE (chain, seq) > (?, ?) ORDER BY chain, seq LIMIT ?",
            *after,
            most,
        )
        return [_record(row) for row in rows]

    async def prune(self, chain: str, below: int) -> int:
        """One DELETE."""
        async with self._database.transaction(long=True) as db:
            return await changed(db, "DELETE FROM audit WHERE chain = ? AND seq < ?", chain, below)


async def insert(db: aiosqlite.Connection, record: AuditRecord) -> None:
    """Add a row, within the caller's transaction. Raises Conflict."""
    try:
        await db.execute_fetchall(
            f"INSERT INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                record.chain,
                record.seq,
                record.prev,
                record.ref,
                record.body,
                record.hash,
                record.seal,
            ),
        )
    except sqlite3.IntegrityError as error:
        raise Conflict("audit") from error


@asynccontextmanager
async def noted(database: Database, note: Note | None) -> AsyncIterator[aiosqlite.Connection]:
    """A transaction whose last write is the note's record, if there is one."""
    if note is None:
        async with database.transaction() as db:
            yield db
        return
    async with note.chain.linked(note.entry) as record, database.transaction() as db:
        yield db
        try:
            await insert(db, record)
        except Conflict as error:
            # Not the caller's conflict: the chain is looked at, and the next try finds its place.
            raise Unavailable("SQLite: the place of an audit record is taken") from error
