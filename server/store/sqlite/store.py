"""The Store on one SQLite file: its nouns, its life, and the two verbs that span several tables.

Not here: the connections (database.py), the tables (schema.py), what the verbs mean (port.py).
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from server.store.port import KEPT_AFTER_EXPIRY
from server.store.sqlite import clients, failures, keys, sessions, templates
from server.store.sqlite.database import WAIT_S, Database


class SqliteStore:
    """The Store protocol on a file; several processes of one machine may share it."""

    def __init__(self, path: Path, *, wait_s: float = WAIT_S) -> None:
        self.database = Database(path, wait_s=wait_s)
        self.clients = clients.Clients(self.database)
        self.sessions = sessions.Sessions(self.database)
        self.templates = templates.Templates(self.database)
        self.failures = failures.Failures(self.database)
        self.keys = keys.Keys(self.database)

    async def open(self) -> None:
        """Create the file (mode 0600) and its tables. Raises Unavailable, WrongSchema."""
        await self.database.open()

    async def close(self) -> None:
        """Wait for the write under way, then close both connections and their threads."""
        await self.database.close()

    async def ping(self) -> None:
        """Read a table."""
        await self.database.read("SELECT count(*) FROM clients")

    async def sweep(self, now: datetime) -> int:
        """Sessions and published keys, in one transaction."""
        before = now - KEPT_AFTER_EXPIRY
        async with self.database.transaction() as db:
            return await sessions.sweep(db, before) + await keys.sweep(db, before)

    async def forget_subject(self, client_id: str, subject: str) -> int:
        """One transaction over the three tables."""
        async with self.database.transaction() as db:
            removed = await templates.forget(db, client_id, subject)
            await failures.forget(db, client_id, subject)
            await sessions.forget(db, client_id, subject)
            return removed
