"""Galleries: whose templates are in them, when they are read again, what is left out."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.template import Floats, Gallery, Template, pooled
from server.keys.vault import Vault
from server.metrics import Counter
from server.people.anchors import Ledger
from server.people.galleries import Galleries
from server.people.protection import Protection
from server.people.templates import seal_template
from server.store.gallery import Changes, GalleryVersion, VectorRecord
from server.store.port import Client, TemplateRecord, Unavailable
from server.store.sqlite.anchors import Anchors
from server.store.sqlite.database import Database
from server.store.sqlite.store import SqliteStore
from server.store.sqlite.templates import Templates
from tests.server.people.test_templates import NOW, VAULT, a_template, sealed


def a_probe(seed: int) -> Floats:
    return pooled(a_template(seed).embeddings)


class Counting(Templates):
    """Counts how often a whole gallery is read, and the rows that are."""

    reads = 0
    rows = 0
    out = False
    """Whether the database is away."""
    asked_out = False
    """Whether it is for whole templates."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.database = database

    async def gallery_version(self, client_id: str) -> GalleryVersion:
        if self.out:
            raise Unavailable
        return await super().gallery_version(client_id)

    async def of_subjects(
        self, client_id: str, subjects: Sequence[str]
    ) -> Sequence[TemplateRecord]:
        if self.asked_out:
            raise Unavailable
        return await super().of_subjects(client_id, subjects)

    async def vectors(self, client_id: str, *, after: str, most: int) -> Sequence[VectorRecord]:
        self.reads += not after
        found = await super().vectors(client_id, after=after, most=most)
        self.rows += len(found)
        return found

    async def changes(self, client_id: str, since: GalleryVersion) -> Changes | None:
        found = await super().changes(client_id, since)
        self.rows += 0 if found is None else len(found.rows)
        return found


def guard(templates: Counting, vault: Vault = VAULT) -> Protection:
    """Of the same database."""
    return Protection(templates, Ledger(Anchors(templates.database), vault), vault)


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
    galleries = Galleries(templates, guard(templates), model_id="sface")
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
    galleries = Galleries(templates, guard(templates), model_id="sface")
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
    assert (templates.reads, templates.rows) == (1, 3)
    await store.clients.remove("shop")
    assert len(await galleries.of_client("shop")) == 0
    assert templates.reads == 2


async def test_a_change_by_another_process_is_seen(templates: Counting, tmp_path: Path) -> None:
    galleries = Galleries(templates, guard(templates), model_id="sface")
    assert len(await galleries.of_client("shop")) == 0
    other = SqliteStore(tmp_path / "store.sqlite3")
    await other.open()
    await other.templates.put(sealed("ada", 1), replace=False)
    await other.close()
    assert (await galleries.of_client("shop")).subjects == ("ada",)


async def test_clients_have_galleries_of_their_own(templates: Counting) -> None:
    await templates.put(sealed("ada", 1), replace=False)
    await templates.put(sealed("bob", 2, client_id="zoo"), replace=False)
    galleries = Galleries(templates, guard(templates), model_id="sface", kept=1)
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
    galleries = Galleries(templates, guard(templates), model_id="sface", unused=unused)
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
    galleries = Galleries(templates, guard(templates), model_id="sface", unused=unused)
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
    galleries = Galleries(templates, guard(templates), model_id="sface", unused=unused)
    with caplog.at_level(logging.ERROR):
        assert (await galleries.of_client("shop")).subjects == ("ada",)
        assert len(await galleries.of_subject("shop", "bob")) == 0
    assert {getattr(record, "code", None) for record in caplog.records} == {"vault_key_unknown"}
    assert unused.value("unreadable") == 2


async def test_a_large_gallery_is_read_page_by_page(templates: Counting) -> None:
    for n in range(7):
        await templates.put(sealed(f"s{n}", n), replace=False)
    templates.asked_out = True  # nobody needs a template that has its vector
    for page in (1, 3, 7, 8):
        gallery = await Galleries(
            templates, guard(templates), model_id="sface", page=page
        ).of_client("shop")
        assert set(gallery.subjects) == {f"s{n}" for n in range(7)}
        assert [found(gallery, n) for n in range(8)] == [*(f"s{n}" for n in range(7)), "nobody"]


async def test_vectors_are_what_pooling_the_template_gives(templates: Counting) -> None:
    await templates.put(sealed("ada", 1), replace=False)
    without = dataclasses.replace(sealed("bob", 2), vector=None)  # of a version before
    await templates.put(without, replace=False)
    gallery = await Galleries(templates, guard(templates), model_id="sface").of_client("shop")
    assert sorted(gallery.subjects) == ["ada", "bob"]
    for subject, seed in (("ada", 1), ("bob", 2)):
        row = gallery.matrix[gallery.subjects.index(subject)]
        assert np.array_equal(row, a_probe(seed))


async def test_a_vector_counts_for_its_own_template_only(
    templates: Counting, caplog: pytest.LogCaptureFixture
) -> None:
    """Of an older template of hers, of somebody else, or changed: her template is asked."""
    old, mallory = sealed("ada", 1), sealed("mallory", 3)
    assert old.vector is not None
    assert mallory.vector is not None
    flipped = bytes([old.vector[0], *(byte ^ 1 for byte in old.vector[1:])])
    for n, vector in enumerate((old.vector, mallory.vector, flipped, b"", b"x")):
        new = dataclasses.replace(sealed("ada", 10 + n), vector=vector)
        await templates.put(new, replace=True)
        for galleries in (
            Galleries(templates, guard(templates), model_id="sface") for _ in range(2)
        ):
            gallery = await galleries.of_client("shop")
            assert [found(gallery, seed) for seed in (1, 3, 10 + n)] == ["nobody"] * 2 + ["ada"]
    assert not caplog.records


async def test_who_enrols_again_with_another_embedder_or_a_bad_template_is_gone(
    templates: Counting,
) -> None:
    for subject, seed in (("ada", 1), ("bob", 2), ("eve", 3)):
        await templates.put(sealed(subject, seed), replace=False)
    unused = Counter("unused", "", ("reason",))
    galleries = Galleries(templates, guard(templates), model_id="sface", unused=unused)
    before = await galleries.of_client("shop")
    await templates.put(sealed("ada", 11, model_id="other"), replace=True)
    stolen = dataclasses.replace(sealed("mallory", 12), subject="bob")
    await templates.put(stolen, replace=True)
    after = await galleries.of_client("shop")
    assert after.subjects == ("eve",)
    for gallery in (before, after):
        assert [found(gallery, n) for n in (1, 2, 3, 11, 12)] == ["nobody"] * 2 + ["eve"] + [
            "nobody"
        ] * 2
    assert (unused.value("embedder"), unused.value("unreadable")) == (1, 1)


async def test_a_template_of_another_size_stops_nobody(
    templates: Counting, caplog: pytest.LogCaptureFixture
) -> None:
    rows = np.eye(3, 64, dtype=np.float32)
    small = seal_template(
        VAULT,
        Template("sface", rows, 0.9),
        client_id="shop",
        subject="bob",
        template_id="t",
        created_at=NOW,
    )
    await templates.put(sealed("ada", 1), replace=False)
    await templates.put(small, replace=False)
    with caplog.at_level(logging.ERROR):
        gallery = await Galleries(templates, guard(templates), model_id="sface").of_client("shop")
    assert gallery.subjects == ("ada",)
    assert [getattr(record, "code", None) for record in caplog.records] == ["template_version"]


async def test_an_outage_loses_nothing_that_is_kept(templates: Counting) -> None:
    await templates.put(sealed("ada", 1), replace=False)
    galleries = Galleries(templates, guard(templates), model_id="sface")
    await galleries.of_client("shop")
    templates.out = True
    with pytest.raises(Unavailable):
        await galleries.of_client("shop")
    templates.out = False
    assert (await galleries.of_client("shop")).subjects == ("ada",)
    assert templates.reads == 1


async def test_what_broke_off_while_rows_changed_is_read_again_as_a_whole(
    templates: Counting, store: SqliteStore
) -> None:
    await templates.put(sealed("ada", 1), replace=False)
    galleries = Galleries(templates, guard(templates), model_id="sface")
    await galleries.of_client("shop")
    await store.forget_subject("shop", "ada")
    await templates.put(dataclasses.replace(sealed("bob", 2), vector=None), replace=False)
    templates.asked_out = True  # in the middle: ada is dropped, bob's template cannot be had
    with pytest.raises(Unavailable):
        await galleries.of_client("shop")
    templates.asked_out = False
    assert (await galleries.of_client("shop")).subjects == ("bob",)
    assert templates.reads == 2


async def test_who_is_being_written_is_looked_up_again_at_each_search(
    templates: Counting,
) -> None:
    """As MongoDB tells it: a removal that is under way is seen when it is done, not when the
    database has counted it; and who stays is not touched meanwhile."""
    told = Told([sealed("ada", 1), sealed("bob", 2)])
    galleries = Galleries(told, guard(templates), model_id="sface")
    before = await galleries.of_client("shop")
    told.version = dataclasses.replace(told.version, open=frozenset({"ada"}))
    during = await galleries.of_client("shop")
    assert [found(gallery, 1) for gallery in (before, during)] == ["ada", "ada"]
    del told.records["ada"]
    assert (await galleries.of_client("shop")).subjects == ("bob",)
    assert found(before, 1) == "nobody"


def found(gallery: Gallery, seed: int) -> str:
    match = gallery.best(a_probe(seed))
    return match.subject if match is not None and match.score > 0.99 else "nobody"


class Told(Templates):
    """A store that says what a test tells it to say."""

    def __init__(self, records: Sequence[TemplateRecord]) -> None:
        self.records = {record.subject: record for record in records}
        self.version = GalleryVersion(len(records), len(records))

    async def gallery_version(self, client_id: str) -> GalleryVersion:
        return self.version

    async def vectors(self, client_id: str, *, after: str, most: int) -> Sequence[VectorRecord]:
        return [self._row(record) for record in self.records.values()] if not after else []

    async def changes(self, client_id: str, since: GalleryVersion) -> Changes | None:
        open_ = sorted(self.version.open | since.open)
        rows = [self._row(self.records[who]) for who in open_ if who in self.records]
        return Changes(self.version, (), open_, rows)

    @staticmethod
    def _row(record: TemplateRecord) -> VectorRecord:
        return VectorRecord(record.subject, record.template_id, record.model_id, record.vector)
