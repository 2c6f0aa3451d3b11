"""What a relying app is given for a login: a code, and the access token that it gets for the code.

Both are kept as hashes, because who reads the database must not be able to use them. They belong to
their login and go with it. Not here: what stands in a code's claims (server/oidc), the login
(logins.py), the databases. Source: RFC 6749 sections 4.1.2, 5.1 and 10.5; RFC 7009.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Code:
    """One authorization code. `Logins.move` keeps it."""

    code_hash: bytes
    """SHA-256 of 256 random bits."""
    client_id: str
    login_id: str
    subject: str
    redirect_uri: str
    code_challenge: str | None
    """Of PKCE, method S256 (RFC 7636); None: the client relies on the nonce."""
    claims: str
    """JSON: nonce, auth_time, acr, amr, liveness, scopes, sid."""
    issued_at: datetime
    expires_at: datetime


class Codes(Protocol):
    """The codes. Every method may raise Unavailable."""

    async def redeem(self, code_hash: bytes, client_id: str, now: datetime) -> Code:
        """Once. Raises NotFound (unknown, another client's, expired before anybody redeemed it),
        Used (redeemed before, also if it is expired now: revoke what the first one was given)."""


@dataclass(frozen=True, slots=True)
class Access:
    """One access token, which opens /userinfo only."""

    token_hash: bytes
    """SHA-256 of 256 random bits."""
    code_hash: bytes
    """Of the code that it was given for."""
    client_id: str
    subject: str
    scopes: str
    """Separated by single spaces (RFC 6749 section 3.3)."""
    claims: str
    """JSON: what /userinfo says beside the profile."""
    expires_at: datetime


class AccessTokens(Protocol):
    """The access tokens. Every method may raise Unavailable."""

    async def add(self, access: Access) -> None:
        """Raises Conflict if the hash is taken. Raises NotFound, and keeps nothing, if its code is
        gone with its login, or was redeemed a second time: that replay may arrive between `redeem`
        and this."""

    async def get(self, token_hash: bytes, now: datetime) -> Access:
        """Raises NotFound: unknown, revoked, expired."""

    async def revoke(self, token_hash: bytes, client_id: str) -> int:
        """Remove a client's own token; how many (0 or 1). Another's is not touched."""

    async def revoke_of(self, code_hash: bytes) -> int:
        """Remove what was given for a code; how many. Nothing is given for it afterwards."""
