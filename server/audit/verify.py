"""Whether the audit is whole: which record of a chain was removed, altered, inserted or reordered,
which chain was cut or taken away.

A record is believed by its own MAC, by the signature of a later checkpoint of its chain, or because
a believed record of another chain names it. What others say of a chain (checkpoints, the witness
beside the database, an export) must be there, unless a signed record says that it was pruned.
Not here: hashes and seals (record.py), reading a store or a file (export.py), what is printed.
Source: docs/decisions/audit.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from server.audit.record import NOTHING, SIGNED, hashed, places, read_body
from server.store.audit import AuditRecord

HASH_BYTES = 32
LOOKED_FOR = 2000
"""Places before and behind at which a record that was moved is looked for."""

Place = tuple[str, int]
"""A chain and a number in it."""
Named = tuple[str, int, bytes]
"""A place and the hash that was seen there."""


class Checks(Protocol):
    """Who can say whether a seal fits (Seals and PublicSeals in record.py)."""

    def fits(self, record: AuditRecord) -> bool | None:
        """None: the key is not here."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a chain, at the first place where something is."""

    kind: str
    """removed, altered, inserted, reordered, cut, missing or unvouched."""
    chain: str
    seq: int
    text: str
    """What that means."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What came of looking at all chains."""

    records: int
    chains: int
    behind: int
    """Records behind the last checkpoint that covers them: only their MACs speak for them."""
    faults: Sequence[Fault]
    """The first of each chain, by chain."""


@dataclass(slots=True)
class _Chain:
    first: int
    root: bytes
    """Hash before the first."""
    hashes: bytearray = field(default_factory=bytearray)
    fault: Fault | None = None
    last: int = -1
    unsealed: int | None = None
    """The first record whose own seal nobody here can check."""
    covered: int = -1
    """Up to here a believed signature speaks for all."""

    def hash_at(self, seq: int) -> bytes | None:
        at = (seq - self.first) * HASH_BYTES
        return bytes(self.hashes[at : at + HASH_BYTES]) if 0 <= at < len(self.hashes) else None


async def verify(
    records: AsyncIterator[AuditRecord],
    seals: Checks,
    *,
    seen: Iterable[Named] = (),
    partial: bool = False,
    began: str = "~",
) -> Findings:
    """Look at every record, by chain and number. `seen`: what was there before, by a witness or an
    export. `partial`: the records are only some and the master key is not here, so that a chain may
    begin anywhere, and what is behind its last checkpoint is counted and no fault. `began`: when
    the reading did, as `written_at` writes it: what is named later may not have been read."""
    look = _Look(seals, began)
    async for record in records:
        look.take(record)
    look.end()
    return look.findings(list(seen), partial=partial)


class _Look:
    def __init__(self, seals: Checks, began: str) -> None:
        self._seals = seals
        self._began = began
        self._chains: dict[str, _Chain] = {}
        self._held: AuditRecord | None = None
        self._count = 0
        self._named: list[tuple[Place, Named]] = []
        """By whom, and what."""
        self._roots: dict[str, list[tuple[Place, int, bytes]]] = {}

    def take(self, record: AuditRecord) -> None:
        """One is held back, because the next one says more of it."""
        held, self._held = self._held, record
        if held is not None:
            self._one(held, record if record.chain == held.chain else None)

    def end(self) -> None:
        if self._held is not None:
            self._one(self._held, None)

    def _one(self, record: AuditRecord, following: AuditRecord | None) -> None:
        self._count += 1
        chain = self._chains.get(record.chain)
        if chain is None:
            chain = _Chain(record.seq, record.prev)
            self._chains[record.chain] = chain
            if record.seq == 0 and record.prev != NOTHING:
                chain.fault = _fault("altered", record, "it is the first and names one before")
        elif chain.fault is not None:
            return
        fits = self._seals.fits(record)
        chain.fault = chain.fault or self._wrong(chain, record, following, fits)
        if chain.fault is not None:
            return
        chain.last = record.seq
        chain.hashes += record.hash
        if fits is None and chain.unsealed is None:
            chain.unsealed = record.seq
        self._signed(chain, record, fits)

    def _signed(self, chain: _Chain, record: AuditRecord, fits: bool | None) -> None:
        if read_body(record.body).get("kind") not in SIGNED:
            return
        if fits:
            chain.covered = record.seq
        by = (record.chain, record.seq)
        before = str(read_body(record.body).get("at")) < self._began
        for name, seq, digest in places(record, "heads") if before else ():
            self._named.append((by, (name, seq, digest)))
        for name, seq, digest in places(record, "roots"):
            self._roots.setdefault(name, []).append((by, seq, digest))

    def _wrong(
        self,
        chain: _Chain,
        record: AuditRecord,
        following: AuditRecord | None,
        fits: bool | None,
    ) -> Fault | None:
        expected = chain.first if chain.last < 0 else chain.last + 1
        before = chain.root if chain.last < 0 else bytes(chain.hashes[-HASH_BYTES:])
        if record.seq > expected:
            return Fault("removed", record.chain, expected, "there is no record of this number")
        whole = hashed(record) == record.hash
        if whole and fits is not False and record.prev == before:
            return None
        if not whole and fits and self._elsewhere(record):
            return _fault("reordered", record, "it was written for another place")
        last = following is None
        if whole and not fits and (last or (following and following.prev == record.prev)):
            return _fault("inserted", record, "whoever wrote it had no master key")
        return _fault("altered", record, "it is not what was written here")

    def _elsewhere(self, record: AuditRecord) -> bool:
        near = range(max(0, record.seq - LOOKED_FOR), record.seq + LOOKED_FOR)
        return any(hashed(record, seq=seq) == record.hash for seq in near)

    def findings(self, seen: Sequence[Named], *, partial: bool) -> Findings:
        vouched = self._vouched()
        faults = {name: one.fault for name, one in self._chains.items() if one.fault is not None}

        def tell(chain: str, kind: str, seq: int, text: str) -> None:
            known = faults.get(chain)
            if known is None or (seq < known.seq and kind != "unvouched"):
                faults[chain] = Fault(kind, chain, seq, text)

        pruned = self._pruned(vouched)
        for name, one in self._chains.items():
            if one.unsealed is not None and one.last > vouched[name] and not partial:
                seq = max(one.unsealed, vouched[name] + 1)
                tell(name, "unvouched", seq, "its master key is not here, and no checkpoint has it")
            if one.first > 0 and not partial:
                root = pruned.get(name)
                if root is None or root[0] < one.first - 1:
                    at = 0 if root is None else root[0] + 1
                    tell(name, "removed", at, "there is no record of this number")
                elif root[0] == one.first - 1 and root[1] != one.root:
                    tell(name, "altered", one.first, "what was pruned before it was another")
        told = [what for by, what in self._named if self._believed(by, vouched)]
        for name, seq, digest in (*told, *seen):
            self._look_up(name, seq, digest, pruned, tell, partial=partial)
        behind = sum(max(0, one.last - vouched[name]) for name, one in self._chains.items())
        ordered = [faults[name] for name in sorted(faults)]
        return Findings(self._count, len(self._chains), behind, ordered)

    def _look_up(
        self,
        name: str,
        seq: int,
        digest: bytes,
        pruned: Mapping[str, tuple[int, bytes]],
        tell: _Tell,
        *,
        partial: bool,
    ) -> None:
        """What was seen must be there, and the same."""
        one, root = self._chains.get(name), pruned.get(name)
        if root is not None and seq <= root[0] and (one is None or seq < one.first):
            return
        if one is None:
            if not partial:
                tell(name, "missing", seq, "this chain is gone")
        elif seq > one.last and one.fault is None:
            tell(name, "cut", one.last + 1, f"the chain went on, up to {seq} at least")
        elif seq >= one.first and one.hash_at(seq) not in (None, digest):
            tell(name, "altered", seq, "it was another one when it was seen")

    def _believed(self, by: Place, vouched: Mapping[str, int]) -> bool:
        chain, seq = by
        unsealed = self._chains[chain].unsealed
        return unsealed is None or seq < unsealed or seq <= vouched[chain]

    def _vouched(self) -> dict[str, int]:
        """Up to which number a signature, or a believed record elsewhere, speaks for each chain."""
        vouched = {name: one.covered for name, one in self._chains.items()}
        waiting = list(self._named)
        while True:
            rest = []
            for by, what in waiting:
                name, seq, digest = what
                if not self._believed(by, vouched):
                    rest.append((by, what))
                elif name in vouched and self._chains[name].hash_at(seq) == digest:
                    vouched[name] = max(vouched[name], seq)
            if len(rest) == len(waiting):
                return vouched
            waiting = rest

    def _pruned(self, vouched: Mapping[str, int]) -> dict[str, tuple[int, bytes]]:
        """Up to where each chain was pruned, as believed records say."""
        found: dict[str, tuple[int, bytes]] = {}
        for name, roots in self._roots.items():
            told = [(seq, digest) for by, seq, digest in roots if self._believed(by, vouched)]
            if told:
                found[name] = max(told)
        return found


class _Tell(Protocol):
    def __call__(self, chain: str, kind: str, seq: int, text: str) -> None: ...


def _fault(kind: str, record: AuditRecord, text: str) -> Fault:
    return Fault(kind, record.chain, record.seq, text)
