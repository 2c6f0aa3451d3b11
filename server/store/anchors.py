"""What a client's templates are held against, as a store keeps it: sealed parts with a version.

Part HEAD holds the client's secrets and what the other parts may not be older than; parts 0 to
PARTS - 1 hold which templates count, of the subjects that fall there. The store sees sealed bytes.
Not here: what is in them (server/people/anchors.py), the databases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

HEAD = -1
PARTS = 256
"""Of 100,000 people, 390 are in one: some 10 kB, which an enrolment writes and a login reads."""


@dataclass(frozen=True, slots=True)
class AnchorRecord:
    """One part of one client."""

    client_id: str
    part: int
    version: int
    """1 when it is made, one more with each change."""
    sealed: bytes
    """Client, part and version are its associated data."""


class Anchors(Protocol):
    """The parts of all clients. Every method may raise Unavailable."""

    async def of(
        self, client_id: str, parts: Sequence[int] | None = None
    ) -> Sequence[AnchorRecord]:
        """Those of these parts that there are, by number; all of a client for None."""

    async def put(self, record: AnchorRecord) -> None:
        """In the place of the version before, which is none for version 1.

        Raises Conflict if another version is there, NotFound if there is no such client.
        """
