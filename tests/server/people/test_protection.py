"""Templates behind a client's secret: rotated, compared as before, and only the newest counts."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.template import Floats, Gallery, pooled
from server.keys.vault import Vault, VaultError
from server.metrics import Counter
from server.people.galleries import Galleries
from server.people.protection import Protection, protection_of
from server.people.templates import open_template, open_vector, seal_template
from server.store.gallery import VectorRecord
from server.store.port import Client, TemplateRecord
from server.store.sqlite.store import SqliteStore
from tests.server.people.test_templates import NOW, VAULT, a_template, sealed


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.sqlite3")
    await store.open()
    for client_id in ("shop", "zoo"):
        await store.clients.add(Client(client_id, bytes(32), (), "default", NOW))
    yield store
    await store.close()


@pytest.fixture
def protection(store: SqliteStore) -> Protection:
    return protection_of(store, VAULT, lambda: NOW)


async def enrol(
    store: SqliteStore, protection: Protection, subject: str, seed: int, client_id: str = "shop"
) -> TemplateRecord:
    record = await protection.seal(
        a_template(seed),
        client_id=client_id,
        subject=subject,
        template_id=f"t-{subject}-{seed}",
        created_at=NOW,
    )
    await store.templates.put(record, replace=True)
    await protection.settle(record)
    return record


def probe(seed: int) -> Floats:
    return pooled(a_template(seed).embeddings)


def of(store: SqliteStore, protection: Protection, unused: Counter | None = None) -> Galleries:
    return Galleries(store.templates, protection, model_id="sface", unused=unused)


def score(gallery: Gallery, seed: int) -> float:
    match = gallery.best(probe(seed))
    assert match is not None
    return match.score


async def test_scores_are_what_they_were(store: SqliteStore, protection: Protection) -> None:
    for n in range(5):
        await enrol(store, protection, f"p{n}", n)
    galleries = of(store, protection)
    for n in range(5):
        alone = await galleries.of_subject("shop", f"p{n}")
        for seed in range(7):
            plain = float(probe(n) @ probe(seed))
            assert abs(score(alone, seed) - plain) <= 1e-6
    many = await galleries.of_client("shop")
    for seed in range(5):
        match = many.best(probe(seed))
        assert match is not None
        assert match.subject == f"p{seed}"
        assert abs(match.score - 1.0) <= 1e-6


async def test_what_is_kept_is_rotated_and_two_clients_have_nothing_in_common(
    store: SqliteStore, protection: Protection
) -> None:
    records = [await enrol(store, protection, "ada", 1, client) for client in ("shop", "zoo")]
    galleries = of(store, protection)
    rows = [(await galleries.of_client(client)).matrix[0] for client in ("shop", "zoo")]
    rows += [pooled(open_template(VAULT, record).embeddings) for record in records]
    for record in records:
        vector = open_vector(VAULT, record.client_id, the_vector(record))
        assert vector is not None
        rows.append(vector)
    plain = probe(1)
    assert max(abs(float(row @ plain)) for row in rows) < 0.5
    assert abs(float(rows[0] @ rows[1])) < 0.5
    for ours in (rows[2], rows[4]):
        assert np.allclose(ours, rows[0], atol=1e-6)


def the_vector(record: TemplateRecord) -> VectorRecord:
    return VectorRecord(
        record.subject,
        record.template_id,
        record.model_id,
        record.vector,
        record.counter,
        record.epoch,
    )


async def test_a_tape_gets_rows_that_are_turned_back(
    store: SqliteStore, protection: Protection
) -> None:
    await enrol(store, protection, "ada", 1)
    gallery = (await of(store, protection).of_subject("shop", "ada")).copy()
    assert type(gallery) is Gallery
    assert np.allclose(gallery.matrix[0], probe(1), atol=1e-6)


RECORD = seal_template(
    VAULT,
    a_template(1),
    client_id="shop",
    subject="ada",
    template_id="t",
    created_at=NOW,
    counter=3,
    epoch=2,
)


@given(
    st.sampled_from(
        [
            {"client_id": "zoo"},
            {"subject": "bob"},
            {"template_id": "u"},
            {"model_id": "other"},
            {"quality": 0.76},
            {"created_at": NOW + timedelta(milliseconds=1)},
            {"counter": 4},
            {"counter": 0},
            {"epoch": 1},
            {"epoch": 0},
            {"epoch": 0, "counter": 0},
        ]
    )
)
def test_no_field_of_a_row_can_be_changed(changes: dict[str, object]) -> None:
    assert open_template(VAULT, RECORD) == a_template(1)
    moved = dataclasses.replace(RECORD, **changes)  # type: ignore[arg-type]
    with pytest.raises(VaultError) as caught:
        open_template(VAULT, moved)
    assert caught.value.code == "vault_refused"
    if not {"quality", "created_at"} & set(changes):
        assert open_vector(VAULT, moved.client_id, the_vector(moved)) is None


def test_microseconds_do_not_count_because_a_store_may_cut_them_off() -> None:
    moved = dataclasses.replace(RECORD, created_at=NOW + timedelta(microseconds=999))
    assert open_template(VAULT, moved) == a_template(1)


def test_a_row_of_before_does_not_pass_for_a_new_one() -> None:
    with pytest.raises(VaultError):
        open_template(VAULT, dataclasses.replace(sealed("ada", 1), counter=1, epoch=1))


async def test_an_older_row_that_is_put_back_is_refused_and_told(
    store: SqliteStore, protection: Protection, caplog: pytest.LogCaptureFixture
) -> None:
    old = await enrol(store, protection, "ada", 1)
    await enrol(store, protection, "bob", 2)
    await enrol(store, protection, "ada", 3)
    await store.templates.put(old, replace=True)
    unused = Counter("unused", "", ("reason",))
    for held in (protection, protection_of(store, VAULT, lambda: NOW)):
        galleries = of(store, held, unused)
        with caplog.at_level(logging.ERROR):
            assert len(await galleries.of_subject("shop", "ada")) == 0
            assert (await galleries.of_client("shop")).subjects == ("bob",)
    assert unused.value("turned_back") == 4
    assert {getattr(one, "code", None) for one in caplog.records} == {"template_rolled_back"}
    assert "a template was turned back" in caplog.records[0].message


async def test_a_gallery_in_memory_takes_no_older_row_either(
    store: SqliteStore, protection: Protection
) -> None:
    old = await enrol(store, protection, "ada", 1)
    galleries = of(store, protection)
    await enrol(store, protection, "ada", 3)
    assert (await galleries.of_client("shop")).subjects == ("ada",)
    await store.templates.put(old, replace=True)
    assert len(await galleries.of_client("shop")) == 0


async def test_who_was_forgotten_cannot_be_put_back(
    store: SqliteStore, protection: Protection
) -> None:
    old = await enrol(store, protection, "ada", 1)
    await store.forget_subject("shop", "ada")
    await protection.ledger.forget("shop", "ada")
    await store.templates.put(old, replace=True)
    assert len(await of(store, protection).of_subject("shop", "ada")) == 0


async def test_templates_of_before_go_on_beside_new_ones(
    store: SqliteStore, protection: Protection
) -> None:
    await store.templates.put(sealed("ada", 1), replace=False)
    galleries = of(store, protection)
    assert abs(score(await galleries.of_client("shop"), 1) - 1.0) <= 1e-6
    assert abs(score(await galleries.of_subject("shop", "ada"), 1) - 1.0) <= 1e-6
    await enrol(store, protection, "bob", 2)
    for held in (galleries, of(store, protection)):
        many = await held.of_client("shop")
        assert sorted(many.subjects) == ["ada", "bob"]
        for seed in (1, 2):
            assert abs(score(many, seed) - 1.0) <= 1e-6
    assert abs(score(await galleries.of_subject("shop", "ada"), 1) - 1.0) <= 1e-6
    await enrol(store, protection, "ada", 5)
    await store.templates.put(sealed("ada", 1), replace=True)
    assert len(await galleries.of_subject("shop", "ada")) == 0  # it is not the newest any more


async def test_an_enrolment_that_was_not_stored_changes_nothing(
    store: SqliteStore, protection: Protection
) -> None:
    kept = await enrol(store, protection, "ada", 1)
    lost = await protection.seal(
        a_template(2), client_id="shop", subject="ada", template_id="t2", created_at=NOW
    )
    await protection.settle(lost)
    galleries = of(store, protection)
    assert abs(score(await galleries.of_subject("shop", "ada"), 1) - 1.0) <= 1e-6
    await store.templates.put(lost, replace=True)  # it was, but late
    assert abs(score(await galleries.of_subject("shop", "ada"), 2) - 1.0) <= 1e-6
    await protection.settle(lost)
    await store.templates.put(kept, replace=True)
    assert len(await galleries.of_subject("shop", "ada")) == 0


async def test_who_is_read_while_they_enrol_again_is_never_missed(
    store: SqliteStore, protection: Protection, caplog: pytest.LogCaptureFixture
) -> None:
    await enrol(store, protection, "ada", 0)
    galleries = of(store, protection)
    done = asyncio.Event()

    async def enrolling() -> None:
        for seed in range(1, 12):
            await enrol(store, protection, "ada", seed)
        done.set()

    async def reading() -> int:
        seen = 0
        while not done.is_set():
            assert len(await galleries.of_subject("shop", "ada")) == 1
            assert len(await galleries.of_client("shop")) == 1
            seen += 1
        return seen

    _, seen = await asyncio.gather(enrolling(), reading())
    assert seen > 3
    assert not caplog.records


def test_a_vault_without_the_key_of_a_row_refuses_it() -> None:
    with pytest.raises(VaultError) as caught:
        open_template(Vault([bytes(32)]), RECORD)
    assert caught.value.code == "vault_key_unknown"
