"""The audit as a store keeps it: records in chains, appended and read, never changed.

Here: the records, and the Protocol of the noun. A store writes what it is given, and one record for
a `ref` at most. Not here: what a record says and how it is sealed (server/audit/record.py), who
links it to the one before (server/audit/chain.py), the databases.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What is to be recorded, without its place in a chain."""

    ref: str
    """What it is of; there is one record for it at most, so that nothing is told twice."""
    body: str
    """Canonical JSON."""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An entry at its place in a chain."""

    chain: str
    """Of one process, and new at each of its starts."""
    seq: int
    """From 0, without a gap."""
    prev: bytes
    """Hash of the record before, 32 zeros for the first."""
    ref: str
    body: str
    hash: bytes
    """SHA-256 over all of the above."""
    seal: bytes
    """Over the hash: a MAC (32 bytes), or the signature of a checkpoint (64 bytes)."""


class Chain(Protocol):
    """Who knows the last record of a chain and holds the keys."""

    def linked(self, entry: AuditEntry) -> AbstractAsyncContextManager[AuditRecord]:
        """The record to write within the block; others wait meanwhile.

        The chain goes on from it once the block ends well. Enter it before a transaction or a turn
        of the database, never within one. Raises Unavailable.
        """


@dataclass(frozen=True, slots=True)
class Note:
    """An entry and the chain that it goes into, for a verb that writes it with what it does."""

    entry: AuditEntry
    chain: Chain


class AuditTrail(Protocol):
    """The records of all chains. Every method may raise Unavailable."""

    async def append(
        self, record: AuditRecord, *, names: bool = False, retired: Sequence[str] = ()
    ) -> None:
        """Write one record. Raises Conflict if its place or its `ref` is taken.

        `names`: it names the heads of other chains, and its own chain is among the live ones from
        then on. `retired`: chains that end, and are told by `live` no more.
        """

    async def last(self, chain: str) -> AuditRecord | None:
        """The one with the greatest number; None if there is no such chain."""

    async def live(self) -> Sequence[AuditRecord]:
        """The last record of each chain that no checkpoint retired, by chain."""

    async def get(self, chain: str, seq: int) -> AuditRecord:
        """Raises NotFound."""

    async def records(self, *, after: tuple[str, int], most: int) -> Sequence[AuditRecord]:
        """The next `most` behind a chain and number, by these; ("", 0) is before all. Fewer than
        `most` only at the end."""

    async def prune(self, chain: str, below: int) -> int:
        """Remove the records of a chain before the number `below`; how many. Only for what a signed
        record says is no longer kept (server/audit/pruning.py)."""
