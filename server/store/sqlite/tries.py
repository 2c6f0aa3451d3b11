"""The table `tries`. Not here: what the verbs mean, and the rules (server/store/tries.py)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import aiosqlite

from server.store.port import Conflict, NotFound
from server.store.sqlite.database import Database
from server.store.sqlite.rows import (
    changed,
    is_missing_client,
    micros,
    micros_or_none,
    moment,
    moment_or_none,
)
from server.store.tries import Counter, Held, Kind, Limits, Refused, Tally, ended

_COLUMNS = "n, total, since, last_at, taken, tag"
_THIS = "client_id = ? AND kind = ? AND key = ?"


@dataclass(frozen=True, slots=True)
class Tries:
    """Counters in SQLite."""

    database: Database
    limits: Limits

    async def take(
        self, session_id: str, counters: Sequence[Counter], now: datetime
    ) -> Refused | None:
        """One transaction: every counter is looked at before one is written."""
        try:
            async with self.database.transaction() as db:
                next_ones = []
                for counter in counters:
                    found = await _load(db, counter)
                    if found is None and counter.kind is Kind.DEVICE:
                        raise NotFound("device")
                    tally, limit = found or Tally(), self.limits[counter.kind]
                    if (refused := tally.refusal(now, limit)) is not None:
                        return refused
                    next_ones.append((counter, tally.take(session_id, now, limit)))
                for counter, tally in next_ones:
                    await _save(db, counter, tally)
                await changed(
                    db,
                    "UPDATE sessions SET tries = ? WHERE session_id = ?",
                    names_of(counters),
                    session_id,
                )
                return None
        except sqlite3.IntegrityError as error:
            raise NotFound("client") from error

    async def end(
        self, session_id: str, counters: Sequence[Counter], *, failed: bool | None, at: datetime
    ) -> None:
        """One transaction."""
        async with self.database.transaction() as db:
            for client_id in {one.client_id for one in counters}:
                theirs = [one for one in counters if one.client_id == client_id]
                await end(
                    db, client_id, session_id, names_of(theirs), self.limits, failed=failed, at=at
                )

    async def tally(self, counter: Counter) -> Tally:
        """By primary key."""
        rows = await self.database.read(
            f"SELECT {_COLUMNS} FROM tries WHERE {_THIS}",
            *(counter.client_id, counter.kind, counter.key),
        )
        return (_tally(rows[0], counter.tag) if rows else None) or Tally()

    async def keep_device(
        self, device: Counter, until: datetime, *, most: int, instead: str | None = None
    ) -> None:
        """Insert, then remove what is too many."""
        try:
            async with self.database.transaction() as db:
                await db.execute_fetchall(
                    "INSERT INTO tries (client_id, kind, key, subject, expires_at)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (device.client_id, device.kind, device.key, device.subject, micros(until)),
                )
                await changed(
                    db,
                    "DELETE FROM tries WHERE client_id = ? AND subject = ? AND kind = ?"
                    " AND key = ?",
                    *(device.client_id, device.subject, device.kind, instead),
                )
                await changed(
                    db,
                    "DELETE FROM tries WHERE client_id = ? AND subject = ? AND kind = ?"
                    " AND key NOT IN (SELECT key FROM tries WHERE client_id = ? AND subject = ?"
                    " AND kind = ? ORDER BY key = ? DESC, expires_at DESC LIMIT ?)",
                    *(device.client_id, device.subject, device.kind) * 2,
                    *(device.key, most),
                )
        except sqlite3.IntegrityError as error:
            if is_missing_client(error):
                raise NotFound("client") from error
            raise Conflict("device") from error

    async def knows_device(self, device: Counter, now: datetime) -> bool:
        """By primary key; an expired one is absent."""
        rows = await self.database.read(
            f"SELECT 1 FROM tries WHERE {_THIS} AND subject = ? AND expires_at > ?",
            *(device.client_id, device.kind, device.key, device.subject, micros(now)),
        )
        return bool(rows)

    async def of_subject(self, client_id: str, subject: str) -> Sequence[Held]:
        """By the index of subjects."""
        rows = await self.database.read(
            f"SELECT {_COLUMNS}, kind, key, expires_at FROM tries"
            " WHERE client_id = ? AND subject = ? ORDER BY kind, key",
            *(client_id, subject),
        )
        return [
            Held(
                Counter(client_id, Kind(row[6]), row[7], subject, row[5]),
                _tally(row, row[5]) or Tally(),
                moment_or_none(row[8]),
            )
            for row in rows
        ]

    async def unlock(self, client_id: str, subject: str, *, forget_devices: bool = False) -> int:
        """One transaction over the subject's rows."""
        async with self.database.transaction() as db:
            rows = await db.execute_fetchall(
                f"SELECT {_COLUMNS}, kind, key FROM tries WHERE client_id = ? AND subject = ?",
                (client_id, subject),
            )
            locked = 0
            for row in rows:
                tally = _tally(row, row[5]) or Tally()
                locked += bool(tally.n or tally.total)
                counter = Counter(client_id, Kind(row[6]), row[7], subject, row[5])
                await _save(db, counter, tally.unlock())
            if forget_devices:
                await changed(
                    db,
                    "DELETE FROM tries WHERE client_id = ? AND subject = ? AND kind = ?",
                    *(client_id, subject, Kind.DEVICE),
                )
            return locked


def names_of(counters: Sequence[Counter]) -> str:
    """As a session's row keeps them."""
    return json.dumps([[one.kind, one.key, one.tag] for one in counters])


async def end(
    db: aiosqlite.Connection,
    client_id: str,
    session_id: str,
    names: str,
    limits: Limits,
    *,
    failed: bool | None,
    at: datetime,
) -> Refused | None:
    """End what a session took (`names`: its column `tries`), within the caller's transaction; why
    the next try may not begin now."""
    refused: Refused | None = None
    for name, key, tag in json.loads(names):
        counter = Counter(client_id, Kind(name), key, None, tag)
        tally = await _load(db, counter)
        if tally is None:
            continue  # forgotten meanwhile
        after = ended(tally, counter.kind, session_id, failed=failed, at=at)
        await _update(db, counter, after)
        refused = refused or after.refusal(at, limits[counter.kind])
    return refused


async def forget(db: aiosqlite.Connection, client_id: str, subject: str) -> int:
    """Remove a subject's counters and devices, within the caller's transaction; how many."""
    return await changed(
        db, "DELETE FROM tries WHERE client_id = ? AND subject = ?", client_id, subject
    )


async def sweep(db: aiosqlite.Connection, before: datetime) -> int:
    """Remove devices that expired before then, and what was counted of a subject while it was being
    forgotten, within the caller's transaction; how many."""
    expired = await changed(db, "DELETE FROM tries WHERE expires_at < ?", micros(before))
    return expired + await changed(
        db,
        "DELETE FROM tries WHERE subject IS NOT NULL AND NOT EXISTS (SELECT 1 FROM templates"
        " WHERE templates.client_id = tries.client_id AND templates.subject = tries.subject)",
    )


async def _load(db: aiosqlite.Connection, counter: Counter) -> Tally | None:
    rows = list(
        await db.execute_fetchall(
            f"SELECT {_COLUMNS} FROM tries WHERE {_THIS}",
            (counter.client_id, counter.kind, counter.key),
        )
    )
    return _tally(rows[0], counter.tag) if rows else None


def _tally(row: sqlite3.Row, tag: str) -> Tally | None:
    """None: the place is another's now."""
    if row[5] != tag:
        return None
    taken = tuple((session, moment(at)) for session, at in json.loads(row[4]))
    return Tally(row[0], row[1], moment_or_none(row[2]), moment_or_none(row[3]), taken)


def _values(tally: Tally) -> tuple[object, ...]:
    taken = json.dumps([[session, micros(at)] for session, at in tally.taken])
    return tally.n, tally.total, micros_or_none(tally.since), micros_or_none(tally.last), taken


async def _save(db: aiosqlite.Connection, counter: Counter, tally: Tally) -> None:
    await db.execute_fetchall(
        f"INSERT INTO tries (client_id, kind, key, subject, {_COLUMNS})"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (client_id, kind, key) DO UPDATE SET"
        " n = excluded.n, total = excluded.total, since = excluded.since,"
        " last_at = excluded.last_at, taken = excluded.taken, tag = excluded.tag",
        (
            *(counter.client_id, counter.kind, counter.key, counter.subject),
            *_values(tally),
            counter.tag,
        ),
    )


async def _update(db: aiosqlite.Connection, counter: Counter, tally: Tally) -> None:
    await changed(
        db,
        f"UPDATE tries SET n = ?, total = ?, since = ?, last_at = ?, taken = ? WHERE {_THIS}",
        *_values(tally),
        *(counter.client_id, counter.kind, counter.key),
    )
