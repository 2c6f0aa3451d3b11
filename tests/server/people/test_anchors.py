"""What templates are held against: nothing that is older counts, whoever writes the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.keys.vault import Vault, VaultError
from server.people.anchors import Ledger
from server.people.standing import part_of
from server.store.anchors import HEAD, AnchorRecord
from server.store.port import NotFound
from server.store.sqlite.store import SqliteStore
from tests.server.conformance.records import NOW, a_client

VAULT = Vault([bytes(range(32))])


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.sqlite3")
    await store.open()
    await store.clients.add(a_client())
    yield store
    await store.close()


def another(store: SqliteStore, vault: Vault = VAULT) -> Ledger:
    """As another process has it, which has seen nothing yet."""
    return Ledger(store.anchors, vault, now=lambda: NOW)


@pytest.fixture
def ledger(store: SqliteStore) -> Ledger:
    return another(store)


async def enrol(ledger: Ledger, subject: str) -> int:
    _, given = await ledger.announce("shop", [subject])
    await ledger.settle("shop", given)
    return given[subject]


async def fault(ledger: Ledger, subject: str, counter: int) -> str | None:
    return (await ledger.standing("shop", [subject])).fault(subject, counter)


async def put_back(store: SqliteStore, *records: AnchorRecord) -> None:
    """As somebody does who can write the database."""
    async with store.database.transaction() as db:
        for one in records:
            await db.execute_fetchall(
                "DELETE FROM anchors WHERE client_id = ? AND part = ?", (one.client_id, one.part)
            )
            await db.execute_fetchall(
                "INSERT INTO anchors (client_id, part, version, sealed) VALUES (?, ?, ?, ?)",
                (one.client_id, one.part, one.version, one.sealed),
            )


async def test_only_the_newest_counts_once_it_is_settled(ledger: Ledger) -> None:
    first = await enrol(ledger, "ada")
    assert await fault(ledger, "ada", first) is None
    _, given = await ledger.announce("shop", ["ada"])
    assert given["ada"] > first
    for counter in (first, given["ada"]):  # nobody knows yet which of them is stored
        assert await fault(ledger, "ada", counter) is None
    await ledger.settle("shop", given)
    assert await fault(ledger, "ada", given["ada"]) is None
    for counter in (0, first, given["ada"] + 1):
        assert await fault(ledger, "ada", counter) == "template_rolled_back"


async def test_who_is_unknown_or_forgotten_has_no_template_that_counts(ledger: Ledger) -> None:
    counter = await enrol(ledger, "ada")
    await enrol(ledger, "bob")
    assert await fault(ledger, "eve", counter) == "template_rolled_back"
    assert await fault(ledger, "eve", 0) == "template_rolled_back"
    await ledger.forget("shop", "ada")
    await ledger.forget("shop", "nobody")
    assert await fault(ledger, "ada", counter) == "template_rolled_back"
    assert await enrol(ledger, "ada") > counter
    assert await fault(ledger, "bob", (await enrol(ledger, "bob"))) is None


async def test_an_older_part_is_noticed_by_who_never_saw_the_newer(
    store: SqliteStore, ledger: Ledger
) -> None:
    first = await enrol(ledger, "ada")
    (old,) = await store.anchors.of("shop", [part_of("ada")])
    await enrol(ledger, "ada")
    await put_back(store, old)
    fresh = another(store)
    assert await fault(fresh, "ada", first) == "anchor_rolled_back"
    with pytest.raises(VaultError) as caught:
        await fresh.announce("shop", ["ada"])
    assert caught.value.code == "anchor_rolled_back"
    standing = await fresh.standing("shop", None)
    assert standing.fault("ada", first) == "anchor_rolled_back"


async def test_a_part_that_is_gone_is_noticed(store: SqliteStore, ledger: Ledger) -> None:
    counter = await enrol(ledger, "ada")
    async with store.database.transaction() as db:
        await db.execute_fetchall("DELETE FROM anchors WHERE part <> ?", (HEAD,))
    for wanted in (["ada"], None):
        standing = await another(store).standing("shop", wanted)
        assert standing.fault("ada", counter) == "anchor_rolled_back"
    with pytest.raises(VaultError):
        await another(store).announce("shop", ["ada"])


async def test_who_turns_back_part_and_head_contradicts_every_part_changed_since(
    store: SqliteStore, ledger: Ledger
) -> None:
    first = await enrol(ledger, "ada")
    old = await store.anchors.of("shop")
    await enrol(ledger, "ada")
    bob = await enrol(ledger, "bob")
    await put_back(store, *old)
    # A process that saw more says so of everybody.
    assert await fault(ledger, "ada", first) == "anchor_rolled_back"
    assert await fault(ledger, "bob", bob) == "anchor_rolled_back"
    # One that did not takes ada's: the client was turned back as a whole, but for bob, whose row
    # is there and is in no part that counts.
    fresh = another(store)
    assert await fault(fresh, "ada", first) is None


async def test_a_head_or_part_of_another_client_or_version_does_not_open(
    store: SqliteStore, ledger: Ledger
) -> None:
    await store.clients.add(a_client("zoo"))
    counter = await enrol(ledger, "ada")
    head, part = await store.anchors.of("shop")
    await put_back(store, AnchorRecord("shop", part.part, part.version + 1, part.sealed))
    assert await fault(another(store), "ada", counter) == "anchor_rolled_back"
    await put_back(store, AnchorRecord("shop", HEAD, head.version + 1, head.sealed))
    assert await fault(another(store), "ada", counter) == "anchor_rolled_back"
    with pytest.raises(VaultError):
        await another(store).announce("shop", ["ada"])
    await put_back(store, *(AnchorRecord("zoo", r.part, r.version, r.sealed) for r in (head, part)))
    zoo = await another(store).standing("zoo", ["ada"])
    assert zoo.fault("ada", counter) == "anchor_rolled_back"


async def test_without_a_head_only_templates_of_before_count(
    store: SqliteStore, ledger: Ledger
) -> None:
    assert await fault(ledger, "ada", 0) is None
    assert await fault(ledger, "ada", 1) == "anchor_missing"
    await ledger.found("shop", first=False)
    assert await fault(ledger, "ada", 0) is None
    _, given = await ledger.announce("shop", ["ada"])
    assert await fault(ledger, "ada", 0) is None  # not replaced yet
    await ledger.settle("shop", given)
    assert await fault(ledger, "ada", 0) == "template_rolled_back"
    assert await fault(ledger, "bob", 0) is None
    await ledger.adopted("shop")
    assert await fault(ledger, "bob", 0) == "template_rolled_back"


async def test_enrolments_at_once_lose_none(store: SqliteStore) -> None:
    ledgers = [another(store) for _ in range(3)]
    names = [f"p{n}" for n in range(30)]
    counters = await asyncio.gather(*(enrol(ledgers[n % 3], name) for n, name in enumerate(names)))
    standing = await another(store).standing("shop", None)
    assert {standing.fault(*each) for each in zip(names, counters, strict=True)} == {None}
    assert standing.head is not None
    assert len(standing.head.secrets) == 1  # of three who made one at once, one won


async def test_an_operator_can_believe_what_is_there(store: SqliteStore, ledger: Ledger) -> None:
    first = await enrol(ledger, "ada")
    bob = await enrol(ledger, "bob")
    old = await store.anchors.of("shop")
    newer = await enrol(ledger, "ada")
    new = await store.anchors.of("shop")
    await put_back(store, *old)
    await ledger.accept("shop", {"ada": first})
    for held in (ledger, another(store)):
        assert await fault(held, "ada", first) is None
        assert await fault(held, "ada", newer) == "template_rolled_back"
        assert await fault(held, "bob", bob) == "template_rolled_back"
    # Nothing that was sealed before opens any more.
    (head,) = await store.anchors.of("shop", [HEAD])
    await put_back(store, *new[1:])
    assert await fault(another(store), "ada", newer) == "anchor_rolled_back"
    await put_back(store, head)
    await ledger.accept("shop", {"ada": first})
    assert await enrol(ledger, "ada") > first


async def test_nothing_is_announced_for_a_client_that_is_gone(
    store: SqliteStore, ledger: Ledger
) -> None:
    await enrol(ledger, "ada")
    await store.clients.remove("shop")
    with pytest.raises(NotFound):
        await ledger.announce("shop", ["ada"])
    await store.clients.add(a_client())
    assert await enrol(ledger, "ada") == 1  # and is not taken for the old one
    assert await fault(ledger, "ada", 1) is None


async def test_parts_are_sealed_anew_under_the_newest_master_key(
    store: SqliteStore, ledger: Ledger
) -> None:
    counter = await enrol(ledger, "ada")
    both = Vault([bytes(32), bytes(range(32))])
    assert await another(store, both).reseal("shop") == 2
    assert await another(store, both).reseal("shop") == 0
    assert await fault(another(store, Vault([bytes(32)])), "ada", counter) is None


async def test_what_was_announced_and_is_not_stored_counts_no_more(ledger: Ledger) -> None:
    kept = await enrol(ledger, "ada")
    for subject in ("ada", "eve"):
        _, given = await ledger.announce("shop", [subject])
        assert await fault(ledger, subject, given[subject]) is None
        await ledger.take_back("shop", subject, given[subject])
        assert await fault(ledger, subject, given[subject]) is not None
    assert await fault(ledger, "ada", kept) is None
    assert "eve" not in (await ledger.standing("shop", ["eve"])).counters
    await ledger.take_back("shop", "eve", 1)  # who is removed meanwhile stays so
    assert "eve" not in (await ledger.standing("shop", ["eve"])).counters
