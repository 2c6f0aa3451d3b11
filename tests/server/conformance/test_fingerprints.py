"""What every store must do with fingerprints: so many, and gone with their session."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from server.store.fingerprints import Fingerprint
from server.store.port import Conflict, NotFound, Store
from server.store.retention import Periods
from tests.server.conformance.races import outcomes
from tests.server.conformance.records import DAY, MINUTE, NOW, a_client, a_session

MOST = 3


def a_fingerprint(session_id: str = "s1", **changes: Any) -> Fingerprint:
    one = Fingerprint(
        session_id=session_id,
        client_id="shop",
        subject="ada",
        created_at=NOW,
        expires_at=NOW + MINUTE,
        accepted=True,
        key_id="0123456789abcdef",
        sealed=bytes(range(256)),
    )
    return dataclasses.replace(one, **changes)


async def kept(store: Store, session_id: str, **changes: Any) -> Fingerprint:
    """That of a session which is there."""
    one = a_fingerprint(session_id, **changes)
    await store.sessions.add(
        a_session(session_id, client_id=one.client_id, subject=one.subject, state="accepted")
    )
    await store.fingerprints.keep(one, most=MOST)
    return one


async def names(store: Store, subject: str = "ada", client_id: str = "shop") -> list[str]:
    found = await store.fingerprints.of_subject(client_id, subject)
    return [one.session_id for one in found]


async def test_the_newest_come_first_and_are_as_they_were_kept(shop: Store) -> None:
    old = await kept(shop, "old")
    new = await kept(shop, "new", created_at=NOW + MINUTE, accepted=False)
    last = await kept(shop, "newer", created_at=NOW + MINUTE)
    assert await shop.fingerprints.of_subject("shop", "ada") == [last, new, old]
    assert await shop.fingerprints.of_subject("shop", "bob") == []
    assert await shop.fingerprints.of_subject("zoo", "ada") == []


async def test_the_oldest_go_and_the_refused_push_no_accepted_one_out(shop: Store) -> None:
    await kept(shop, "other", subject="bob")
    for n in range(MOST + 1):
        await kept(shop, f"a{n}", created_at=NOW + n * MINUTE)
    for n in range(2 * MOST):
        await kept(shop, f"r{n}", created_at=NOW + DAY + n * MINUTE, accepted=False)
    assert await names(shop) == ["r5", "r4", "r3", "a3", "a2", "a1"]
    assert await names(shop, "bob") == ["other"]


async def test_a_session_has_one_and_there_is_none_without_it(shop: Store) -> None:
    one = await kept(shop, "s1")
    with pytest.raises(Conflict):
        await shop.fingerprints.keep(dataclasses.replace(one, sealed=b"other"), most=MOST)
    with pytest.raises(NotFound):
        await shop.fingerprints.keep(a_fingerprint("gone"), most=MOST)
    assert await shop.fingerprints.of_subject("shop", "ada") == [one]


async def test_they_go_with_the_person_and_nothing_is_kept_afterwards(shop: Store) -> None:
    await kept(shop, "s1")
    await kept(shop, "s2")
    await kept(shop, "of bob", subject="bob")
    assert (await shop.forget_subject("shop", "ada"))["fingerprints"] == 2
    with pytest.raises(NotFound):
        await shop.fingerprints.keep(a_fingerprint("s1"), most=MOST)
    assert await names(shop) == []
    assert await names(shop, "bob") == ["of bob"]


async def test_they_go_with_the_client(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    await kept(shop, "s1")
    await kept(shop, "s2", client_id="zoo")
    await shop.clients.remove("shop")
    await shop.clients.add(a_client())
    assert await names(shop) == []
    assert await names(shop, client_id="zoo") == ["s2"]


async def test_they_go_with_their_sessions_by_the_same_periods(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    await shop.retention.set("zoo", Periods(sessions=3, since=NOW))
    await kept(shop, "s1")
    await kept(shop, "s2", client_id="zoo")
    assert await shop.sweep(NOW + DAY) == 0
    assert await names(shop) == ["s1"]
    assert await shop.sweep(NOW + 2 * DAY) == 1
    assert await names(shop) == []
    assert await names(shop, client_id="zoo") == ["s2"]
    assert await shop.retention.remove_sessions("zoo", NOW + MINUTE) == 0
    assert await names(shop, client_id="zoo") == ["s2"]
    assert await shop.retention.remove_sessions("zoo", NOW + 2 * MINUTE) == 1
    assert await names(shop, client_id="zoo") == []


async def test_those_of_another_master_key_are_forgotten(shop: Store) -> None:
    for session, key in (("s1", "old"), ("s2", "new"), ("s3", "old")):
        await kept(shop, session, key_id=key)
    assert await shop.fingerprints.forget_others("new") == 2
    assert await names(shop) == ["s2"]


async def test_of_keepers_and_a_removal_at_once_nothing_is_left(two: tuple[Store, Store]) -> None:
    one, other = two
    for n in range(10):
        await one.sessions.add(a_session(f"s{n}", state="accepted"))
    acts = [two[n % 2].fingerprints.keep(a_fingerprint(f"s{n}"), most=20) for n in range(10)]
    seen = await outcomes([*acts[:5], other.forget_subject("shop", "ada"), *acts[5:]])
    assert set(seen) <= {"ok", "NotFound"}
    assert await names(one) == []


async def test_of_twenty_who_keep_one_sessions_at_once_one_does(two: tuple[Store, Store]) -> None:
    await two[0].sessions.add(a_session("s1", state="accepted"))
    acts = [two[n % 2].fingerprints.keep(a_fingerprint(), most=MOST) for n in range(20)]
    assert await outcomes(acts) == {"ok": 1, "Conflict": 19}
