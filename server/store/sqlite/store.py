"""The Store on one SQLite file: its nouns, its life, and the two verbs that span several tables.

Not here: the connections (database.py), the tables (schema.py), what the verbs mean (port.py).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from server.store.port import KEPT_AFTER_EXPIRY, Client, SessionRecord
from server.store.sqlite import (
    anchors,
    audit,
    clients,
    consents,
    endings,
    fingerprints,
    keys,
    retention,
    sessions,
    templates,
    tries,
)
from server.store.sqlite.database import IDLE_S, WAIT_S, WORK_S, Database
from server.store.sqlite.oidc import (
    authenticators,
    codes,
    invitations,
    logins,
    otps,
    profiles,
    pushed,
    recovery,
    seen,
    whole,
)
from server.store.sqlite.rows import changed
from server.store.tries import LIMITS, Limits


class SqliteStore:
    """The Store protocol on a file; several processes of one machine may share it."""

    def __init__(
        self,
        path: Path,
        *,
        wait_s: float = WAIT_S,
        work_s: float = WORK_S,
        idle_s: float = IDLE_S,
        limits: Limits = LIMITS,
    ) -> None:
        """`limits`: of failed tries."""
        self.database = Database(path, wait_s=wait_s, work_s=work_s, idle_s=idle_s)
        self.clients = clients.Clients(self.database)
        self.sessions = sessions.Sessions(self.database)
        self.templates = templates.Templates(self.database)
        self.anchors = anchors.Anchors(self.database)
        self.tries = tries.Tries(self.database, limits)
        self.keys = keys.Keys(self.database)
        self.retention = retention.Retention(self.database)
        self.endings = endings.Endings(self.database, limits)
        self.audit = audit.AuditTrail(self.database)
        self.consents = consents.Consents(self.database)
        self.logins = logins.Logins(self.database)
        self.pushed = pushed.PushedRequests(self.database)
        self.codes = codes.Codes(self.database)
        self.access = codes.AccessTokens(self.database)
        self.authenticators = authenticators.Authenticators(self.database)
        self.otps = otps.Otps(self.database)
        self.recovery = recovery.RecoveryCodes(self.database)
        self.invitations = invitations.Invitations(self.database)
        self.profiles = profiles.Profiles(self.database)
        self.seen = seen.Seen(self.database)
        self.fingerprints = fingerprints.Fingerprints(self.database)

    async def open(self) -> None:
        """Create the file (mode 0600) and its tables. Raises Unavailable, Broken, WrongSchema."""
        await self.database.open()

    async def close(self) -> None:
        """Wait for the write under way, then close both connections and their threads."""
        await self.database.close()

    async def check(self, now: datetime) -> None:
        """A client and its session are added and removed again, in one transaction that is written
        to the disk; then a read on the other connection."""
        client_id = ".check"  # no client can be called so
        async with self.database.transaction() as db:
            await clients.insert(db, Client(client_id, bytes(32), (), "", now))
            session = SessionRecord(
                session_id=secrets.token_urlsafe(32),
                client_id=client_id,
                purpose="login",
                subject=client_id,
                nonce="n" * 128,
                ticket_hash=bytes(32),
                state="new",
                created_at=now,
                expires_at=now,
                # As long as a table of rows: a full disk has no room for that either.
                evidence=" " * 8192,
            )
            await sessions.insert(db, session)
            await changed(db, "DELETE FROM clients WHERE client_id = ?", client_id)
        await self.database.read("SELECT 1 FROM templates LIMIT 1")

    async def sweep(self, now: datetime) -> int:
        """Everything that has an end, in one transaction."""
        before = now - KEPT_AFTER_EXPIRY
        async with self.database.transaction(long=True) as db:
            swept = await sessions.sweep(db, before) + await keys.sweep(db, before)
            return swept + await tries.sweep(db, before) + await whole.sweep(db, before)

    async def forget_subject(self, client_id: str, subject: str) -> Mapping[str, int]:
        """One transaction over all tables that name a subject."""
        async with self.database.transaction() as db:
            beside = await whole.forget(db, client_id, subject)
            return {
                "fingerprints": await fingerprints.forget(db, client_id, subject),
                "sessions": await sessions.forget(db, client_id, subject),
                "templates": await templates.forget(db, client_id, subject),
                "tries": await tries.forget(db, client_id, subject),
                "successes": await retention.forget(db, client_id, subject),
                **beside,
            }
