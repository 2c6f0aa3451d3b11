"""What every store must tell to who remembers a gallery: each change, from any process, and no
change is lost between writers that race."""

from __future__ import annotations

import asyncio
import random

import pytest

from server.store import gallery
from server.store.port import Conflict, Store
from tests.server.conformance.following import Follower, all_of
from tests.server.conformance.records import NOW, a_client, a_session, a_template


async def test_vectors_are_read_page_by_page(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    await shop.templates.put(a_template("zed", client_id="zoo"), replace=False)
    subjects = [f"s{n}" for n in range(7)]
    for subject in reversed(subjects):
        vector = None if subject == "s3" else subject.encode()
        await shop.templates.put(a_template(subject, vector=vector), replace=False)
    first = await shop.templates.vectors("shop", after="", most=4)
    second = await shop.templates.vectors("shop", after="s3", most=4)
    assert [row.subject for row in (*first, *second)] == subjects
    assert [row.vector for row in first] == [b"s0", b"s1", b"s2", None]
    assert (first[0].template_id, first[0].model_id) == ("t-s0", "sface")
    assert await shop.templates.vectors("shop", after="s6", most=4) == []


async def test_a_vector_is_kept_beside_its_template_and_goes_with_it(shop: Store) -> None:
    await shop.templates.put(a_template(vector=b"sealed too"), replace=False)
    assert (await shop.templates.get("shop", "ada")).vector == b"sealed too"
    await shop.templates.put(a_template(template_id="t2"), replace=True)
    assert (await shop.templates.get("shop", "ada")).vector is None
    asked = await shop.templates.of_subjects("shop", ["bob", "ada"])
    assert asked == [a_template(template_id="t2")]


async def test_an_enrolment_tells_its_vector(shop: Store) -> None:
    since = await shop.templates.gallery_version("shop")
    await shop.sessions.add(a_session(purpose="enroll", state="live"))
    record = a_template(vector=b"v")
    await shop.endings.accept("s1", at=NOW, subject="ada", template=record)
    changes = await shop.templates.changes("shop", since)
    assert changes is not None
    assert [(row.subject, row.vector) for row in changes.rows] == [("ada", b"v")]


async def test_a_follower_is_told_what_changed_and_nothing_else(two: tuple[Store, Store]) -> None:
    one, other = two
    for n in range(5):
        await one.templates.put(a_template(f"old{n}"), replace=False)
    follower = Follower(other)
    assert len(await follower.follow()) == 5

    await one.templates.put(a_template(), replace=False)
    assert (await follower.follow())["ada"] == "t-ada"
    await one.templates.put(a_template(template_id="t2"), replace=True)
    assert (await follower.follow())["ada"] == "t2"
    assert follower.told == 2
    with pytest.raises(Conflict):
        await one.templates.put(a_template(template_id="t3"), replace=False)
    assert (await follower.follow())["ada"] == "t2"
    assert (await one.forget_subject("shop", "ada"))["templates"] == 1
    assert "ada" not in await follower.follow()
    await one.templates.put(a_template(), replace=False)  # the very same again
    assert (await follower.follow())["ada"] == "t-ada"

    assert await follower.follow() == await all_of(one)
    assert follower.told == 3
    assert follower.whole == 1


async def test_several_changes_are_told_at_once(two: tuple[Store, Store]) -> None:
    one, other = two
    follower = Follower(other)
    await follower.follow()
    for n in range(6):
        await one.templates.put(a_template(f"s{n}"), replace=False)
    for n in range(3):
        await one.forget_subject("shop", f"s{n}")
    assert await follower.follow() == {f"s{n}": f"t-s{n}" for n in (3, 4, 5)}
    assert follower.told == 3
    assert follower.whole == 1


async def test_who_was_replaced_and_then_removed_is_gone(two: tuple[Store, Store]) -> None:
    """Of which the follower knew only the first template."""
    one, other = two
    await one.templates.put(a_template(template_id="t1"), replace=False)
    follower = Follower(other)
    assert await follower.follow() == {"ada": "t1"}
    await one.templates.put(a_template(template_id="t2"), replace=True)
    await one.forget_subject("shop", "ada")
    assert await follower.follow() == {}
    assert follower.whole == 1


async def test_an_enrolment_in_place_of_another_tells_that_it_went(
    two: tuple[Store, Store],
) -> None:
    one, other = two
    await one.templates.put(a_template(template_id="t1"), replace=False)
    follower = Follower(other)
    await follower.follow()
    await one.sessions.add(a_session(purpose="enroll", state="live", replace=True))
    record = a_template(template_id="t2")
    await one.endings.accept("s1", at=NOW, subject="ada", template=record)
    await one.forget_subject("shop", "ada")
    assert await follower.follow() == {}
    assert follower.whole == 1


async def test_other_clients_changes_are_not_told(two: tuple[Store, Store]) -> None:
    one, other = two
    await one.clients.add(a_client("zoo"))
    await one.templates.put(a_template(), replace=False)
    follower = Follower(other)
    await follower.follow()
    await one.templates.put(a_template("bob", client_id="zoo"), replace=False)
    await one.templates.put(a_template(client_id="zoo"), replace=False)
    await one.forget_subject("zoo", "ada")
    assert await follower.follow() == {"ada": "t-ada"}
    assert follower.told == 0


async def test_a_client_that_was_removed_has_nobody_for_its_followers(
    two: tuple[Store, Store],
) -> None:
    one, other = two
    await one.templates.put(a_template(), replace=False)
    await one.forget_subject("shop", "ada")
    await one.templates.put(a_template("bob"), replace=False)
    follower = Follower(other)
    await follower.follow()
    await one.clients.remove("shop")
    assert await follower.follow() == {}
    await one.clients.add(a_client())
    await one.templates.put(a_template("eve"), replace=False)
    assert await follower.follow() == {"eve": "t-eve"}


async def test_who_asks_for_more_than_the_log_has_is_told_to_read_all(
    two: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "LOG_KEPT", 6)
    one, other = two
    await one.templates.put(a_template(), replace=False)
    follower = Follower(other)
    await follower.follow()
    await one.forget_subject("shop", "ada")
    for n in range(6):
        await one.templates.put(a_template(f"s{n}"), replace=False)
        await one.forget_subject("shop", f"s{n}")
    assert await follower.follow() == {}
    assert follower.whole == 2


async def test_racing_writers_lose_no_change_to_a_follower(two: tuple[Store, Store]) -> None:
    """Enrolments, replacements and removals of few people, from two processes, all at once."""
    rng = random.Random(12)
    followers = [Follower(store) for store in two]
    for follower in followers:
        await follower.follow()

    async def write(n: int) -> None:
        store, subject = two[n % 2], f"s{rng.randrange(5)}"
        if rng.random() < 0.4:
            await store.forget_subject("shop", subject)
        else:
            await store.templates.put(a_template(subject, template_id=f"t{n}"), replace=True)

    for round_ in range(8):
        under_way = [asyncio.create_task(write(round_ * 12 + n)) for n in range(12)]
        while not all(task.done() for task in under_way):
            await asyncio.gather(*(follower.follow() for follower in followers))
        await asyncio.gather(*under_way)
        there = await all_of(two[0])
        for follower in followers:
            assert await follower.follow() == there
    assert [follower.whole for follower in followers] == [1, 1]
