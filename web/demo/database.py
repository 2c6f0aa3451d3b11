"""The demo app's SQLite file: schema and transactions. Accounts and visits know what it means.

One connection behind a lock, in a thread: plenty for a demo.
Source: sqlite.org/lang_transaction.html.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    id TEXT PRIMARY KEY,                  -- random; all that Lookgate learns of this person
    name TEXT NOT NULL,
    username TEXT NOT NULL UNIQUE,        -- lower case
    email TEXT NOT NULL,                  -- lower case; not unique, because nobody proved it
    phone TEXT NOT NULL,
    password TEXT NOT NULL,               -- argon2id
    created_s REAL NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0   -- wrong passwords in a row, of strange devices
) STRICT;
CREATE TABLE IF NOT EXISTS visits (
    id TEXT PRIMARY KEY,                  -- SHA-256 of the cookie: this file opens no door
    user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    level TEXT NOT NULL CHECK (level IN ('password', 'member')),
    csrf TEXT NOT NULL,
    claims TEXT,                          -- JSON of the last token, to be shown
    expires_s REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS attempts (     -- face sessions this app asked for and waits for
    nonce TEXT PRIMARY KEY,
    visit_id TEXT NOT NULL REFERENCES visits(id) ON DELETE CASCADE,
    session TEXT NOT NULL,
    purpose TEXT NOT NULL,
    expires_s REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS used_tokens (jti TEXT PRIMARY KEY, expires_s REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS tries (key TEXT NOT NULL, expires_s REAL NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS tries_key ON tries (key, expires_s);
CREATE INDEX IF NOT EXISTS tries_end ON tries (expires_s);
CREATE TABLE IF NOT EXISTS devices (
    id TEXT NOT NULL,                     -- SHA-256 of the device cookie
    user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    failures INTEGER NOT NULL,
    expires_s REAL NOT NULL,
    PRIMARY KEY (id, user_id)
) STRICT;
CREATE TABLE IF NOT EXISTS codes (
    hash TEXT PRIMARY KEY,                -- SHA-256 of a recovery code
    user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    failures INTEGER NOT NULL DEFAULT 0
) STRICT;
"""

_VERSION = 1
_FROM_0 = """
DROP TABLE visits;
DROP TABLE attempts;
DROP TABLE failures;
ALTER TABLE users RENAME TO old_users;
"""
"""Before versions were counted, e-mail addresses were unique, guests had rows, and whether a face
is set up was kept here too, where it could differ from what Lookgate knows."""
_COPY_0 = """
INSERT INTO users (id, name, username, email, phone, password, created_s)
    SELECT id, name, username, email, phone, password, created_s FROM old_users;
DROP TABLE old_users;
"""


class Database:
    """Use `do` with a function of a connection; each call is one transaction."""

    def __init__(self, path: Path) -> None:
        """Raises sqlite3.Error, or OSError when the file can be neither opened nor made."""
        _keep_private(path)
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._make()
        self._connection.execute("PRAGMA foreign_keys=ON")
        self._lock = asyncio.Lock()

    def _make(self) -> None:
        """All tables, those of an older file included, or none of it."""
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        query = "SELECT 1 FROM sqlite_schema WHERE name = 'users'"
        old = version == 0 and self._connection.execute(query).fetchone()
        steps = (_FROM_0 if old else "", _SCHEMA, _COPY_0 if old else "")
        script = f"BEGIN IMMEDIATE; {''.join(steps)} PRAGMA user_version = {_VERSION}; COMMIT;"
        self._connection.executescript(script)

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction that is undone when it raises."""

        def transaction() -> T:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(self._connection)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
            return result

        async with self._lock:
            # Shielded: a thread cannot be cancelled, and the lock must outlive its transaction.
            return await _finish(asyncio.to_thread(transaction))

    def close(self) -> None:
        self._connection.close()


def _keep_private(path: Path) -> None:
    """Nobody else reads names, addresses and hashes (OWASP ASVS 5.0 13.3.2, 14.2)."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    # SQLite makes its -wal and -shm with the mode of the file, and keeps those that are there.
    for file in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
        if file.exists():
            file.chmod(0o600)


async def _finish(work: Coroutine[None, None, T]) -> T:
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
