"""The Store on a MongoDB database: its nouns, its life, and the two verbs that span several.

No transactions: every verb is one compare-and-set or is safe to repeat, so that a standalone server
does, too (docs/decisions/no-transactions.md). Not here: the connections (database.py), the indexes
(schema.py), what the verbs mean (port.py).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from datetime import datetime

from server.store.mongo import (
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
from server.store.mongo.database import WAIT_S, Database, Prepare
from server.store.mongo.oidc import (
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
from server.store.mongo.schema import prepare
from server.store.port import KEPT_AFTER_EXPIRY, Unavailable
from server.store.tries import LIMITS, Limits

FENCE_S = 2.0
"""How long a removal waits for a server that is ending a session of the person: its writes take
some 10 ms. One that died is followed by `settle`, a minute or two later."""
FENCE_LOOK_S = 0.02


class MongoStore:
    """The Store protocol on a MongoDB database; several servers may share it."""

    def __init__(
        self,
        url: str,
        *,
        database: str | None = None,
        wait_s: float = WAIT_S,
        prepare: Prepare = prepare,
        limits: Limits = LIMITS,
    ) -> None:
        """`database` wins over the one that the URL names; `lookgate` if neither does. `prepare` is
        as Database takes it; `limits` are those of failed tries."""
        self.database = Database(url, name=database, wait_s=wait_s, prepare=prepare)
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
            # Nobody's, and expired: should the removal be lost, the sweep does it.
            await db["sessions"].insert_one(
                {"_id": session_id, "client_id": ".check", "state": "expired", "expires_at": now}
            )
            found = await db["sessions"].find_one({"_id": session_id}, {"_id": 1})
            await db["sessions"].delete_one({"_id": session_id})
        if found is None:
            raise Unavailable("MongoDB: what was written is not there")

    async def sweep(self, now: datetime) -> int:
        """Everything that has an end."""
        before = now - KEPT_AFTER_EXPIRY
        async with self.database.turn(long=True) as db:
            swept = await sessions.sweep(db, before) + await keys.sweep(db, before)
            return swept + await tries.sweep(db, before) + await whole.sweep(db, before)

    async def forget_subject(self, client_id: str, subject: str) -> Mapping[str, int]:
        """Sessions first, so that none of them stores anything any more (endings.py), and again at
        the end for one that named the subject only meanwhile (identify). Interrupted, the same call
        finishes the job."""
        before = await self._fence(client_id, subject)
        async with self.database.turn() as db:
            removed = {
                "templates": await templates.forget(db, client_id, subject),
                "tries": await tries.forget(db, client_id, subject),
                "successes": await retention.forget(db, client_id, subject),
                **await whole.forget(db, client_id, subject),
                "fingerprints": await fingerprints.forget(db, client_id, subject),
            }
        return {"sessions": before + await self._fence(client_id, subject), **removed}

    async def _fence(self, client_id: str, subject: str) -> int:
        """Remove a subject's sessions, and wait for those who are just ending one of them: they
        undo what they wrote. How many. Raises Unavailable: one of these does not answer."""
        deadline_s = asyncio.get_running_loop().time() + FENCE_S
        async with self.database.turn() as db:
            there = await sessions.count(db, client_id, subject)
        while True:
            async with self.database.turn() as db:
                if not await sessions.forget(db, client_id, subject):
                    return there
            if asyncio.get_running_loop().time() >= deadline_s:
                raise Unavailable("MongoDB: a session of the subject is being ended elsewhere")
            await asyncio.sleep(FENCE_LOOK_S)
