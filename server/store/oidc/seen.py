"""Names of assertions that were seen, so that none is taken twice.

Source: RFC 7523 section 3 item 7 (`jti`). Not here: the assertions (server/oidc), the databases.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Seen(Protocol):
    """The names of each client. Every method may raise Unavailable."""

    async def once(self, client_id: str, jti: str, until: datetime, now: datetime) -> bool:
        """Whether it is seen for the first time; it is remembered until then. A name whose time is
        over is as good as new. Kept as a hash, because its length is the peer's choice. Raises
        NotFound: no such client."""
