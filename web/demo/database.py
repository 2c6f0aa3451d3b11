"""The demo app's SQLite file: schema and transactions. Accounts and visits know what it means.

One connection behind a lock, in a thread: plenty for a demo.
Source: sqlite.org/lang_transaction.html.
"""

from __future__ import annotations

import asyncio
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
    email TEXT NOT NULL UNIQUE,           -- lower case
    phone TEXT NOT NULL,
    password TEXT NOT NULL,               -- argon2id
    enrolled INTEGER NOT NULL DEFAULT 0,  -- 1: Lookgate said, by a token, that it has a template
    created_s REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS visits (
    id TEXT PRIMARY KEY,                  -- SHA-256 of the cookie: this file opens no door
    user_id TEXT REFERENCES users(id) ON DELETE CASCADE,
    level TEXT NOT NULL CHECK (level IN ('guest', 'password', 'member')),
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
CREATE TABLE IF NOT EXISTS failures (key TEXT NOT NULL, at_s REAL NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS failures_key ON failures (key, at_s);
"""


class Database:
    """Use `do` with a function of a connection; each call is one transaction."""

    def __init__(self, path: Path | str) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON;" + _SCHEMA)
        self._lock = asyncio.Lock()

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


async def _finish(work: Coroutine[None, None, T]) -> T:
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
