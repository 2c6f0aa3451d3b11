"""Every way to change the audit in a database is told, with the record where it begins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from server.audit.chain import Audit, Root, roots_of
from server.audit.export import in_order, line_of, record_of, stored
from server.audit.pruning import prune
from server.audit.record import PublicSeals, Seals, hashed, key_of, written_at
from server.audit.verify import Fault, Findings, verify
from server.audit.witness import Witness
from server.keys.vault import Vault
from server.store.audit import AuditRecord
from server.store.port import Store
from tests.server.conformance.records import DAY, MINUTE, NOW

VAULT = Vault([bytes(32)])
Records = list[AuditRecord]


@dataclass
class House:
    """Two processes on one database: A with a tail behind its checkpoint, B that ended."""

    store: Store
    folder: Path
    a: str
    b: str
    living: Audit
    """Of chain a."""

    async def goes_on(self) -> None:
        await self.living.record("unlock", n=9)

    async def records(self) -> Records:
        return [record async for record in stored(self.store.audit)]

    async def rewrite(self, records: Records) -> None:
        for chain in {record.chain for record in await self.records()}:
            await self.store.audit.prune(chain, 1000)
        for record in records:
            await self.store.audit.append(record)

    def audit(self, days: int) -> Audit:
        """Of a process that starts so much later."""
        return Audit(
            self.store.audit,
            VAULT,
            now=lambda: NOW + days * DAY,
            by="test",
            witness=Witness(self.folder),
        )

    async def found(self, vault: Vault = VAULT) -> Findings:
        seen = [(name, *head) for name, head in Witness(self.folder).heads().items()]
        return await verify(stored(self.store.audit), Seals(vault), seen=seen)

    async def first(self, vault: Vault = VAULT) -> list[tuple[str, str, int]]:
        names = {self.a: "a", self.b: "b"}
        found = await self.found(vault)
        return [(one.kind, names.get(one.chain, "new"), one.seq) for one in found.faults]


@pytest.fixture
async def house(two: tuple[Store, Store], tmp_path: Path) -> House:
    """Chain a: 0 open, 1 to 5, 6 checkpoint (names b), 7 to 9. Chain b: 0 open (names a at 3),
    1 to 3, 4 close (names a at 5)."""

    def audit(store: Store, n: int) -> Audit:
        return Audit(
            store.audit,
            VAULT,
            now=lambda: NOW,
            by="test",
            witness=Witness(tmp_path),
            random_bytes=lambda size: bytes([n]) * size,
        )

    a, b = audit(two[0], 1), audit(two[1], 2)
    for n in range(3):
        last = await a.record("unlock", n=n)
    for n in range(3):
        other = await b.record("unlock", n=n)
    for n in range(2):
        await a.record("unlock", n=n)
    await b.close()
    await a.checkpoint()
    for n in range(3):
        await a.record("unlock", n=n)
    return House(two[0], tmp_path, last.chain, other.chain, a)


async def test_an_audit_that_nobody_touched_is_whole(house: House) -> None:
    assert await house.found() == Findings(records=15, chains=2, behind=3, faults=[])


def without(*seqs: int, chain: int = 0) -> Callable[[Records], Records]:
    def change(records: Records) -> Records:
        name = sorted({record.chain for record in records})[chain]
        return [one for one in records if one.chain != name or one.seq not in seqs]

    return change


def changed(at: int, make: Callable[[AuditRecord], AuditRecord]) -> Callable[[Records], Records]:
    return lambda records: [make(one) if n == at else one for n, one in enumerate(records)]


def rehashed(record: AuditRecord) -> AuditRecord:
    """As a forger would who knows how hashes are made, and has no key."""
    return replace(record, hash=hashed(record))


def inserted(at: int) -> Callable[[Records], Records]:
    """One more in chain a; those behind get the next numbers, and hashes that fit."""

    def change(records: Records) -> Records:
        mine = [one for one in records if one.chain == records[0].chain]
        new = rehashed(replace(mine[at], ref="forged", body='{"kind":"unlock"}'))
        behind = [replace(one, seq=one.seq + 1) for one in mine[at:]]
        return [*mine[:at], new, *behind, *records[len(mine) :]]

    return change


def swapped(at: int) -> Callable[[Records], Records]:
    def change(records: Records) -> Records:
        one, other = records[at], records[at + 1]
        pair = [replace(other, seq=one.seq), replace(one, seq=other.seq)]
        return [*records[:at], *pair, *records[at + 2 :]]

    return change


def appended(records: Records) -> Records:
    last = [one for one in records if one.chain == records[0].chain][-1]
    new = replace(last, seq=last.seq + 1, prev=last.hash, ref="forged")
    return [*records, rehashed(new)]


def a_new_chain(records: Records) -> Records:
    """With another master key, as whoever has none of ours."""
    chain = Vault([b"x" * 32]).key_id + "." + "ee" * 16
    new = rehashed(replace(records[0], chain=chain, ref="forged"))
    return [
        *records,
        replace(new, seal=Seals(Vault([b"x" * 32])).seal(chain, new.hash, signed=True)),
    ]


def relinked(records: Records) -> Records:
    """A record goes, and all behind it in the chain are numbered, linked and hashed anew."""
    mine = [one for one in records if one.chain == records[0].chain]
    made = mine[:4]
    for one in mine[5:]:
        made.append(rehashed(replace(one, seq=made[-1].seq + 1, prev=made[-1].hash)))
    return made + records[len(mine) :]


TAMPERED: list[tuple[str, Callable[[Records], Records], list[tuple[str, str, int]]]] = [
    ("one removed", without(4), [("removed", "a", 4)]),
    ("the first removed", without(0), [("removed", "a", 0)]),
    ("several removed", without(2, 3, 5), [("removed", "a", 2)]),
    ("checkpoint removed", without(6), [("removed", "a", 6)]),
    (
        "body altered",
        changed(4, lambda one: replace(one, body=one.body.replace("unlock", "client"))),
        [("altered", "a", 4)],
    ),
    (
        "body altered and hashed",
        changed(4, lambda one: rehashed(replace(one, body='{"kind":"unlock"}'))),
        [("altered", "a", 4)],
    ),
    ("checkpoint altered", changed(6, lambda one: replace(one, body="{}")), [("altered", "a", 6)]),
    ("ref altered", changed(4, lambda one: replace(one, ref="x")), [("altered", "a", 4)]),
    ("seal altered", changed(4, lambda one: replace(one, seal=bytes(32))), [("altered", "a", 4)]),
    ("inserted", inserted(4), [("inserted", "a", 4)]),
    ("reordered", swapped(4), [("reordered", "a", 4)]),
    ("appended", appended, [("inserted", "a", 10)]),
    ("all behind made anew", relinked, [("altered", "a", 4)]),
    ("tail cut", without(8, 9), [("cut", "a", 8)]),
    ("tail cut, with the checkpoint", without(6, 7, 8, 9), [("cut", "a", 6)]),
    ("end of the other cut", without(4, chain=1), [("cut", "b", 4)]),
    ("chain taken away", without(*range(5), chain=1), [("missing", "b", 4)]),
    ("a chain of another key", a_new_chain, [("unvouched", "new", 0)]),
]


@pytest.mark.parametrize(
    ("change", "expected"), [row[1:] for row in TAMPERED], ids=[row[0] for row in TAMPERED]
)
async def test_what_was_done_to_it_is_told(
    house: House,
    change: Callable[[Records], Records],
    expected: list[tuple[str, str, int]],
) -> None:
    await house.rewrite(change(await house.records()))
    assert await house.first() == expected


async def test_without_the_witness_a_cut_is_told_as_far_as_others_name_it(house: House) -> None:
    """Chain b names a at 5; what came later leaves no trace."""
    records = await house.records()
    for keep, expected in ((6, []), (5, [("cut", house.a, 5)])):
        await house.rewrite([one for one in records if one.chain == house.b or one.seq < keep])
        found = await verify(stored(house.store.audit), Seals(VAULT))
        assert [(one.kind, one.chain, one.seq) for one in found.faults] == expected


async def test_everything_taken_away_is_told_by_the_witness(house: House) -> None:
    await house.rewrite([])
    # Chain a named the end of b: the file of a speaks for both.
    assert await house.first() == [("missing", "a", 9)]


async def test_after_another_master_key_checkpoints_vouch_for_what_was_before(
    house: House,
) -> None:
    """The old key is gone; the first chain of the new one names the old chains."""
    new = Vault([b"n" * 32])
    assert [one[0] for one in await house.first(new)] == ["unvouched", "unvouched"]
    audit = Audit(house.store.audit, new, now=lambda: NOW, by="test")
    await audit.record("settings")
    assert await house.first(new) == []
    # What was changed is told, and what hangs on it is vouched for no more.
    await house.rewrite(swapped(4)(await house.records()))
    assert await house.first(new) == [("altered", "a", 4), ("unvouched", "b", 0)]


async def test_what_is_written_while_it_is_read_is_no_fault(house: House) -> None:
    """A checkpoint that is read late names a record of a chain that was read before."""

    async def reading() -> AsyncIterator[AuditRecord]:
        read = await house.records()
        for record in read:
            yield record
        await house.goes_on()
        opened = (await house.audit(1).record("settings")).chain
        for record in await house.records():
            if record.chain == opened:
                yield record

    seals = Seals(VAULT)
    found = await verify(reading(), seals, began=written_at(NOW + MINUTE))
    assert (found.faults, found.chains) == ([], 3)
    assert (await verify(reading(), seals)).faults != []
    # What was named before the reading began must be there.
    await house.rewrite(without(9, 10, 11)(await house.records()))
    found = await verify(stored(house.store.audit), seals, began=written_at(NOW + 2 * DAY))
    assert [(one.kind, one.chain, one.seq) for one in found.faults] == [("cut", house.a, 9)]


async def test_an_export_is_verified_with_the_public_key_alone(house: House) -> None:
    lines = [line_of(record) for record in await house.records()]
    assert [record_of(line) for line in lines] == await house.records()
    public = PublicSeals([key_of(Seals(VAULT).public_jwk())])

    async def look(records: Sequence[AuditRecord]) -> Findings:
        return await verify(in_order(records), public, partial=True)

    records = [record_of(line) for line in reversed(lines)]
    assert await look(records) == Findings(15, 2, 3, [])
    assert (await look(records[:8])).faults == []  # the newest of it
    altered = [replace(one, body="{}") if one.ref == records[8].ref else one for one in records]
    assert [one.kind for one in (await look(altered)).faults] == ["altered"]
    other = PublicSeals([key_of(Seals(Vault([b"x" * 32])).public_jwk())])
    assert (await verify(in_order(records), other, partial=True)).faults != []


async def test_an_export_says_what_the_database_must_still_have(house: House) -> None:
    """Also where all that the server holds was made anew, by somebody with the master key."""
    seen = [(one.chain, one.seq, one.hash) for one in await house.records()]
    seals = Seals(VAULT)
    records = await house.records()
    mine = [one for one in records if one.chain == house.a]
    made = mine[:4]
    for one in mine[4:]:
        body = one.body.replace('"n":0', '"n":7')
        new = replace(one, prev=made[-1].hash, body=body)
        digest = hashed(new)
        signed = len(one.seal) == 64
        seal = seals.seal(one.chain, digest, signed=signed)
        made.append(replace(new, hash=digest, seal=seal))
    await house.rewrite(made + records[len(mine) :])
    found = await verify(stored(house.store.audit), seals, seen=seen)
    assert [(one.kind, one.chain, one.seq) for one in found.faults] == [("altered", house.a, 4)]


async def test_what_was_pruned_is_no_fault_and_the_rest_is_verified_as_before(
    house: House,
) -> None:
    later = house.audit(2)
    await later.record("settings")
    assert await prune(later, house.store.audit, NOW + MINUTE, NOW + 2 * DAY) == 15
    assert await house.first() == []
    # Again: nothing is old; and what an earlier pruning said still holds behind the next one.
    assert await prune(later, house.store.audit, NOW + MINUTE, NOW + 2 * DAY) == 0
    last = house.audit(4)
    await last.record("settings")
    assert await prune(last, house.store.audit, NOW + 3 * DAY, NOW + 4 * DAY) == 3
    assert await house.first() == []
    # For 400 days, because a witness elsewhere may still speak for it.
    assert house.a in {chain for one in await house.records() for chain in roots_of(one)}
    # A year later nothing that is kept needs it, nor does a witness.
    end = house.audit(500)
    await end.record("settings")
    await prune(end, house.store.audit, NOW + 400 * DAY, NOW + 500 * DAY)
    assert await house.first() == []
    roots = [roots_of(record) for record in await house.records()]
    assert house.a not in {chain for one in roots for chain in one}


async def test_a_chain_of_which_a_part_is_kept_hangs_on_what_went(house: House) -> None:
    records = await house.records()
    audit = Audit(house.store.audit, VAULT, now=lambda: NOW + DAY, by="test")
    await audit.pruned({house.a: Root(3, records[3].hash, "")})
    assert await house.first() == []  # said, and not done yet
    await house.store.audit.prune(house.a, 4)
    assert await house.first() == []
    await house.store.audit.prune(house.a, 5)
    assert await house.first() == [("removed", "a", 4)]


async def test_a_pruning_that_nobody_signed_is_believed_by_nobody(house: House) -> None:
    await house.store.audit.prune(house.a, 4)
    assert await house.first() == [("removed", "a", 0)]


def test_a_fault_says_what_it_means() -> None:
    assert Fault("cut", "c", 1, "text").text
