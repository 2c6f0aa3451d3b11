"""Forgetting: all of one person or one client, and nothing of anybody else."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipeline.tape import LINES
from server.keys.vault import Vault
from server.people.anchors import Ledger
from server.people.forgetting import forget_client, forget_subject
from server.people.shelf import Shelf
from server.store.port import NotFound
from server.store.sqlite.store import SqliteStore
from tests.server.conformance.records import NOW, TICKET, a_client, a_session, a_template
from tests.server.failing import failed, failures


def ledger_of(store: SqliteStore) -> Ledger:
    return Ledger(store.anchors, Vault([bytes(32)]), now=lambda: NOW)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Two clients, each with ada and bob: templates, a failure, a finished session."""
    store = SqliteStore(tmp_path / "store.sqlite3")
    await store.open()
    for client in ("shop", "zoo"):
        await store.clients.add(a_client(client))
        for subject in ("ada", "bob"):
            whose = {"client_id": client, "subject": subject}
            name = f"{client}-{subject}"
            await store.templates.put(a_template(template_id=name, **whose), replace=False)
            await failed(store, client, subject, NOW)
            await store.sessions.add(a_session(name, **whose))
            await store.sessions.claim(name, TICKET, NOW)
            await store.sessions.finish(name, was="live", now_is="rejected", at=NOW)
    yield store
    await store.close()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A tape of each of them."""
    shelf = Shelf(tmp_path / "tapes", 30.0)
    shelf.open()
    for client in ("shop", "zoo"):
        for subject in ("ada", "bob"):
            tape = shelf.place(client, f"{client}-{subject}".ljust(12, "0"), NOW)
            tape.mkdir()
            header = {"subject": subject, "session": {"gallery": {"subjects": []}}}
            (tape / LINES).write_text(json.dumps(header) + "\n")
    return shelf


async def known(store: SqliteStore, shelf: Shelf) -> dict[str, set[str]]:
    """What is there of whom, as client-subject."""
    found: dict[str, set[str]] = {}
    for client in ("shop", "zoo"):
        for subject in ("ada", "bob"):
            kinds = found[f"{client}-{subject}"] = set()
            for kind, ask in (
                ("template", store.templates.get(client, subject)),
                ("session", store.sessions.get(f"{client}-{subject}")),
            ):
                try:
                    await ask
                    kinds.add(kind)
                except NotFound:
                    pass
            if await failures(store, client, subject):
                kinds.add("failure")
            if list(shelf.folder.glob(f"{client}/*-{client}-{subject}*")):
                kinds.add("recording")
    return found


EVERYTHING = {"template", "session", "failure", "recording"}


async def test_a_person_is_forgotten_and_nobody_else(
    store: SqliteStore, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    assert set(map(frozenset, (await known(store, shelf)).values())) == {frozenset(EVERYTHING)}
    with caplog.at_level(logging.INFO):
        removed = await forget_subject(store, ledger_of(store), shelf, "shop", "ada")
        assert removed["templates"] == 1
    assert await known(store, shelf) == {
        "shop-ada": set(),
        "shop-bob": EVERYTHING,
        "zoo-ada": EVERYTHING,
        "zoo-bob": EVERYTHING,
    }
    (line,) = caplog.records
    assert line.message == "subject removed"
    said = {name: getattr(line, name) for name in ("client", "templates", "recordings")}
    assert said == {"client": "shop", "templates": 1, "recordings": 1}
    assert "ada" not in caplog.text
    again = await forget_subject(store, ledger_of(store), shelf, "shop", "ada")
    assert again["templates"] == 0


async def test_a_server_that_records_nothing_forgets_as_well(store: SqliteStore) -> None:
    removed = await forget_subject(store, ledger_of(store), None, "shop", "ada")
    assert removed["templates"] == 1
    with pytest.raises(NotFound):
        await store.templates.get("shop", "ada")


async def test_a_client_is_forgotten_with_everybody_and_no_other_client(
    store: SqliteStore, shelf: Shelf
) -> None:
    await forget_client(store, shelf, "shop")
    left = await known(store, shelf)
    assert (left["shop-ada"], left["shop-bob"]) == (set(), set())
    assert (left["zoo-ada"], left["zoo-bob"]) == (EVERYTHING, EVERYTHING)


async def test_recordings_of_an_unknown_client_stay(store: SqliteStore, shelf: Shelf) -> None:
    await store.clients.remove("shop")
    with pytest.raises(NotFound):
        await forget_client(store, shelf, "shop")
    assert "recording" in (await known(store, shelf))["shop-ada"]


async def test_a_template_of_somebody_forgotten_counts_no_more(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = ledger_of(store)
    _, given = await ledger.announce("shop", ["ada", "bob"])
    await ledger.settle("shop", given)
    await forget_subject(store, ledger, None, "shop", "ada")
    standing = await ledger.standing("shop", ["ada", "bob"])
    assert standing.fault("ada", given["ada"]) == "template_rolled_back"
    assert standing.fault("bob", given["bob"]) is None
    foreign = Ledger(store.anchors, Vault([bytes(range(32))]), now=lambda: NOW)
    with caplog.at_level(logging.ERROR):
        await forget_subject(store, foreign, None, "shop", "bob")  # the person goes anyhow
    assert [getattr(one, "code", None) for one in caplog.records] == ["anchor_rolled_back"]
    assert (await known(store, Shelf(Path("/nowhere"), 1.0)))["shop-bob"] == set()
