"""The keys that sign tokens, as a store keeps them: their private part sealed.

Not here: what is in them and which of them signs (server/keys/keyring.py), the databases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

ES256 = "ES256"
RS256 = "RS256"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One token signing key."""

    kid: str
    public_jwk: str
    """JSON of the public JWK (RFC 7517)."""
    sealed_private: bytes
    """Sealed PKCS#8, DER."""
    created_at: datetime
    retire_at: datetime | None
    """None: signs. Else: only published, until then."""
    alg: str = ES256
    """What it signs with (RFC 7518): ES256 or RS256. One key signs for each."""


class Keys(Protocol):
    """The keys that sign tokens. Every method may raise Unavailable."""

    async def add(self, record: KeyRecord, *, retire_others_at: datetime | None) -> None:
        """Add a key; all others of its algorithm are published until `retire_others_at` at the
        latest.

        Raises Conflict if kid is taken, or if another of its algorithm signs and `retire_others_at`
        is None.
        """

    async def reseal(self, was: KeyRecord, sealed_private: bytes) -> bool:
        """Seal the same key anew; whether it was still sealed as it `was`."""

    async def all(self) -> Sequence[KeyRecord]:
        """Those that are over and not swept yet, too."""

    async def published(self, now: datetime) -> Sequence[KeyRecord]:
        """By algorithm: of each the signing key first, then those still published at `now`, newest
        first."""
