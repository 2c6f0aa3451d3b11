"""The verbs that span the collections of OpenID Connect: forgetting a person, sweeping.

Not here: the collections' own verbs (one module for each noun).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pymongo.asynchronous.database import AsyncDatabase

from server.store.mongo.clients import OF_PEOPLE
from server.store.mongo.documents import Document, utc
from server.store.mongo.oidc.owners import of

EXPIRING = ("logins", "access_tokens", "pushed", "invitations", "seen")


async def forget(db: AsyncDatabase[Document], client_id: str, subject: str) -> Mapping[str, int]:
    """Everything of a person, after the template went; how many of each noun. Logins go before
    access tokens, because whoever adds one of these looks at the login afterwards."""
    theirs = {"client_id": client_id, "subject": subject}
    gone = {"logins": (await db["logins"].delete_many(theirs)).deleted_count}
    await db["access_tokens"].delete_many(theirs)
    for name in OF_PEOPLE:
        gone[name] = (await db[name].delete_many(of(client_id, subject))).deleted_count
    return gone


async def sweep(db: AsyncDatabase[Document], before: datetime) -> int:
    """Remove what expired before then; how many, access tokens not counted, which are a login's."""
    swept = 0
    for name in EXPIRING:
        gone = await db[name].delete_many({"expires_at": {"$lt": utc(before)}})
        swept += gone.deleted_count if name != "access_tokens" else 0
    return swept
