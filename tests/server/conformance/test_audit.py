"""What every store must do with the audit: append once, tell the ends, note with the act."""

from __future__ import annotations

import pytest

from server.audit.chain import Audit
from server.keys.vault import Vault
from server.store.audit import AuditEntry, AuditRecord
from server.store.port import Conflict, NotFound, Store, Unavailable
from tests.server.conformance.races import outcomes
from tests.server.conformance.records import MINUTE, NOW, a_session, a_template

LATER = NOW + MINUTE


def a_record(chain: str = "c", seq: int = 0, ref: str | None = None) -> AuditRecord:
    return AuditRecord(
        chain, seq, bytes([seq]) * 32, ref or f"{chain}{seq}", "{}", b"h" * 32, b"s" * 32
    )


def audit_of(store: Store) -> Audit:
    return Audit(store.audit, Vault([bytes(32)]), now=lambda: LATER, by="test")


async def all_of(store: Store) -> list[AuditRecord]:
    return list(await store.audit.records(after=("", 0), most=1000))


async def test_what_was_appended_is_read_in_order(store: Store) -> None:
    records = [a_record(chain, seq) for chain in "ab" for seq in range(3)]
    for record in reversed(records):
        await store.audit.append(record)
    assert await all_of(store) == records
    assert list(await store.audit.records(after=("a", 1), most=2)) == records[2:4]
    assert list(await store.audit.records(after=("b", 1), most=2)) == records[5:]
    assert await store.audit.get("b", 1) == records[4]
    assert await store.audit.last("a") == records[2]
    assert await store.audit.last("c") is None
    with pytest.raises(NotFound):
        await store.audit.get("b", 3)


async def test_a_place_and_a_ref_are_taken_once(store: Store) -> None:
    await store.audit.append(a_record())
    for again in (a_record(ref="other"), a_record(seq=1, ref="c0")):
        with pytest.raises(Conflict):
            await store.audit.append(again)
    assert await all_of(store) == [a_record()]


async def test_chains_are_live_until_they_are_retired(store: Store) -> None:
    await store.audit.append(a_record("a"), names=True)
    await store.audit.append(a_record("a", 1))
    await store.audit.append(a_record("b"), names=True)
    assert list(await store.audit.live()) == [a_record("a", 1), a_record("b")]
    await store.audit.append(a_record("b", 1), names=True, retired=["a"])
    assert list(await store.audit.live()) == [a_record("b", 1)]


async def test_what_is_no_longer_kept_is_removed(store: Store) -> None:
    for chain in "ab":
        for seq in range(3):
            await store.audit.append(a_record(chain, seq))
    assert await store.audit.prune("a", 2) == 2
    assert await store.audit.prune("a", 2) == 0
    assert [(one.chain, one.seq) for one in await all_of(store)] == [
        ("a", 2),
        ("b", 0),
        ("b", 1),
        ("b", 2),
    ]


async def test_the_end_of_a_session_is_noted_with_it(shop: Store) -> None:
    audit = audit_of(shop)
    for n in range(3):
        await shop.sessions.add(a_session(f"s{n}", state="live", purpose="enroll"))
    note = [audit.note(AuditEntry(f"s{n}:x", f'{{"n":{n}}}')) for n in range(3)]
    await shop.endings.accept("s0", at=NOW, subject="ada", template=a_template(), note=note[0])
    await shop.endings.refuse("s1", now_is="rejected", at=NOW, note=note[1])
    # Refused by the store: nothing is noted, and the chain goes on.
    with pytest.raises(Conflict):
        await shop.endings.accept("s2", at=NOW, subject="eve", note=note[2])
    with pytest.raises(Conflict):
        await shop.endings.refuse("s1", now_is="rejected", at=NOW, note=note[2])
    assert [one.ref for one in (await all_of(shop))[1:]] == ["s0:x", "s1:x"]
    after = await audit.record("settings")
    assert [one.seq for one in await all_of(shop)] == [0, 1, 2, 3]
    assert (await all_of(shop))[-1] == after


async def test_without_its_record_nobody_is_accepted(shop: Store) -> None:
    """A record stands where the chain's next one belongs, which nobody but a forger puts there."""
    audit = audit_of(shop)
    first = await audit.record("settings")
    await shop.audit.append(a_record(first.chain, first.seq + 1, "forged"))
    await shop.sessions.add(a_session(state="live"))
    note = audit.note(AuditEntry("s1:accepted", "{}"))
    seen = await outcomes([shop.endings.accept("s1", at=NOW, subject="ada", note=note)])
    if seen == {"Unavailable": 1}:
        await shop.endings.refuse("s1", now_is="rejected", at=NOW, won=True)
        assert (await shop.sessions.get("s1")).state == "rejected"
        assert "s1:accepted" not in [one.ref for one in await all_of(shop)]
    else:  # it went into a chain of its own
        assert seen == {"ok": 1}
        ours = [one for one in await all_of(shop) if one.ref == "s1:accepted"]
        assert [one.chain != first.chain for one in ours] == [True]


async def test_two_processes_write_a_chain_each(two: tuple[Store, Store]) -> None:
    audits = [audit_of(store) for store in two]
    calls = [audits[n % 2].record("unlock", n=n) for n in range(40)]
    assert await outcomes(calls) == {"ok": 40}
    records = await all_of(two[0])
    chains = sorted({one.chain for one in records})
    assert len(chains) == 2
    for chain in chains:
        assert [one.seq for one in records if one.chain == chain] == list(range(21))


async def test_what_a_dead_process_noted_is_settled_into_the_chain_of_another(
    two: tuple[Store, Store],
) -> None:
    """Only where an end is several writes; else there is nothing to settle."""
    one, other = two
    await one.sessions.add(a_session(state="live"))
    audit = audit_of(one)

    class Dies:
        def linked(self, entry: AuditEntry) -> object:
            raise Unavailable

    note = audit.note(AuditEntry("s1:accepted", "{}"))
    dying = type(note)(note.entry, Dies())  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        await one.endings.accept("s1", at=NOW, subject="ada", note=dying)
    if (await one.sessions.get("s1")).state == "live":
        return  # a transaction
    for _ in range(3):
        assert await other.endings.settle() == 0  # without a chain it waits
    assert await other.endings.settle(audit_of(other)) == 1
    assert [one.ref for one in (await all_of(one))[1:]] == ["s1:accepted"]
