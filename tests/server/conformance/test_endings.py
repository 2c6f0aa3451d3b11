"""What every store must do with the end of a session: all that goes with it, or none of it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest

from server.store.port import Conflict, Enrolled, NotFound, Store
from tests.server.conformance.races import outcomes
from tests.server.conformance.records import MINUTE, NOW, a_client, a_session, a_template, everybody
from tests.server.failing import failed, failures, strangers

LATER = NOW + MINUTE


async def _live(store: Store, session_id: str = "s1", **changes: Any) -> None:
    record = a_session(session_id, state="live", claimed_at=NOW, **changes)
    await store.sessions.add(record)
    if record.purpose == "login":
        counter = strangers(record.client_id, record.subject or "")
        assert await store.tries.take(session_id, [counter], NOW) is None


async def test_an_accepted_login_is_recorded_and_gives_its_try_back(shop: Store) -> None:
    await _live(shop)
    await failed(shop, "shop", "ada", NOW)
    await failed(shop, "shop", "bob", NOW)
    await shop.endings.accept("s1", at=LATER, subject="ada", evidence='["x"]')
    assert await shop.sessions.get("s1") == a_session(
        state="accepted", claimed_at=NOW, finished_at=LATER, evidence='["x"]'
    )
    assert await failures(shop, "shop", "ada") == 1  # what others did is not forgiven
    assert await failures(shop, "shop", "bob") == 1


async def test_an_accepted_enrolment_has_its_template(shop: Store) -> None:
    await _live(shop, purpose="enroll")
    await failed(shop, "shop", "ada", NOW)
    version = (await shop.templates.gallery_version("shop")).changes
    await shop.endings.accept("s1", at=LATER, subject="ada", template=a_template())
    assert (await shop.sessions.get("s1")).state == "accepted"
    assert await shop.templates.get("shop", "ada") == a_template()
    assert (await shop.templates.gallery_version("shop")).changes > version
    assert await failures(shop, "shop", "ada") == 1  # no login was accepted


async def test_a_template_is_replaced_only_by_a_session_that_may(shop: Store) -> None:
    await shop.templates.put(a_template(), replace=False)
    new = a_template(template_id="new", sealed=b"new")
    await _live(shop, purpose="enroll")
    with pytest.raises(Enrolled):
        await shop.endings.accept("s1", at=LATER, subject="ada", template=new)
    assert (await shop.sessions.get("s1")).state == "live"
    assert await shop.templates.get("shop", "ada") == a_template()
    await _live(shop, "s2", purpose="enroll", replace=True)
    await shop.endings.accept("s2", at=LATER, subject="ada", template=new)
    assert await shop.templates.get("shop", "ada") == new


async def test_who_was_found_is_named_but_nobody_else(shop: Store) -> None:
    await _live(shop, "found", purpose="identify", subject=None)
    await shop.endings.accept("found", at=LATER, subject="grace")
    assert (await shop.sessions.get("found")).subject == "grace"
    await _live(shop, "login")
    with pytest.raises(Conflict):
        await shop.endings.accept("login", at=LATER, subject="grace")
    assert (await shop.sessions.get("login")).state == "live"


async def test_a_refused_login_is_counted_with_its_record(shop: Store) -> None:
    for n, failure in enumerate((True, False, True)):
        await _live(shop, f"s{n}")
        said = await shop.endings.refuse(
            f"s{n}",
            now_is="rejected",
            at=LATER,
            reasons=("no_match",),
            evidence='["x"]',
            failure=failure,
        )
        assert said is None
        assert await failures(shop, "shop", "ada") == (1, 1, 2)[n]
    assert await failures(shop, "shop", "ada") == 2
    assert await shop.sessions.get("s0") == a_session(
        "s0",
        state="rejected",
        claimed_at=NOW,
        finished_at=LATER,
        reasons=("no_match",),
        evidence='["x"]',
    )
    await _live(shop, "s9", purpose="identify", subject=None)
    assert await shop.endings.refuse("s9", now_is="expired", at=LATER, failure=True) is None


@pytest.mark.parametrize("won", [False, True])
async def test_a_session_ends_once_and_with_nothing_of_the_other_end(
    shop: Store, won: bool
) -> None:
    """Also for one who was told that its acceptance is not known: it was settled."""
    await _live(shop, purpose="enroll")
    await shop.endings.accept("s1", at=NOW, subject="ada", template=a_template())
    with pytest.raises(Conflict):
        await shop.endings.refuse("s1", now_is="rejected", at=LATER, failure=True, won=won)
    with pytest.raises(Conflict):
        await shop.endings.accept("s1", at=LATER, subject="ada")
    assert (await shop.sessions.get("s1")).state == "accepted"
    assert await failures(shop, "shop", "ada") == 0
    await _live(shop, "s2", purpose="enroll", subject="bob")
    await shop.endings.refuse("s2", now_is="rejected", at=NOW)
    with pytest.raises(Conflict):
        await shop.endings.accept("s2", at=LATER, subject="bob", template=a_template("bob"))
    with pytest.raises(NotFound):
        await shop.templates.get("shop", "bob")


async def test_what_is_not_there_is_not_ended(shop: Store) -> None:
    for call in (
        shop.endings.accept("nobody", at=NOW, subject="ada"),
        shop.endings.refuse("nobody", now_is="rejected", at=NOW, failure=True),
        shop.endings.refuse("nobody", now_is="rejected", at=NOW, won=True),
    ):
        with pytest.raises(NotFound):
            await call
    await _live(shop, purpose="enroll")
    await shop.forget_subject("shop", "ada")
    with pytest.raises(NotFound):
        await shop.endings.accept("s1", at=NOW, subject="ada", template=a_template())
    assert await everybody(shop, "shop") == []
    await _live(shop, "s2")
    await shop.clients.remove("shop")
    with pytest.raises(NotFound):
        await shop.endings.refuse("s2", now_is="rejected", at=NOW, failure=True)


async def test_of_fifty_ends_one_counts(two: tuple[Store, Store]) -> None:
    await _live(two[0])
    calls: list[Awaitable[Any]] = []
    for n in range(50):
        endings = two[n % 2].endings
        if n % 3:
            calls.append(endings.refuse("s1", now_is="rejected", at=NOW, failure=True))
        else:
            calls.append(endings.accept("s1", at=NOW, subject="ada"))
    assert await outcomes(calls) == {"ok": 1, "Conflict": 49}
    record = await two[1].sessions.get("s1")
    count = await failures(two[1], "shop", "ada")
    assert (record.state, count) in (("accepted", 0), ("rejected", 1))


async def test_of_ten_enrolments_of_one_person_one_is_accepted(two: tuple[Store, Store]) -> None:
    for n in range(10):
        await _live(two[0], f"s{n}", purpose="enroll")
    seen = await outcomes(
        [
            two[n % 2].endings.accept(
                f"s{n}", at=NOW, subject="ada", template=a_template(template_id=f"t{n}")
            )
            for n in range(10)
        ]
    )
    assert seen == {"ok": 1, "Enrolled": 9}
    states = {f"t{n}": (await two[0].sessions.get(f"s{n}")).state for n in range(10)}
    kept = await two[0].templates.get("shop", "ada")
    assert [name for name, state in states.items() if state == "accepted"] == [kept.template_id]


async def test_an_enrolment_meets_a_removal_and_leaves_all_or_nothing(
    two: tuple[Store, Store],
) -> None:
    one, other = two
    for n in range(10):
        await one.clients.add(a_client(f"c{n}"))
        await _live(one, f"s{n}", purpose="enroll", client_id=f"c{n}")
        seen = await outcomes(
            [
                one.endings.accept(
                    f"s{n}", at=NOW, subject="ada", template=a_template(client_id=f"c{n}")
                ),
                other.forget_subject(f"c{n}", "ada"),
            ]
        )
        assert set(seen) <= {"ok", "NotFound"}
        # Whichever was first: who was forgotten is not there.
        assert await everybody(one, f"c{n}") == []


async def test_who_is_forgotten_before_the_word_is_named_nowhere(shop: Store) -> None:
    """An identification that found somebody, and a login: the template must still be there."""
    for session_id, purpose, subject in (("found", "identify", None), ("login", "login", "ada")):
        await shop.templates.put(a_template(), replace=True)
        await _live(shop, session_id, purpose=purpose, subject=subject)
        await shop.endings.accept(session_id, at=LATER, subject="ada", compared="t-ada")
        assert (await shop.sessions.get(session_id)).subject == "ada"
        await shop.forget_subject("shop", "ada")
    await shop.templates.put(a_template(template_id="another"), replace=False)
    await _live(shop, "late", purpose="identify", subject=None)
    with pytest.raises(NotFound):
        await shop.endings.accept("late", at=LATER, subject="ada", compared="t-ada")
    left = await shop.sessions.get("late")
    assert (left.subject, left.state in ("live", "rejected")) == (None, True)
    await shop.forget_subject("shop", "ada")
    assert (await shop.sessions.get("late")).subject is None


async def test_a_refusal_meets_a_removal_and_counts_nothing(two: tuple[Store, Store]) -> None:
    one, other = two
    for n in range(10):
        await one.clients.add(a_client(f"c{n}"))
        await _live(one, f"s{n}", client_id=f"c{n}")
        calls = [
            one.endings.refuse(f"s{n}", now_is="rejected", at=NOW, failure=True),
            other.forget_subject(f"c{n}", "ada"),
        ]
        await outcomes(calls[:: 1 if n % 2 else -1])
        assert await failures(other, f"c{n}", "ada") == 0
        with pytest.raises(NotFound):
            await one.sessions.get(f"s{n}")


async def test_there_is_nothing_to_settle_where_nobody_died(shop: Store) -> None:
    await _live(shop)
    await shop.endings.accept("s1", at=NOW, subject="ada")
    for _ in range(3):
        assert await shop.endings.settle() == 0
