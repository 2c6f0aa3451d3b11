"""What `/readyz` vouches for is done: a write, a token, a template; once a second at most."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from server.keys.keyring import CACHE_S, Keyring
from server.keys.vault import Vault
from server.people.templates import seal_template
from server.readiness import LOOK_S, Readiness
from server.store.port import Broken, Unavailable
from server.store.sqlite.store import SqliteStore
from tests.pipeline.observations import template
from tests.server.conformance.records import NOW, a_client, a_key
from tests.server.stage import Clock

VAULT = Vault([bytes(range(32))])


class Counting(SqliteStore):
    """Counts the checks, and may let them wait or fail."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, wait_s=0.2)
        self.checks = 0
        self.fault: Unavailable | None = None

    async def check(self, now: object) -> None:
        self.checks += 1
        if self.fault is not None:
            raise self.fault
        await super().check(NOW)


@dataclass
class Bench:
    store: Counting
    clock: Clock
    readiness: Readiness

    async def enrol(self, vault: Vault, subject: str = "ada") -> None:
        record = seal_template(
            vault,
            template(1),
            client_id="shop",
            subject=subject,
            template_id=f"t-{subject}",
            created_at=NOW,
        )
        await self.store.templates.put(record, replace=True)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    store, clock = Counting(tmp_path / "store.sqlite3"), Clock()
    await store.open()
    await store.clients.add(a_client())
    ring = Keyring(store.keys, VAULT, issuer="https://login.example")
    readiness = Readiness(store, ring, VAULT, clock=clock, now=clock.now)
    yield Bench(store, clock, readiness)
    await store.close()


async def test_it_is_ready_with_nobody_and_with_somebody(bench: Bench) -> None:
    assert await bench.readiness.fault() is None
    await bench.enrol(VAULT)
    bench.clock.s += LOOK_S
    assert await bench.readiness.fault() is None


async def test_many_who_ask_share_one_look_a_second(bench: Bench) -> None:
    answers = await asyncio.gather(*(bench.readiness.fault() for _ in range(100)))
    assert answers == [None] * 100
    bench.clock.s += LOOK_S - 0.01
    bench.store.fault = Unavailable("SQLite: SQLITE_FULL")
    assert await bench.readiness.fault() is None
    assert bench.store.checks == 1
    bench.clock.s += 0.01
    answers = await asyncio.gather(*(bench.readiness.fault() for _ in range(100)))
    assert {answer and answer.code for answer in answers} == {"store_unavailable"}
    assert bench.store.checks == 2


@pytest.mark.parametrize("fault", [Unavailable("x"), Broken("the file", "x")])
async def test_what_the_store_says_is_told_and_passes(bench: Bench, fault: Unavailable) -> None:
    bench.store.fault = fault
    assert await bench.readiness.fault() is fault
    bench.store.fault = None
    bench.clock.s += LOOK_S
    assert await bench.readiness.fault() is None


async def test_a_full_disk_is_not_ready(bench: Bench) -> None:
    async with bench.store.database.transaction() as db:
        ((pages,),) = await db.execute_fetchall("PRAGMA page_count")
        await db.execute_fetchall(f"PRAGMA max_page_count = {pages}")
    fault = await bench.readiness.fault()
    assert fault is not None
    assert fault.code == "store_unavailable"


async def test_without_a_key_that_signs_it_is_not_ready(bench: Bench) -> None:
    assert await bench.readiness.fault() is None
    await bench.store.keys.add(a_key("junk"), retire_others_at=bench.clock.now())
    bench.clock.s += CACHE_S
    fault = await bench.readiness.fault()
    assert fault is not None
    assert fault.code == "signing_key_unusable"


async def test_a_master_key_that_opens_nobody_is_not_ready(bench: Bench) -> None:
    await bench.enrol(Vault([bytes(32)]))
    fault = await bench.readiness.fault()
    assert fault is not None
    assert fault.code == "vault_key_unknown"


async def test_one_damaged_template_is_its_owners_trouble_alone(bench: Bench) -> None:
    for subject in ("ada", "bob"):
        await bench.enrol(VAULT, subject)
    record = await bench.store.templates.get("shop", "ada")
    await bench.store.templates.put(replace(record, sealed=record.sealed[::-1]), replace=True)
    assert await bench.readiness.fault() is None
    await bench.store.forget_subject("shop", "bob")
    bench.clock.s += LOOK_S
    fault = await bench.readiness.fault()
    assert fault is not None
    assert fault.code == "vault_format"
