"""The secrets of time-based one-time passwords, sealed, and which step was used last.

Not here: the passwords themselves (server/factors), how the secret is sealed
(server/people/sealed_people.py), the databases. Source: RFC 6238 section 5.2, each password once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Totp:
    """The secret of one person."""

    people: str
    """The client whose people these are."""
    subject: str
    sealed: bytes
    key_id: str
    """Which master key sealed it."""
    last_step: int
    """The last time step whose password was accepted; -1: none yet."""
    created_at: datetime
    used_at: datetime | None = None


class Otps(Protocol):
    """The secrets. Every method may raise Unavailable."""

    async def put(self, totp: Totp) -> None:
        """Instead of the one that the person had. Raises NotFound if the subject has no template:
        who was removed meanwhile gets none."""

    async def get(self, people: str, subject: str) -> Totp:
        """Raises NotFound."""

    async def step(self, people: str, subject: str, step: int, at: datetime) -> None:
        """A password of this step was accepted. Raises Conflict if it is not after the last one,
        NotFound."""

    async def remove(self, people: str, subject: str) -> None:
        """Raises NotFound."""

    async def of_people(self, people: str, *, after: str, most: int) -> Sequence[Totp]:
        """The next `most` behind the subject `after`, by subject; "" is before all. Fewer than
        `most` only at the end."""

    async def reseal(self, was: Totp, sealed: bytes, key_id: str) -> bool:
        """Seal the same secret anew; whether it was still sealed as it `was`."""
