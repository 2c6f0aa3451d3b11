"""The chain of one process: links, seals, checkpoints, and what an outage leaves unknown."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from server.audit.chain import SILENT, Audit, heads_of
from server.audit.record import NOTHING, Seals, hashed, read_body
from server.keys.vault import Vault
from server.store.audit import AuditRecord, AuditTrail
from server.store.port import Unavailable
from server.store.sqlite.audit import AuditTrail as SqliteTrail
from server.store.sqlite.database import Database
from server.store.sqlite.store import SqliteStore
from tests.server.conformance.records import NOW

VAULT = Vault([bytes(32)])


@dataclass
class Desk:
    """A store and the audits that write into it."""

    store: SqliteStore
    at: datetime = NOW
    audits: list[Audit] = field(default_factory=list)

    def audit(self, trail: AuditTrail | None = None) -> Audit:
        made = Audit(trail or self.store.audit, VAULT, now=lambda: self.at, by="test")
        self.audits.append(made)
        return made

    async def records(self) -> Sequence[AuditRecord]:
        return await self.store.audit.records(after=("", 0), most=1000)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    store = SqliteStore(tmp_path / "a.sqlite3")
    await store.open()
    yield Desk(store)
    await store.close()


async def test_records_are_linked_hashed_and_sealed(desk: Desk) -> None:
    audit = desk.audit()
    told = [
        await audit.record("unlock", client_id="shop", subject="ada", by="operator")
        for _ in range(2)
    ]
    first, second, third = await desk.records()
    assert (first.prev, second.prev, third.prev) == (NOTHING, first.hash, second.hash)
    assert (second, third) == tuple(told)
    for record in (first, second, third):
        assert record.hash == hashed(record)
        assert Seals(VAULT).fits(record) is True
        assert Seals(Vault([b"x" * 32])).fits(record) is None
    assert [len(one.seal) for one in (first, second, third)] == [64, 32, 32]
    body = read_body(second.body)
    assert body == {
        "at": "2090-05-17T08:30:00.123000Z",
        "by": "operator",
        "client": "shop",
        "kind": "unlock",
        "subject": Seals(VAULT).subject("shop", "ada"),
    }
    assert "ada" not in second.body


async def test_a_subject_is_another_for_each_client_and_key(desk: Desk) -> None:
    seals = Seals(VAULT)
    told = {
        seals.subject("shop", "ada"),
        seals.subject("bank", "ada"),
        seals.subject("shop", "bob"),
        Seals(Vault([b"x" * 32])).subject("shop", "ada"),
    }
    assert len(told) == 4
    assert seals.subject("shop", "ada") in told


async def test_checkpoints_name_where_the_others_stand(desk: Desk) -> None:
    one, other = desk.audit(), desk.audit()
    last = await one.record("settings")
    opened = await other.record("settings")
    mark = await other.checkpoint()
    assert heads_of(mark) == {last.chain: (last.seq, last.hash)}
    assert Seals(VAULT).fits(mark)
    await other.close()
    chains = {one.chain for one in await desk.records()}
    assert len(chains) == 2
    closed = await desk.store.audit.last(opened.chain)
    assert closed is not None
    assert read_body(closed.body)["kind"] == "close"
    # Named once more, and then no more.
    again = await one.checkpoint()
    assert heads_of(again) == {closed.chain: (closed.seq, closed.hash)}
    assert heads_of(await one.checkpoint()) == {}


async def test_a_chain_that_is_silent_for_long_is_retired(desk: Desk) -> None:
    dead, living = desk.audit(), desk.audit()
    last = await dead.record("settings")
    await living.record("settings")
    desk.at += SILENT
    assert last.chain in heads_of(await living.checkpoint())
    desk.at += timedelta(seconds=1)
    assert last.chain in heads_of(await living.checkpoint())
    assert last.chain not in heads_of(await living.checkpoint())
    # It was not dead after all.
    await dead.checkpoint()
    assert last.chain in heads_of(await living.checkpoint())


async def test_a_process_that_recorded_nothing_closes_nothing(desk: Desk) -> None:
    await desk.audit().close()
    assert await desk.records() == []


async def test_what_did_not_happen_is_told_to_be_undone(desk: Desk) -> None:
    audit = desk.audit()
    with pytest.raises(Unavailable):
        async with audit.act("client", act="add") as announced:
            raise Unavailable
    last = (await desk.records())[-1]
    assert read_body(last.body)["of"] == announced.ref
    assert read_body(last.body)["cause"] == "store_unavailable"


class Losing(SqliteTrail):
    """A store that loses answers: each of `written` says whether it wrote before that."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.written: list[bool] = []

    async def append(
        self, record: AuditRecord, *, names: bool = False, retired: Sequence[str] = ()
    ) -> None:
        lost = bool(self.written)
        if not lost or self.written.pop(0):
            await super().append(record, names=names, retired=retired)
        if lost:
            raise Unavailable


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("verb", ["record", "checkpoint"])
async def test_the_chain_goes_on_after_an_answer_that_was_lost(
    desk: Desk, written: bool, verb: str
) -> None:
    trail = Losing(desk.store.database)
    audit = desk.audit(trail)
    await audit.record("settings")
    trail.written = [written]
    with pytest.raises(Unavailable):
        await (audit.record("settings") if verb == "record" else audit.checkpoint())
    await audit.record("settings")
    records = await desk.records()
    assert [one.seq for one in records] == list(range(4 if written else 3))
    assert all(one.prev == before.hash for before, one in itertools.pairwise(records))
    assert len({one.chain for one in records}) == 1


async def test_a_chain_that_was_cut_meanwhile_is_left_for_a_new_one(desk: Desk) -> None:
    trail = Losing(desk.store.database)
    audit = desk.audit(trail)
    last = await audit.record("settings")
    trail.written = [False]
    with pytest.raises(Unavailable):
        await audit.record("settings")
    async with desk.store.database.transaction() as db:
        await db.execute_fetchall("DELETE FROM audit WHERE seq = ?", (last.seq,))
    await audit.record("settings")
    assert len({one.chain for one in await desk.records()}) == 2
