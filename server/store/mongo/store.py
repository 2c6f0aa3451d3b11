"""The Store on a MongoDB database: its nouns, its life, and the two verbs that span several.

No transactions: every verb is one compare-and-set or is safe to repeat, so that a standalone server
does, too (docs/decisions/no-transactions.md). Not here: the connections (database.py), the indexes
(schema.py), what the verbs mean (port.py).
"""

from __future__ import annotations

import secrets
from datetime import datetime

from server.store.mongo import audit, clients, endings, failures, keys, sessions, templates
from server.store.mongo.database import WAIT_S, Database, Prepare
from server.store.mongo.schema import prepare
from server.store.port import KEPT_AFTER_EXPIRY, Unavailable


class MongoStore:
    """The Store protocol on a MongoDB database; several servers may share it."""

    def __init__(
        self,
        url: str,
        *,
        database: str | None = None,
        wait_s: float = WAIT_S,
        prepare: Prepare = prepare,
    ) -> None:
        """`database` wins over the one that the URL names; `lookgate` if neither does. `prepare` is
        as Database takes it."""
        self.database = Database(url, name=database, wait_s=wait_s, prepare=prepare)
        self.clients = clients.Clients(self.database)
        self.sessions = sessions.Sessions(self.database)
        self.templates = templates.Templates(self.database)
        self.failures = failures.Failures(self.database)
        self.keys = keys.Keys(self.database)
        self.endings = endings.Endings(self.database)
        self.audit = audit.AuditTrail(self.database)

    async def open(self) -> None:
        """Connect, check the schema, make the indexes, hold a race that one must win. Raises
        Unavailable, Broken, WrongSchema.

        Raises ValueError for a URL that the driver does not understand; it does not quote it.
        """
        await self.database.open()

    async def close(self) -> None:
        """Close the pool; calls under way become Unavailable."""
        await self.database.close()

    async def check(self, now: datetime) -> None:
        """A session is added, found and removed: only a primary that writes does that, and the ping
        command is answered by any."""
        session_id = f".check-{secrets.token_hex(16)}"
        async with self.database.turn() as db:
            # Nobody's, and expired: should the removal be lost, the TTL index does it.
            await db["sessions"].insert_one(
                {"_id": session_id, "client_id": ".check", "state": "expired", "expires_at": now}
            )
            found = await db["sessions"].find_one({"_id": session_id}, {"_id": 1})
            await db["sessions"].delete_one({"_id": session_id})
        if found is None:
            raise Unavailable("MongoDB: what was written is not there")

    async def sweep(self, now: datetime) -> int:
        """What the TTL index would remove, and published keys."""
        before = now - KEPT_AFTER_EXPIRY
        async with self.database.turn(long=True) as db:
            return await sessions.sweep(db, before) + await keys.sweep(db, before)

    async def forget_subject(self, client_id: str, subject: str) -> int:
        """Sessions first, so that none of them stores anything any more (endings.py); interrupted,
        the same call finishes the job."""
        async with self.database.turn() as db:
            await sessions.forget(db, client_id, subject)
            removed = await templates.forget(db, client_id, subject)
            await failures.forget(db, client_id, subject)
            return removed
