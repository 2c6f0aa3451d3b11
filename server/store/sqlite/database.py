"""The store in one SQLite file: the embedded default, no server to install.

The only place that imports aiosqlite. Every write is one BEGIN IMMEDIATE transaction on the one
writer connection, so compare-and-set is plain SQL; a second connection reads beside it (WAL).
Source: sqlite.org/wal.html, sqlite.org/pragma.html (synchronous), sqlite.org/stricttables.html.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiosqlite

from server.store.port import (
    Client,
    Conflict,
    KeyRecord,
    NotFound,
    SessionRecord,
    TemplateRecord,
    Unavailable,
    WrongSchema,
)

WAIT_S = 2.5
"""How long a call may wait for the file or for its turn before it is Unavailable: shorter than the
browser's patience, far longer than any of our transactions (a few ms with fsync)."""

KEPT_AFTER_EXPIRY = timedelta(days=1)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE clients (
            client_id TEXT PRIMARY KEY, secret_hash BLOB NOT NULL, origins TEXT NOT NULL,
            policy TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT, WITHOUT ROWID""",
        """CREATE TABLE sessions (
            session_id TEXT PRIMARY KEY,
            client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
            purpose TEXT NOT NULL, subject TEXT, nonce TEXT NOT NULL, ticket_hash BLOB NOT NULL,
            state TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
            claimed_at INTEGER, finished_at INTEGER, reasons TEXT NOT NULL,
            evidence TEXT NOT NULL, replace_template INTEGER NOT NULL) STRICT""",
        "CREATE INDEX sessions_by_subject ON sessions (client_id, subject)",
        "CREATE INDEX sessions_by_expiry ON sessions (expires_at)",
        """CREATE TABLE templates (
            client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
            subject TEXT NOT NULL, template_id TEXT NOT NULL, model_id TEXT NOT NULL,
            created_at INTEGER NOT NULL, quality REAL NOT NULL, key_id TEXT NOT NULL,
            sealed BLOB NOT NULL, PRIMARY KEY (client_id, subject)) STRICT""",
        # No foreign key: the count outlives the client (see Store.gallery_version).
        """CREATE TABLE galleries (
            client_id TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID""",
        """CREATE TABLE failures (
            client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
            subject TEXT NOT NULL, n INTEGER NOT NULL, last_at INTEGER NOT NULL,
            PRIMARY KEY (client_id, subject)) STRICT, WITHOUT ROWID""",
        """CREATE TABLE signing_keys (
            kid TEXT PRIMARY KEY, public_jwk TEXT NOT NULL, sealed_private BLOB NOT NULL,
            created_at INTEGER NOT NULL, retire_at INTEGER) STRICT""",
        # At most one key signs, whoever asks: the race of two first starts ends here.
        """CREATE UNIQUE INDEX one_key_signs ON signing_keys (retire_at IS NULL)
            WHERE retire_at IS NULL""",
    ),
    ("ALTER TABLE sessions ADD COLUMN challenge TEXT NOT NULL DEFAULT 'none'",),
)
"""Statements that lead from schema version i to i + 1 (PRAGMA user_version); only ever appended."""

_CLIENT = "client_id, secret_hash, origins, policy, created_at"
_SESSION = (
    "session_id, client_id, purpose, subject, nonce, ticket_hash, state, created_at, expires_at,"
    " claimed_at, finished_at, reasons, evidence, replace_template, challenge"
)
_TEMPLATE = "client_id, subject, template_id, model_id, created_at, quality, key_id, sealed"
_KEY = "kid, public_jwk, sealed_private, created_at, retire_at"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _micros(moment: datetime) -> int:
    """Integer microseconds since 1970 UTC, exact. Raises TypeError for a naive datetime."""
    return (moment - _EPOCH) // _MICROSECOND


def _micros_or_none(moment: datetime | None) -> int | None:
    return None if moment is None else _micros(moment)


def _moment(micros: int) -> datetime:
    return _EPOCH + micros * _MICROSECOND


def _moment_or_none(micros: int | None) -> datetime | None:
    return None if micros is None else _moment(micros)


def _client(row: Sequence[Any]) -> Client:
    return Client(row[0], row[1], tuple(json.loads(row[2])), row[3], _moment(row[4]))


def _session(row: Sequence[Any]) -> SessionRecord:
    return SessionRecord(
        session_id=row[0],
        client_id=row[1],
        purpose=row[2],
        subject=row[3],
        nonce=row[4],
        ticket_hash=row[5],
        state=row[6],
        created_at=_moment(row[7]),
        expires_at=_moment(row[8]),
        claimed_at=_moment_or_none(row[9]),
        finished_at=_moment_or_none(row[10]),
        reasons=tuple(json.loads(row[11])),
        evidence=row[12],
        replace=bool(row[13]),
        challenge=row[14],
    )


def _template(row: Sequence[Any]) -> TemplateRecord:
    return TemplateRecord(row[0], row[1], row[2], row[3], _moment(row[4]), row[5], row[6], row[7])


def _key(row: Sequence[Any]) -> KeyRecord:
    return KeyRecord(row[0], row[1], row[2], _moment(row[3]), _moment_or_none(row[4]))


@contextmanager
def _mapped() -> Iterator[None]:
    """Name the database's failures; IntegrityError means different things and stays as it is."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except (sqlite3.DatabaseError, OSError) as error:
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        raise Unavailable(f"SQLite: {name}") from error


def _is_missing_client(error: sqlite3.IntegrityError) -> bool:
    return bool(error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY)


class SqliteStore:
    """The Store protocol on a file; several processes of one machine may share it."""

    def __init__(self, path: Path, *, wait_s: float = WAIT_S) -> None:
        self._path = path
        self._wait_s = wait_s
        self._writer: aiosqlite.Connection | None = None
        self._reader: aiosqlite.Connection | None = None
        self._turn = asyncio.Lock()
        self._opening = asyncio.Lock()

    # life

    async def open(self) -> None:
        """Create the file (mode 0600) and its tables. Raises Unavailable, WrongSchema."""
        async with self._opening:
            if self._reader is not None:
                return
            try:
                with _mapped():
                    await asyncio.to_thread(self._create_file)
                    self._writer = await self._connect()
                    await self._use_wal(self._writer)
                    await self._writer.execute_fetchall("PRAGMA synchronous = FULL")
                    await self._writer.execute_fetchall("PRAGMA foreign_keys = ON")
                    # Who asks to be forgotten shall not stay in a free page, sealed or not.
                    await self._writer.execute_fetchall("PRAGMA secure_delete = ON")
                await self._migrate()
                with _mapped():
                    self._reader = await self._connect()
                    await self._reader.execute_fetchall("PRAGMA query_only = ON")
            except BaseException:
                await self._close()
                raise

    async def close(self) -> None:
        """Wait for the write under way, then close both connections and their threads."""
        async with self._opening, self._turn:
            await self._close()

    async def _close(self) -> None:
        reader, self._reader = self._reader, None
        writer, self._writer = self._writer, None
        for connection in (reader, writer):
            if connection is not None:
                await connection.close()

    def _create_file(self) -> None:
        """SQLite gives the file's mode to its -wal and -shm files, but not a private one to it."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    async def _connect(self) -> aiosqlite.Connection:
        return await aiosqlite.connect(self._path, timeout=self._wait_s, isolation_level=None)

    async def _use_wal(self, db: aiosqlite.Connection) -> None:
        """Switching the journal mode does not wait for locks as the rest does: ask again."""
        deadline_s = asyncio.get_running_loop().time() + self._wait_s
        while True:
            try:
                await db.execute_fetchall("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError:
                if asyncio.get_running_loop().time() >= deadline_s:
                    raise
                await asyncio.sleep(0.02)

    async def _migrate(self) -> None:
        async with self._transaction() as db:
            ((version,),) = await db.execute_fetchall("PRAGMA user_version")
            if version > len(MIGRATIONS):
                raise WrongSchema(
                    f"{self._path} has schema version {version}; this Lookgate knows up to"
                    f" {len(MIGRATIONS)}. Start the newer version, or restore a backup."
                )
            for statements in MIGRATIONS[version:]:
                for statement in statements:
                    await db.execute_fetchall(statement)
            if version < len(MIGRATIONS):
                await db.execute_fetchall(f"PRAGMA user_version = {len(MIGRATIONS)}")

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """One write. Cancelling it anywhere leaves nothing half done: what was queued on the
        connection's thread is followed there by the rollback, before anybody else's turn."""
        try:
            async with asyncio.timeout(self._wait_s):
                await self._turn.acquire()
        except TimeoutError as error:
            raise Unavailable("SQLite: too many writes are waiting") from error
        try:
            db = self._writer
            if db is None:
                raise Unavailable("SQLite: the store is not open")
            try:
                with _mapped():
                    await db.execute_fetchall("BEGIN IMMEDIATE")
                    yield db
                    await db.commit()
            except BaseException:
                with suppress(sqlite3.Error):  # the first failure is the one to tell
                    await db.rollback()
                raise
        finally:
            self._turn.release()

    async def _read(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        db = self._reader
        if db is None:
            raise Unavailable("SQLite: the store is not open")
        with _mapped():
            return list(await db.execute_fetchall(sql, parameters))

    async def ping(self) -> None:
        """Read the schema version."""
        await self._read("SELECT count(*) FROM clients")

    async def sweep(self, now: datetime) -> int:
        """Sessions and published keys that are over for more than a day."""
        before = _micros(now - KEPT_AFTER_EXPIRY)
        async with self._transaction() as db:
            sessions = await _changed(db, "DELETE FROM sessions WHERE expires_at < ?", before)
            return sessions + await _changed(
                db, "DELETE FROM signing_keys WHERE retire_at < ?", before
            )

    # clients

    async def add_client(self, client: Client) -> None:
        """Insert; the primary key finds the Conflict."""
        try:
            async with self._transaction() as db:
                await db.execute_fetchall(
                    f"INSERT INTO clients ({_CLIENT}) VALUES (?, ?, ?, ?, ?)",
                    (
                        client.client_id,
                        client.secret_hash,
                        json.dumps(client.origins),
                        client.policy,
                        _micros(client.created_at),
                    ),
                )
        except sqlite3.IntegrityError as error:
            raise Conflict("client") from error

    async def client(self, client_id: str) -> Client:
        """By primary key."""
        rows = await self._read(f"SELECT {_CLIENT} FROM clients WHERE client_id = ?", client_id)
        if not rows:
            raise NotFound("client")
        return _client(rows[0])

    async def clients(self) -> Sequence[Client]:
        """All, in the byte order of their ids."""
        rows = await self._read(f"SELECT {_CLIENT} FROM clients ORDER BY client_id")
        return [_client(row) for row in rows]

    async def set_client_secret(self, client_id: str, secret_hash: bytes) -> None:
        """Overwrite the hash."""
        async with self._transaction() as db:
            if not await _changed(
                db,
                "UPDATE clients SET secret_hash = ? WHERE client_id = ?",
                secret_hash,
                client_id,
            ):
                raise NotFound("client")

    async def remove_client(self, client_id: str) -> None:
        """One DELETE: sessions, templates and failures go by their foreign keys."""
        async with self._transaction() as db:
            if not await _changed(db, "DELETE FROM clients WHERE client_id = ?", client_id):
                raise NotFound("client")
            await db.execute_fetchall(
                "UPDATE galleries SET version = version + 1 WHERE client_id = ?", (client_id,)
            )

    # sessions

    async def add_session(self, record: SessionRecord) -> None:
        """Insert; the keys find the Conflict and the missing client."""
        try:
            async with self._transaction() as db:
                await db.execute_fetchall(
                    f"INSERT INTO sessions ({_SESSION})"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        record.session_id,
                        record.client_id,
                        record.purpose,
                        record.subject,
                        record.nonce,
                        record.ticket_hash,
                        record.state,
                        _micros(record.created_at),
                        _micros(record.expires_at),
                        _micros_or_none(record.claimed_at),
                        _micros_or_none(record.finished_at),
                        json.dumps(record.reasons),
                        record.evidence,
                        int(record.replace),
                        record.challenge,
                    ),
                )
        except sqlite3.IntegrityError as error:
            if _is_missing_client(error):
                raise NotFound("client") from error
            raise Conflict("session") from error

    async def session(self, session_id: str) -> SessionRecord:
        """By primary key."""
        rows = await self._read(f"SELECT {_SESSION} FROM sessions WHERE session_id = ?", session_id)
        if not rows:
            raise NotFound("session")
        return _session(rows[0])

    async def claim_session(
        self, session_id: str, ticket_hash: bytes, now: datetime
    ) -> SessionRecord:
        """One UPDATE whose WHERE holds every condition; the row it returns is the winner's."""
        this = (session_id, ticket_hash, _micros(now))
        mine = "session_id = ? AND ticket_hash = ? AND expires_at > ?"
        async with self._transaction() as db:
            rows = list(
                await db.execute_fetchall(
                    "UPDATE sessions SET state = 'live', claimed_at = ?"
                    f" WHERE state = 'new' AND {mine} RETURNING {_SESSION}",
                    (_micros(now), *this),
                )
            )
            if rows:
                return _session(rows[0])
            if list(await db.execute_fetchall(f"SELECT 1 FROM sessions WHERE {mine}", this)):
                raise Conflict("session")
            raise NotFound("session")

    async def finish_session(
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
        async with self._transaction() as db:
            rows = list(
                await db.execute_fetchall(
                    "UPDATE sessions SET state = ?, finished_at = ?, reasons = ?, evidence = ?,"
                    " subject = coalesce(subject, ?)"
                    " WHERE session_id = ? AND state = ? AND coalesce(subject, ?, '') ="
                    f" coalesce(?, subject, '') RETURNING {_SESSION}",
                    (
                        now_is,
                        _micros(at),
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

    # templates

    async def put_template(self, record: TemplateRecord, *, replace: bool) -> None:
        """Insert, or replace what the subject has; the gallery's version grows with it."""
        instead = (
            " ON CONFLICT (client_id, subject) DO UPDATE SET template_id = excluded.template_id,"
            " model_id = excluded.model_id, created_at = excluded.created_at,"
            " quality = excluded.quality, key_id = excluded.key_id, sealed = excluded.sealed"
        )
        try:
            async with self._transaction() as db:
                await db.execute_fetchall(
                    f"INSERT INTO templates ({_TEMPLATE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                    + (instead if replace else ""),
                    (
                        record.client_id,
                        record.subject,
                        record.template_id,
                        record.model_id,
                        _micros(record.created_at),
                        float(record.quality),
                        record.key_id,
                        record.sealed,
                    ),
                )
                await _bump(db, record.client_id)
        except sqlite3.IntegrityError as error:
            if _is_missing_client(error):
                raise NotFound("client") from error
            raise Conflict("template") from error

    async def template(self, client_id: str, subject: str) -> TemplateRecord:
        """By primary key."""
        rows = await self._read(
            f"SELECT {_TEMPLATE} FROM templates WHERE client_id = ? AND subject = ?",
            client_id,
            subject,
        )
        if not rows:
            raise NotFound("template")
        return _template(rows[0])

    async def templates(self, client_id: str) -> Sequence[TemplateRecord]:
        """A client's all, in the byte order of their subjects."""
        rows = await self._read(
            f"SELECT {_TEMPLATE} FROM templates WHERE client_id = ? ORDER BY subject", client_id
        )
        return [_template(row) for row in rows]

    async def gallery_version(self, client_id: str) -> int:
        """Changes so far."""
        rows = await self._read("SELECT version FROM galleries WHERE client_id = ?", client_id)
        return int(rows[0][0]) if rows else 0

    async def remove_subject(self, client_id: str, subject: str) -> int:
        """One transaction over the three tables."""
        whose = "client_id = ? AND subject = ?"
        async with self._transaction() as db:
            removed = await _changed(db, f"DELETE FROM templates WHERE {whose}", client_id, subject)
            await _changed(db, f"DELETE FROM failures WHERE {whose}", client_id, subject)
            await _changed(
                db,
                f"DELETE FROM sessions WHERE {whose} AND state NOT IN ('new', 'live')",
                client_id,
                subject,
            )
            if removed:
                await _bump(db, client_id)
            return removed

    # failures

    async def add_failure(self, client_id: str, subject: str, now: datetime) -> int:
        """Insert 1 or add 1, in one statement."""
        try:
            async with self._transaction() as db:
                ((n,),) = await db.execute_fetchall(
                    "INSERT INTO failures (client_id, subject, n, last_at) VALUES (?, ?, 1, ?)"
                    " ON CONFLICT (client_id, subject) DO UPDATE SET n = n + 1,"
                    " last_at = max(last_at, excluded.last_at) RETURNING n",
                    (client_id, subject, _micros(now)),
                )
                return int(n)
        except sqlite3.IntegrityError as error:
            raise NotFound("client") from error

    async def failures(self, client_id: str, subject: str) -> tuple[int, datetime | None]:
        """By primary key; (0, None) if there is no row."""
        rows = await self._read(
            "SELECT n, last_at FROM failures WHERE client_id = ? AND subject = ?",
            client_id,
            subject,
        )
        return (int(rows[0][0]), _moment(rows[0][1])) if rows else (0, None)

    async def clear_failures(self, client_id: str, subject: str) -> None:
        """Remove the row."""
        async with self._transaction() as db:
            await _changed(
                db, "DELETE FROM failures WHERE client_id = ? AND subject = ?", client_id, subject
            )

    # signing keys

    async def add_key(self, record: KeyRecord, *, retire_others_at: datetime | None) -> None:
        """Retire the one that signs and insert; the partial unique index decides a race."""
        try:
            async with self._transaction() as db:
                if retire_others_at is not None:
                    await db.execute_fetchall(
                        "UPDATE signing_keys SET retire_at = ? WHERE retire_at IS NULL",
                        (_micros(retire_others_at),),
                    )
                await db.execute_fetchall(
                    f"INSERT INTO signing_keys ({_KEY}) VALUES (?, ?, ?, ?, ?)",
                    (
                        record.kid,
                        record.public_jwk,
                        record.sealed_private,
                        _micros(record.created_at),
                        _micros_or_none(record.retire_at),
                    ),
                )
        except sqlite3.IntegrityError as error:
            raise Conflict("key") from error

    async def keys(self, now: datetime) -> Sequence[KeyRecord]:
        """Not those whose time is over at `now`."""
        rows = await self._read(
            f"SELECT {_KEY} FROM signing_keys WHERE retire_at IS NULL OR retire_at > ?"
            " ORDER BY retire_at IS NOT NULL, created_at DESC, kid",
            _micros(now),
        )
        return [_key(row) for row in rows]


async def _changed(db: aiosqlite.Connection, sql: str, *parameters: object) -> int:
    """Run one DELETE or UPDATE; how many rows it met."""
    return len(list(await db.execute_fetchall(f"{sql} RETURNING 1", parameters)))


async def _bump(db: aiosqlite.Connection, client_id: str) -> None:
    await db.execute_fetchall(
        "INSERT INTO galleries (client_id, version) VALUES (?, 1)"
        " ON CONFLICT (client_id) DO UPDATE SET version = version + 1",
        (client_id,),
    )
