"""What every store must do with periods, last successes and the clock."""

from __future__ import annotations

import pytest

from server.store.port import NotFound, Store
from server.store.retention import ClockStand, Periods
from tests.server.conformance.records import DAY, MINUTE, NOW, a_client, a_session, a_template

LATER = NOW + MINUTE


async def _accepted(store: Store, subject: str, purpose: str = "login") -> None:
    """Accepted a minute later."""
    template = a_template(subject) if purpose == "enroll" else None
    session = f"{purpose} {subject}"
    named = None if purpose == "identify" else subject
    await store.sessions.add(a_session(session, state="live", subject=named, purpose=purpose))
    await store.endings.accept(session, at=LATER, subject=subject, template=template)


async def test_periods_are_kept_until_others_are_set(shop: Store) -> None:
    assert await shop.retention.all() == {}
    for periods in (Periods(), Periods(30, 2, 7, NOW), Periods(None, None, 1, NOW)):
        await shop.retention.set("shop", periods)
        assert await shop.retention.all() == {"shop": periods}
    with pytest.raises(NotFound):
        await shop.retention.set("nobody", Periods(1))
    assert list(await shop.retention.all()) == ["shop"]
    await shop.clients.remove("shop")
    assert await shop.retention.all() == {}


async def test_a_success_is_an_accepted_login_or_identification(shop: Store) -> None:
    for subject, purpose in (("ada", "login"), ("bob", "identify"), ("eve", "enroll")):
        await _accepted(shop, subject, purpose)
    await shop.sessions.add(a_session("no", state="live", subject="ann"))
    await shop.endings.refuse("no", now_is="rejected", at=LATER, failure=True)
    told = {name: await shop.retention.last_success("shop", name) for name in ("ada", "bob")}
    assert told == {"ada": LATER, "bob": LATER}
    for name in ("eve", "ann"):
        assert await shop.retention.last_success("shop", name) is None
    assert (await shop.forget_subject("shop", "ada"))["successes"] == 1
    assert await shop.retention.last_success("shop", "ada") is None
    assert await shop.retention.last_success("shop", "bob") == LATER
    await shop.clients.remove("shop")
    await shop.clients.add(a_client())
    assert await shop.retention.last_success("shop", "bob") is None


async def test_unused_is_a_template_that_is_old_and_had_no_success_since(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    for subject in ("ada", "bob"):
        await shop.templates.put(a_template(subject), replace=False)
    await shop.templates.put(a_template("new", created_at=LATER), replace=False)
    await shop.templates.put(a_template("zed", client_id="zoo"), replace=False)
    assert await shop.retention.unused("shop", NOW) == []
    assert await shop.retention.unused("shop", LATER) == ["ada", "bob"]
    assert await shop.retention.unused("shop", LATER + MINUTE) == ["ada", "bob", "new"]
    await _accepted(shop, "ada")
    assert await shop.retention.unused("shop", LATER) == ["bob"]
    assert await shop.retention.unused("shop", LATER + MINUTE) == ["ada", "bob", "new"]


async def test_sessions_of_a_client_with_a_period_are_its_own_affair(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    for client in ("shop", "zoo"):
        await shop.sessions.add(a_session(client, client_id=client))
    await shop.retention.set("zoo", Periods(sessions=3, since=NOW))
    assert await shop.sweep(NOW + 2 * DAY) == 1
    with pytest.raises(NotFound):
        await shop.sessions.get("shop")
    assert await shop.retention.expired_sessions("zoo", NOW + MINUTE) == 0
    assert await shop.retention.expired_sessions("zoo", NOW + DAY) == 1
    assert await shop.retention.remove_sessions("shop", NOW + DAY) == 0
    assert (await shop.sessions.get("zoo")).client_id == "zoo"
    assert await shop.retention.remove_sessions("zoo", NOW + DAY) == 1
    with pytest.raises(NotFound):
        await shop.sessions.get("zoo")


async def test_the_clock_is_kept(shop: Store) -> None:
    assert await shop.retention.clock() is None
    for stand in (ClockStand(NOW), ClockStand(NOW, LATER, LATER + DAY), ClockStand(LATER)):
        await shop.retention.keep_clock(stand)
        assert await shop.retention.clock() == stand
