"""What every store must do with templates and the version of a gallery, races included."""

from __future__ import annotations

import numpy as np
import pytest

from server.store.port import Conflict, NotFound, Store
from tests.server.conformance.races import outcomes
from tests.server.conformance.records import NOW, a_client, a_template, everybody


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
    await one.failures.add("shop", "bob", NOW)
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
