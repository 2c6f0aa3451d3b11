"""Recovery codes: each opens one login in the place of a one-time password.

Kept as hashes. Not here: how they are made and hashed (server/factors), the databases.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol


class RecoveryCodes(Protocol):
    """A person's codes. Every method may raise Unavailable."""

    async def put(self, people: str, subject: str, hashes: Sequence[bytes]) -> None:
        """Instead of those that the person had; an empty list removes them. Raises NotFound if the
        subject has no template: who was removed meanwhile gets none."""

    async def use(self, people: str, subject: str, code_hash: bytes, at: datetime) -> None:
        """Once. Raises NotFound: unknown, used."""

    async def left(self, people: str, subject: str) -> int:
        """How many were not used."""

    async def used_at(self, people: str, subject: str) -> datetime | None:
        """When one of these was used last."""
