"""Invitations: a link that lets somebody enrol who has nothing yet, or add a second device.

Kept under the hash of the link's secret. Not here: who may invite (server/oidc), how the profile is
sealed (server/people/sealed_people.py), the databases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

ENROL = "enrol"
DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Invitation:
    """One link."""

    token_hash: bytes
    """SHA-256 of 256 random bits."""
    client_id: str
    """Who invites."""
    people: str
    """The client whose people these are."""
    subject: str
    profile: bytes | None
    """Sealed; None: no profile comes with it."""
    key_id: str
    """Which master key sealed the profile; "" without one."""
    return_url: str | None
    kind: str
    """ENROL or DEVICE."""
    created_at: datetime
    expires_at: datetime


class Invitations(Protocol):
    """The links. Every method may raise Unavailable."""

    async def add(self, invitation: Invitation) -> None:
        """Raises Conflict if the hash is taken, NotFound if there is no such client."""

    async def get(self, token_hash: bytes, now: datetime) -> Invitation:
        """Raises NotFound: unknown, used, expired."""

    async def use(self, token_hash: bytes, now: datetime) -> Invitation:
        """Once; it is gone then. Raises NotFound as `get`."""

    async def of_subject(self, people: str, subject: str) -> Sequence[Invitation]:
        """Those of a person that were not used and not swept, the oldest first."""

    async def of_people(self, people: str, *, after: bytes, most: int) -> Sequence[Invitation]:
        """The next `most` behind the hash `after`, by hash; b"" is before all. Fewer than `most`
        only at the end."""

    async def reseal(self, was: Invitation, profile: bytes, key_id: str) -> bool:
        """Seal the same profile anew; whether it was still sealed as it `was`."""
