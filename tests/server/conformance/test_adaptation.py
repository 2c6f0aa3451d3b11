"""A template that follows a login, in every store: one step from the first, and who wins a race."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.events import Decided
from pipeline.policy import POLICIES
from pipeline.reasons import Phase
from pipeline.template import Floats, Template, pooled
from server.adaptation import MOST_DEG, Adaptation, moved_deg
from server.audit.chain import Audit
from server.audit.record import read_body
from server.keys.vault import VaultError
from server.people.consent import open_consent, seal_consent
from server.people.protection import Protection, Space, protection_of
from server.store.port import Store, TemplateRecord, Unavailable
from tests.pipeline.observations import near, template
from tests.server.conformance.records import NOW
from tests.server.stage import VAULT, agreed_to

MATCH = POLICIES["standard"].match_score
FIRST = template(1)
CENTRE = pooled(FIRST.embeddings)
TODAY, LATER = near(CENTRE, 0.9, 7), near(CENTRE, 0.85, 8)


def of(store: Store, mode: str = "bounded") -> Adaptation:
    """As another process has it."""
    audit = Audit(store.audit, VAULT, now=lambda: NOW, by="serve")
    return Adaptation(store.templates, guard(store), audit, mode)


def guard(store: Store) -> Protection:
    return protection_of(store, VAULT, lambda: NOW)


async def enrol(store: Store) -> TemplateRecord:
    """Ada, with her consent; the row."""
    whose: dict[str, Any] = {"client_id": "shop", "subject": "ada", "template_id": "t1"}
    protection = guard(store)
    record = await protection.seal(FIRST, **whose, created_at=NOW)
    agreed = seal_consent(VAULT, agreed_to("s" * 43), **whose)
    await store.templates.put(replace(record, consent=agreed), replace=True)
    await protection.settle(record)
    return await store.templates.get("shop", "ada")


async def follow(store: Store, kept: TemplateRecord, probe: Floats, mode: str = "bounded") -> bool:
    return await of(store, mode).follow(kept, shown(probe), MATCH)


def shown(probe: Floats | None, answered: str | None = "light") -> Decided:
    return Decided(Phase.ACCEPTED, subject="ada", acr=answered, probe=probe)


async def opened(store: Store, record: TemplateRecord | None = None) -> Template:
    protection = guard(store)
    kept = record or await store.templates.get("shop", "ada")
    return protection.opened(kept, await protection.standing("shop", ["ada"]), Space(None))


async def told(store: Store) -> list[dict[str, Any]]:
    """What the audit says of templates, and what was undone."""
    records = await store.audit.records(after=("", 0), most=100)
    bodies = [read_body(record.body) for record in records]
    return [body for body in bodies if body["kind"] in ("template", "undone")]


async def test_one_row_of_today_stands_behind_the_first_enrolment(shop: Store) -> None:
    kept = await enrol(shop)
    assert await follow(shop, kept, TODAY)
    record, now = await shop.templates.get("shop", "ada"), await opened(shop)
    assert (now.added, len(now.embeddings)) == (1, len(FIRST.embeddings) + 1)
    np.testing.assert_allclose(now.first.embeddings, FIRST.embeddings, atol=1e-6)
    assert 0 < moved_deg(FIRST, now) <= MOST_DEG
    assert float(pooled(now.embeddings) @ TODAY) > float(CENTRE @ TODAY) + 0.01
    same = ("template_id", "created_at", "quality", "model_id", "epoch")
    assert all(getattr(record, name) == getattr(kept, name) for name in same)
    assert open_consent(VAULT, record) == open_consent(VAULT, kept)
    (one,) = await told(shop)
    assert (one["act"], one["template"]) == ("adapt", "t1")
    assert one["degrees"] == pytest.approx(moved_deg(FIRST, now), abs=0.01)
    with pytest.raises(VaultError):  # the row of before is an older one now
        await opened(shop, kept)


async def test_the_next_step_begins_at_the_first_enrolment_again(shop: Store) -> None:
    await enrol(shop)
    for _ in range(5):
        for probe in (TODAY, LATER):
            assert await follow(shop, await shop.templates.get("shop", "ada"), probe)
            now = await opened(shop)
            assert (now.added, len(now.embeddings)) == (1, len(FIRST.embeddings) + 1)
            assert moved_deg(FIRST, now) <= MOST_DEG
    await shop.templates.get("shop", "ada")
    after = (await opened(shop)).embeddings[-1]
    kept = await enrol(shop)
    assert await follow(shop, kept, LATER)
    np.testing.assert_allclose((await opened(shop)).embeddings[-1], after, atol=1e-6)


async def test_nothing_moves_unless_it_may(shop: Store) -> None:
    kept = await enrol(shop)
    adaptation = of(shop)
    near_only = near(CENTRE, 0.7, 3)
    assert not await follow(shop, kept, TODAY, mode="never")
    assert not await adaptation.follow(kept, shown(TODAY, None), MATCH)
    assert not await adaptation.follow(kept, shown(None), MATCH)
    assert not await adaptation.follow(kept, shown(near_only), MATCH)
    assert await shop.templates.get("shop", "ada") == kept
    assert await told(shop) == []


async def test_of_two_logins_at_once_one_moves_it_and_it_counts(two: tuple[Store, Store]) -> None:
    kept = await enrol(two[0])
    moved = await asyncio.gather(follow(two[0], kept, TODAY), follow(two[1], kept, LATER))
    assert sorted(moved) == [False, True]
    probe = TODAY if moved[0] else LATER
    assert float(pooled((await opened(two[0])).embeddings) @ probe) > float(CENTRE @ probe)
    assert sorted(body["kind"] for body in await told(two[0])) == ["template", "template", "undone"]


async def test_who_enrols_or_is_removed_meanwhile_wins(shop: Store) -> None:
    kept = await enrol(shop)
    again = await enrol(shop)
    assert not await follow(shop, kept, TODAY)  # an older row than counts
    assert await shop.templates.get("shop", "ada") == again
    await shop.forget_subject("shop", "ada")
    assert not await follow(shop, again, TODAY)
    standing = await guard(shop).standing("shop", ["ada"])
    assert len(standing.counters["ada"]) == 1  # as before: nothing was announced and left


async def test_a_store_that_is_down_leaves_the_template(
    shop: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def down(*_: object) -> int:
        raise Unavailable

    kept = await enrol(shop)
    monkeypatch.setattr(shop.templates, "reseal", down)
    with caplog.at_level(logging.WARNING):
        assert not await follow(shop, kept, TODAY)
    assert "a template does not follow a login" in caplog.messages
    assert (await opened(shop)).added == 0
