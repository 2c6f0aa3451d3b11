"""Galleries: whose templates are in them, when they are read again, what is left out."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.template import Floats, pooled
from server.keys.vault import Vault
from server.metrics import Counter
from server.people.galleries import Galleries
from server.people.templates import seal_template
from server.store.port import Client, TemplateRecord
from server.store.sqlite.store import SqliteStore
from server.store.sqlite.templates import Templates
from tests.server.people.test_templates import NOW, VAULT, a_template, sealed


def a_probe(seed: int) -> Floats:
    return pooled(a_template(seed).embeddings)


class Counting(Templates):
    """Counts how often a whole gallery is read."""

    reads = 0

    async def of_client(self, client_id: str) -> Sequence[TemplateRecord]:
        self.reads += 1
        return await super().of_client(client_id)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.sqlite3")
    await store.open()
    for client_id in ("shop", "zoo"):
        await store.clients.add(Client(client_id, bytes(32), (), "default", NOW))
    yield store
    await store.close()


@pytest.fixture
def templates(store: SqliteStore) -> Counting:
    return Counting(store.database)


async def test_one_person_or_none(templates: Counting) -> None:
    await templates.put(sealed("ada", 1), replace=False)
    galleries = Galleries(templates, VAULT, model_id="sface")
    assert (await galleries.of_subject("shop", "ada")).subjects == ("ada",)
    match = (await galleries.of_subject("shop", "ada")).best(a_probe(1))
    assert match is not None
    assert match.score == pytest.approx(1.0, abs=1e-5)
    assert len(await galleries.of_subject("shop", "bob")) == 0
    assert len(await galleries.of_subject("zoo", "ada")) == 0


async def test_a_gallery_is_read_once_until_it_changes(
    store: SqliteStore, templates: Counting
) -> None:
    await templates.put(sealed("ada", 1), replace=False)
    galleries = Galleries(templates, VAULT, model_id="sface")
    first = await asyncio.gather(*(galleries.of_client("shop") for _ in range(10)))
    assert templates.reads == 1
    assert {gallery.subjects for gallery in first} == {("ada",)}
    assert first[0].matrix.dtype == np.float32

    await templates.put(sealed("bob", 2), replace=False)
    gallery = await galleries.of_client("shop")
    assert gallery.subjects == ("ada", "bob")
    match = gallery.best(a_probe(2))
    assert match is not None
    assert match.subject == "bob"

    await templates.put(sealed("bob", 3), replace=True)
    match = (await galleries.of_client("shop")).best(a_probe(3))
    assert match is not None
    assert (match.subject, round(match.score, 4)) == ("bob", 1.0)

    await store.forget_subject("shop", "ada")
    assert (await galleries.of_client("shop")).subjects == ("bob",)
    await store.clients.remove("shop")
    assert len(await galleries.of_client("shop")) == 0
    assert templates.reads == 5


async def test_a_change_by_another_process_is_seen(templates: Counting, tmp_path: Path) -> None:
    galleries = Galleries(templates, VAULT, model_id="sface")
    assert len(await galleries.of_client("shop")) == 0
    other = SqliteStore(tmp_path / "store.sqlite3")
    await other.open()
    await other.templates.put(sealed("ada", 1), replace=False)
    await other.close()
    assert (await galleries.of_client("shop")).subjects == ("ada",)


async def test_clients_have_galleries_of_their_own(templates: Counting) -> None:
    await templates.put(sealed("ada", 1), replace=False)
    await templates.put(sealed("bob", 2, client_id="zoo"), replace=False)
    galleries = Galleries(templates, VAULT, model_id="sface", kept=1)
    for _ in range(2):  # only one is kept, none is mixed up
        assert (await galleries.of_client("shop")).subjects == ("ada",)
        assert (await galleries.of_client("zoo")).subjects == ("bob",)
    assert templates.reads == 4


async def test_templates_of_another_model_are_not_compared_and_this_is_told(
    templates: Counting, caplog: pytest.LogCaptureFixture
) -> None:
    await templates.put(sealed("ada", 1), replace=False)
    await templates.put(sealed("bob", 2, model_id="other"), replace=False)
    unused = Counter("unused", "", ("reason",))
    galleries = Galleries(templates, VAULT, model_id="sface", unused=unused)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):  # read once
            assert (await galleries.of_client("shop")).subjects == ("ada",)
        assert len(await galleries.of_subject("shop", "bob")) == 0
        assert len(await galleries.of_subject("shop", "ada")) == 1
    assert unused.value("embedder") == 2
    assert unused.value("unreadable") == 0
    told = [record for record in caplog.records if "another embedder" in record.message]
    assert [getattr(record, "templates", 0) for record in told] == [1, 1]


async def test_a_moved_template_matches_nobody_and_stops_nobody(
    templates: Counting, caplog: pytest.LogCaptureFixture
) -> None:
    await templates.put(sealed("ada", 1), replace=False)
    stolen = dataclasses.replace(sealed("mallory", 3), subject="root")
    await templates.put(stolen, replace=False)
    unused = Counter("unused", "", ("reason",))
    galleries = Galleries(templates, VAULT, model_id="sface", unused=unused)
    with caplog.at_level(logging.ERROR):
        assert (await galleries.of_client("shop")).subjects == ("ada",)
        assert len(await galleries.of_subject("shop", "root")) == 0
    assert [record.message for record in caplog.records] == ["a template cannot be opened"] * 2
    assert getattr(caplog.records[0], "code", None) == "vault_refused"
    assert unused.value("unreadable") == 2


async def test_a_template_of_a_foreign_master_key_stops_nobody_else(
    templates: Counting, caplog: pytest.LogCaptureFixture
) -> None:
    await templates.put(sealed("ada", 1), replace=False)
    foreign = seal_template(
        Vault([bytes(32)]),
        a_template(2),
        client_id="shop",
        subject="bob",
        template_id="t",
        created_at=NOW,
    )
    await templates.put(foreign, replace=False)
    unused = Counter("unused", "", ("reason",))
    galleries = Galleries(templates, VAULT, model_id="sface", unused=unused)
    with caplog.at_level(logging.ERROR):
        assert (await galleries.of_client("shop")).subjects == ("ada",)
        assert len(await galleries.of_subject("shop", "bob")) == 0
    assert {getattr(record, "code", None) for record in caplog.records} == {"vault_key_unknown"}
    assert unused.value("unreadable") == 2
