"""What every store must do with templates and the version of a gallery, races included."""

from __future__ import annotations

import asyncio
import dataclasses

import numpy as np
import pytest

from server.store.port import Conflict, NotFound, Store
from tests.server.conformance.races import outcomes
from tests.server.conformance.records import NOW, a_client, a_template, everybody
from tests.server.failing import failed


async def test_a_template_is_kept_once_unless_replaced(shop: Store) -> None:
    await shop.templates.put(a_template(), replace=False)
    new = a_template(template_id="t2", model_id="other", quality=1.0, sealed=b"new", key_id="k")
    with pytest.raises(Conflict):
        await shop.templates.put(new, replace=False)
    assert await shop.templates.get("shop", "ada") == a_template()
    await shop.templates.put(new, replace=True)
    assert await shop.templates.get("shop", "ada") == new
    assert await everybody(shop, "shop") == [new]
    await shop.templates.put(a_template("bob"), replace=True)  # nothing to replace is fine
    assert await everybody(shop, "shop") == [new, a_template("bob")]


async def test_of_twenty_enrolments_one_wins(two: tuple[Store, Store]) -> None:
    records = [a_template(template_id=f"t{n}", sealed=bytes([n]) * 50) for n in range(20)]
    seen = await outcomes(
        [two[n % 2].templates.put(record, replace=False) for n, record in enumerate(records)]
    )
    assert seen == {"ok": 1, "Conflict": 19}
    assert await two[0].templates.get("shop", "ada") in records


async def test_replacements_at_once_leave_one_whole_template(two: tuple[Store, Store]) -> None:
    records = [a_template(template_id=f"t{n}", sealed=bytes([n]) * 50) for n in range(20)]
    seen = await outcomes(
        [two[n % 2].templates.put(record, replace=True) for n, record in enumerate(records)]
    )
    assert seen == {"ok": 20}
    (left,) = await everybody(two[0], "shop")
    assert left in records


async def test_clients_do_not_see_each_others_templates(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    await shop.templates.put(a_template(), replace=False)
    with pytest.raises(NotFound):
        await shop.templates.get("zoo", "ada")
    assert await everybody(shop, "zoo") == []
    await shop.templates.put(a_template(client_id="zoo"), replace=False)
    assert (await shop.forget_subject("zoo", "ada"))["templates"] == 1
    assert await shop.templates.get("shop", "ada") == a_template()


async def test_every_change_of_a_gallery_is_seen_by_the_other_process(
    two: tuple[Store, Store],
) -> None:
    one, other = two
    seen = [(await other.templates.gallery_version("shop")).changes]
    assert seen == [0]
    await one.templates.put(a_template(), replace=False)
    seen.append((await other.templates.gallery_version("shop")).changes)
    await one.templates.put(a_template(template_id="t2"), replace=True)
    seen.append((await other.templates.gallery_version("shop")).changes)
    await one.templates.put(a_template("bob"), replace=False)
    seen.append((await other.templates.gallery_version("shop")).changes)
    await one.forget_subject("shop", "ada")
    seen.append((await other.templates.gallery_version("shop")).changes)
    assert sorted(set(seen)) == seen
    await failed(one, "shop", "bob", NOW)
    assert (await other.templates.gallery_version("shop")).changes == seen[-1]


async def test_a_sample_is_of_anybody_and_empty_only_without_anybody(shop: Store) -> None:
    assert await shop.templates.sample(3) == []
    await shop.clients.add(a_client("zoo"))
    kept = [a_template(), a_template("bob"), a_template(client_id="zoo")]
    for record in kept:
        await shop.templates.put(record, replace=False)
    for n in (1, 2, 5):
        found = await shop.templates.sample(n)
        assert len(found) == min(n, 3)
        assert all(record in kept for record in found)


async def test_any_text_and_its_order_is_kept(shop: Store) -> None:
    subjects = [
        "Zoë",
        "zoe",
        "ada",
        "Ωμέγα",
        "山田",
        "𝔞𝔡𝔞",
        "é",
        "e\u0301",
        "a b",
        "quo'te\"",
        "$n",
        "a.b",
    ]
    for subject in subjects:
        await shop.templates.put(a_template(subject), replace=False)
    assert [t.subject for t in await everybody(shop, "shop")] == sorted(subjects)
    for subject in subjects:
        assert await shop.templates.get("shop", subject) == a_template(subject)
    with pytest.raises(NotFound):
        await shop.templates.get("shop", "ZOE")


async def test_a_large_template_is_kept_whole(shop: Store) -> None:
    sealed = np.random.default_rng(1).bytes(2_000_000)
    await shop.templates.put(a_template(sealed=sealed), replace=False)
    assert (await shop.templates.get("shop", "ada")).sealed == sealed


async def test_a_template_is_sealed_anew_only_as_it_was_read(shop: Store) -> None:
    was = [a_template(), a_template("bob", vector=b"v", counter=1, epoch=1, consent=b"c")]
    for record in was:
        await shop.templates.put(record, replace=False)
    changes = {"key_id": "k", "sealed": b"new", "vector": b"new vector", "counter": 2, "epoch": 3}
    changes |= {"consent": b"new consent"}
    now = [dataclasses.replace(record, **changes) for record in was]
    version = await shop.templates.gallery_version("shop")
    stale = dataclasses.replace(was[0], sealed=b"other")
    unknown = a_template("carl")
    assert await shop.templates.reseal([(stale, now[0]), (unknown, unknown)]) == 0
    assert await everybody(shop, "shop") == was
    assert await shop.templates.reseal(list(zip(was, now, strict=True))) == 2
    assert await everybody(shop, "shop") == now
    assert await shop.templates.reseal(list(zip(was, now, strict=True))) == 0
    assert await shop.templates.gallery_version("shop") == version
    rows = await shop.templates.vectors("shop", after="", most=9)
    assert [(row.vector, row.counter, row.epoch) for row in rows] == [(b"new vector", 2, 3)] * 2


async def test_of_twenty_who_seal_anew_one_wins(two: tuple[Store, Store]) -> None:
    await two[0].templates.put(a_template(), replace=False)
    new = [dataclasses.replace(a_template(), sealed=bytes([n]), counter=n) for n in range(20)]
    done = await asyncio.gather(
        *(two[n % 2].templates.reseal([(a_template(), one)]) for n, one in enumerate(new))
    )
    assert sum(done) == 1
    assert await two[0].templates.get("shop", "ada") == new[done.index(1)]


async def test_a_renewed_gallery_is_read_again_as_a_whole(two: tuple[Store, Store]) -> None:
    one, other = two
    for records in (0, 1):
        seen = await other.templates.gallery_version("shop")
        await one.templates.renewed("shop")
        assert await other.templates.gallery_version("shop") != seen
        assert await other.templates.changes("shop", seen) is None
        if not records:
            await one.templates.put(a_template(), replace=False)
    with pytest.raises(NotFound):
        await one.templates.renewed("nobody")
