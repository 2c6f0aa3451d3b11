"""The chain that one process writes: each record linked to the one before, and checkpoints.

`record` is the way to record anything that is no verdict. A verdict is noted in the act that ends
its session (Note, in server/store/audit.py). A chain begins with the first record, and a checkpoint
names where all the others stand, so that none of them can be cut or taken away unseen. Not here:
what a record is (record.py), when a checkpoint is due (server/life.py), what is
wrong with chains (verify.py).
Source: docs/decisions/audit.md.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pipeline.refusal import Refusal
from server.audit.record import (
    KINDS,
    NOTHING,
    Seals,
    canonical,
    hash_of,
    new_chain,
    places,
    read_body,
    read_digest,
)
from server.audit.record import written_at as _at
from server.audit.witness import Witness
from server.keys.vault import Vault
from server.store.audit import AuditEntry, AuditRecord, AuditTrail, Note
from server.store.port import Unavailable

WAIT_S = 2.5
"""How long a record may wait for those before it: as long as a call may wait for the store."""

CHECKPOINT_S = 3600.0
"""Between two checkpoints of a process."""

SILENT = timedelta(seconds=3 * CHECKPOINT_S)
"""A chain without a record for so long is a dead process's: it is named once more and retired."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Root:
    """What the rest of a chain hangs on, once all up to it is gone."""

    seq: int
    hash: bytes
    told: str
    """When it was said first, as `written_at` writes it."""


class Audit:
    """One process's chain."""

    def __init__(
        self,
        trail: AuditTrail,
        vault: Vault,
        *,
        now: Callable[[], datetime],
        by: str,
        witness: Witness | None = None,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """`by`: what kind of process writes, as "serve" or "keys rotate". The vault may be locked
        until the first record."""
        self._trail = trail
        self._vault = vault
        self.seals = Seals(vault)
        self._now = now
        self._by = by
        self._witness = witness
        self._random_bytes = random_bytes
        self._turn = asyncio.Lock()
        self._last: AuditRecord | None = None
        """Written for sure."""
        self._tried: AuditRecord | None = None
        """Perhaps written: what it was for failed, or its answer was lost."""

    async def record(
        self, kind: str, *, client_id: str | None = None, subject: str | None = None, **more: Any
    ) -> AuditRecord:
        """Record one event, before it happens where it can fail. `subject` is hashed; `more` is
        JSON without anything secret. Raises Unavailable, VaultError."""
        entry = self.entry(
            kind, ref=secrets.token_hex(16), client_id=client_id, subject=subject, **more
        )
        return await self.add(entry)

    async def add(self, entry: AuditEntry) -> AuditRecord:
        """Record what `entry` made. Raises Conflict if there is a record of its `ref`, Unavailable,
        VaultError."""
        async with self.linked(entry) as record:
            await self._trail.append(record)
        return record

    @asynccontextmanager
    async def act(
        self, kind: str, *, client_id: str | None = None, subject: str | None = None, **more: Any
    ) -> AsyncIterator[AuditRecord]:
        """Record what is about to be done in the block, and `undone` if that raises. Raises
        Unavailable, VaultError: then nothing is done."""
        announced = await self.record(kind, client_id=client_id, subject=subject, **more)
        try:
            yield announced
        except BaseException as error:
            code = error.code if isinstance(error, Refusal) else type(error).__name__
            await self.record("undone", of=announced.ref, cause=code)
            raise

    def entry(
        self,
        kind: str,
        *,
        ref: str,
        client_id: str | None = None,
        subject: str | None = None,
        **more: Any,
    ) -> AuditEntry:
        """What a record will say. Raises VaultError."""
        assert kind in KINDS, kind
        body: dict[str, Any] = {"kind": kind, "at": _at(self._now()), **more}
        if client_id is not None:
            body["client"] = client_id
            if subject is not None:
                body["subject"] = self.seals.subject(client_id, subject)
        return AuditEntry(ref, canonical(body))

    def note(self, entry: AuditEntry) -> Note:
        """For a verb of the store that writes the record with what it does."""
        return Note(entry, self)

    @asynccontextmanager
    async def linked(self, entry: AuditEntry) -> AsyncIterator[AuditRecord]:
        """As Chain says it (server/store/audit.py). Raises Unavailable, VaultError."""
        async with self._alone():
            await self._stand()
            record = self._next(entry.ref, entry.body, signed=False)
            self._tried = record
            yield record
            self._wrote(record)

    async def checkpoint(self) -> AuditRecord:
        """Name where the other chains stand, signed. Raises Unavailable, VaultError."""
        async with self._alone():
            await self._stand()
            return await self._name("checkpoint")

    async def close(self) -> None:
        """End the chain with a last checkpoint, if it was begun. Raises Unavailable."""
        async with self._alone():
            if self._last is None and self._tried is None:
                return
            await self._stand()
            await self._name("close")
            self._last = self._tried = None
            if self._witness is not None:
                self._witness.end()

    async def pruned(self, roots: Mapping[str, Root]) -> AuditRecord:
        """Say, signed, which records are about to be removed: of each chain all up to its root
        (pruning.py). Raises Unavailable, VaultError."""
        told = {chain: [one.seq, one.hash.hex(), one.told] for chain, one in roots.items()}
        async with self._alone():
            await self._stand()
            return await self._name("prune", roots=told)

    def gone(self, roots: Mapping[str, Root]) -> None:
        """These chains were removed up to their roots, so that no witness speaks for them."""
        if self._witness is not None:
            self._witness.drop({chain: one.seq for chain, one in roots.items()})

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(WAIT_S):
                await self._turn.acquire()
        except TimeoutError:
            raise Unavailable("too many audit records are waiting") from None
        try:
            yield
        finally:
            self._turn.release()

    async def _stand(self) -> None:
        """Know the last record for sure; begin a chain where there is none."""
        if self._tried is not None:
            tried, before = self._tried, self._last
            found = await self._trail.last(tried.chain)
            if found == tried:
                self._wrote(tried)
            elif found == before:
                self._tried = None
            else:
                logger.error("the audit's chain is not as this process left it")
                self._last = self._tried = None
        if self._last is None:
            await self._name("open")

    def _wrote(self, record: AuditRecord) -> None:
        self._last, self._tried = record, None
        if self._witness is not None:
            self._witness.stands(record.seq, record.hash)

    def _next(self, ref: str, body: str, *, signed: bool) -> AuditRecord:
        last = self._last
        if last is None:
            chain, seq, prev = new_chain(self._vault, self._random_bytes(16)), 0, NOTHING
        else:
            chain, seq, prev = last.chain, last.seq + 1, last.hash
        digest = hash_of(chain, seq, prev, ref, body)
        seal = self.seals.seal(chain, digest, signed=signed)
        return AuditRecord(chain, seq, prev, ref, body, digest, seal)

    async def _name(self, kind: str, **more: Any) -> AuditRecord:
        """Write a signed record of where the others stand."""
        own = None if self._last is None else self._last.chain
        others = [one for one in await self._others() if one.chain != own]
        now = self._now()
        body = canonical(
            {
                "kind": kind,
                "at": _at(now),
                "by": self._by,
                "heads": {one.chain: [one.seq, one.hash.hex()] for one in others},
                **more,
            }
        )
        retired = [one.chain for one in others if _over(one, now)]
        record = self._next(secrets.token_hex(16), body, signed=True)
        self._tried = None if own is None else record
        await self._trail.append(record, names=True, retired=retired)
        if own is None and self._witness is not None:
            self._witness.begin(record.chain)
        self._wrote(record)
        if self._witness is not None:
            self._witness.drop({one.chain: one.seq for one in others if one.chain in retired})
        return record

    async def _others(self) -> Sequence[AuditRecord]:
        """The ends of all chains that are live, or that the witness still speaks for."""
        found = {one.chain: one for one in await self._trail.live()}
        for chain in () if self._witness is None else self._witness.heads():
            if chain not in found and (last := await self._trail.last(chain)) is not None:
                found[chain] = last
        return [found[chain] for chain in sorted(found)]


def _over(last: AuditRecord, now: datetime) -> bool:
    """Whether a chain has ended: by its own word, or by a long silence."""
    body = read_body(last.body)
    return body.get("kind") == "close" or str(body.get("at")) < _at(now - SILENT)


def heads_of(record: AuditRecord) -> dict[str, tuple[int, bytes]]:
    """Where the other chains stood when a signed record was written."""
    return {chain: (seq, digest) for chain, seq, digest in places(record, "heads")}


def roots_of(record: AuditRecord) -> dict[str, Root]:
    """What a record of a pruning says."""
    told = read_body(record.body).get("roots")
    found = {}
    for chain, value in (told if isinstance(told, dict) else {}).items():
        match value:
            case [int(seq), str(text), str(at)] if (digest := read_digest(text)) is not None:
                found[str(chain)] = Root(seq, digest, at)
    return found
