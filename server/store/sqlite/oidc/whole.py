"""The verbs that span the tables of OpenID Connect: forgetting a person, sweeping.

Not here: the tables' own parts (one module for each noun).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import aiosqlite

from server.store.sqlite.oidc import (
    authenticators,
    invitations,
    logins,
    otps,
    profiles,
    pushed,
    recovery,
    seen,
)


async def forget(db: aiosqlite.Connection, client_id: str, subject: str) -> Mapping[str, int]:
    """Everything of a person, within the caller's transaction and before the template goes; how
    many of each noun."""
    return {
        "logins": await logins.forget(db, client_id, subject),
        "authenticators": await authenticators.forget(db, client_id, subject),
        "otps": await otps.forget(db, client_id, subject),
        "recovery": await recovery.forget(db, client_id, subject),
        "invitations": await invitations.forget(db, client_id, subject),
        "profiles": await profiles.forget(db, client_id, subject),
    }


async def sweep(db: aiosqlite.Connection, before: datetime) -> int:
    """Remove what expired before then, within the caller's transaction; how many."""
    swept = await logins.sweep(db, before) + await pushed.sweep(db, before)
    return swept + await invitations.sweep(db, before) + await seen.sweep(db, before)
