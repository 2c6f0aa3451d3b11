"""One SQLite file and its two connections: who may write when, who may read, what went wrong.

Every write is one BEGIN IMMEDIATE transaction on the one writer connection, so compare-and-set is
plain SQL; a second connection reads beside it (WAL). Not here: the tables (schema.py), the verbs
(one module for each noun), which fault is which (faults.py).
Source: sqlite.org/wal.html, sqlite.org/pragma.html (synchronous).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiosqlite

from server.store.port import Broken, Unavailable
from server.store.sqlite.faults import named_faults
from server.store.sqlite.schema import migrate

WAIT_S = 2.5
"""How long a call may wait for the file or for its turn before it is Unavailable: shorter than the
browser's patience, far longer than any of our transactions (a few ms with fsync)."""

WORK_S = 5.0
"""How long what a call asks of the file may take once it has its turn, before it is Unavailable: a
thousand times what it takes. Only the commit is waited for however long it takes, because nothing
else says whether it happened."""

IDLE_S = 2.0
"""After so long without a write the journal is written back, so that the file by itself holds
everybody: people do copy it (docs/backups.md)."""


class Database:
    """The file; several processes of one machine may share it."""

    def __init__(
        self, path: Path, *, wait_s: float = WAIT_S, work_s: float = WORK_S, idle_s: float = IDLE_S
    ) -> None:
        self._path = path
        self._wait_s = wait_s
        self._work_s = work_s
        self._idle_s = idle_s
        self._idle: asyncio.TimerHandle | None = None
        self._tidying: asyncio.Task[None] | None = None
        self._undoing: asyncio.Task[None] | None = None
        self._writer: aiosqlite.Connection | None = None
        self._reader: aiosqlite.Connection | None = None
        self._turn = asyncio.Lock()
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Create the file (mode 0600) and its tables. Raises Unavailable, Broken, WrongSchema."""
        async with self._opening:
            if self._reader is not None:
                return
            try:
                with named_faults(self._path):
                    await asyncio.to_thread(self._create_file)
                    self._writer = await self._connect()
                    await self._use_wal(self._writer)
                    await self._writer.execute_fetchall("PRAGMA synchronous = FULL")
                    await self._writer.execute_fetchall("PRAGMA foreign_keys = ON")
                    # Who asks to be forgotten shall not stay in a free page, sealed or not.
                    await self._writer.execute_fetchall("PRAGMA secure_delete = ON")
                    await self._look_whole(self._writer)
                async with self.transaction(long=True) as db:
                    await migrate(db, self._path)
                with named_faults(self._path):
                    self._reader = await self._connect()
                    await self._reader.execute_fetchall("PRAGMA query_only = ON")
            except BaseException:
                await self._close()
                raise

    async def close(self) -> None:
        """Wait for the write under way, then close both connections and their threads."""
        if self._idle is not None:
            self._idle.cancel()
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
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(file).st_mode & 0o077:  # as `cp` of a backup leaves it
                with suppress(PermissionError):  # somebody else's, who lets us write
                    os.fchmod(file, 0o600)
        finally:
            os.close(file)

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

    async def _look_whole(self, db: aiosqlite.Connection) -> None:
        """Read every page once, because a damaged one is met by its people only, much later.

        0.1 s for 20,000 templates (83 MB, in the page cache). Raises Broken.
        """
        found = list(await db.execute_fetchall("PRAGMA quick_check(1)"))
        if [row[0] for row in found] != ["ok"]:
            raise Broken(f"the database file {self._path}", "SQLite: quick_check")

    @asynccontextmanager
    async def transaction(self, *, long: bool = False) -> AsyncIterator[aiosqlite.Connection]:
        """One write. Cancelling it anywhere leaves nothing half done: what was queued on the
        connection's thread is followed there by the rollback, before anybody else's turn.
        `long`: what it has to do grows with the database.

        Raises Unavailable, Broken, and IntegrityError as it is."""
        try:
            async with asyncio.timeout(self._wait_s):
                await self._turn.acquire()
        except TimeoutError as error:
            raise Unavailable("SQLite: too many writes are waiting") from error
        undoing = False
        try:
            db = self._writer
            if db is None:
                raise Unavailable("SQLite: the store is not open")
            limit = asyncio.timeout(None if long else self._work_s)
            try:
                with named_faults(self._path):
                    async with limit:
                        await db.execute_fetchall("BEGIN IMMEDIATE")
                        yield db
                    await db.commit()
                self._wait_for_idle()
            except BaseException:
                undoing = limit.expired()
                if undoing:  # nobody waits twice for a disk that does not answer
                    self._undoing = asyncio.create_task(self._undo_in_turn(db))
                else:
                    await self._undo(db)
                raise
        finally:
            if not undoing:
                self._turn.release()

    async def _undo(self, db: aiosqlite.Connection) -> None:
        with suppress(sqlite3.Error):  # the first failure is the one to tell
            await db.rollback()

    async def _undo_in_turn(self, db: aiosqlite.Connection) -> None:
        """Behind what the connection's thread still does; then the turn is somebody else's."""
        try:
            await self._undo(db)
        finally:
            self._turn.release()

    def _wait_for_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()

        def tidy() -> None:
            self._tidying = asyncio.create_task(self.write_back())

        self._idle = asyncio.get_running_loop().call_later(self._idle_s, tidy)

    async def write_back(self) -> None:
        """Bring the journal into the file, as far as no reader is in the way."""
        async with self._turn:
            if self._writer is not None:
                with suppress(sqlite3.Error):  # the next write is told what is wrong
                    await self._writer.execute_fetchall("PRAGMA wal_checkpoint(PASSIVE)")

    async def read(self, sql: str, *parameters: object, long: bool = False) -> list[sqlite3.Row]:
        """The rows of one SELECT, beside whatever is being written. `long`: as of a transaction.

        Raises Unavailable, Broken."""
        db = self._reader
        if db is None:
            raise Unavailable("SQLite: the store is not open")
        with named_faults(self._path):
            async with asyncio.timeout(None if long else self._work_s):
                return list(await db.execute_fetchall(sql, parameters))
