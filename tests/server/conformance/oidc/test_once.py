"""What every store must do with what is good once: pushed requests, names of assertions, links."""

from __future__ import annotations

import dataclasses

import pytest

from server.store.oidc.invitations import DEVICE
from server.store.port import Conflict, NotFound, Store
from tests.server.conformance.oidc.records import a_pushed, an_invitation, hashed
from tests.server.conformance.races import outcomes
from tests.server.conformance.records import DAY, MINUTE, NOW, a_client


async def test_a_pushed_request_is_taken_once_by_its_client_in_its_time(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    await shop.pushed.add(a_pushed())
    with pytest.raises(Conflict):
        await shop.pushed.add(a_pushed(client_id="zoo"))
    with pytest.raises(NotFound):
        await shop.pushed.add(a_pushed("other", client_id="nobody"))
    for uri, client_id, at in (
        ("other", "shop", NOW),
        ("uri", "zoo", NOW),
        ("uri", "shop", NOW + MINUTE),
    ):
        with pytest.raises(NotFound):
            await shop.pushed.take(hashed(uri), client_id, at)
    assert await shop.pushed.take(hashed("uri"), "shop", NOW) == a_pushed()
    with pytest.raises(NotFound):
        await shop.pushed.take(hashed("uri"), "shop", NOW)


async def test_of_fifty_who_take_a_pushed_request_one_has_it(two: tuple[Store, Store]) -> None:
    await two[0].pushed.add(a_pushed())
    calls = [two[n % 2].pushed.take(hashed("uri"), "shop", NOW) for n in range(50)]
    assert await outcomes(calls) == {"ok": 1, "NotFound": 49}


async def test_a_name_of_an_assertion_is_new_once_until_its_time(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    long = "j" * 10_000
    for jti in ("jti", long, ""):
        assert await shop.seen.once("shop", jti, NOW + MINUTE, NOW)
        assert not await shop.seen.once("shop", jti, NOW + 2 * MINUTE, NOW)
    assert not await shop.seen.once("shop", "jti", NOW + 2 * MINUTE, NOW + MINUTE - MINUTE / 60)
    assert await shop.seen.once("zoo", "jti", NOW + MINUTE, NOW)
    assert await shop.seen.once("shop", "jti", NOW + 3 * MINUTE, NOW + MINUTE)
    assert not await shop.seen.once("shop", "jti", NOW + 3 * MINUTE, NOW + 2 * MINUTE)
    with pytest.raises(NotFound):
        await shop.seen.once("nobody", "jti", NOW + MINUTE, NOW)


async def _new_to(store: Store, at: int) -> None:
    if not await store.seen.once("shop", "jti", NOW + (at + 1) * MINUTE, NOW + at * MINUTE):
        raise Conflict("seen")


async def test_of_fifty_with_one_name_one_is_the_first(two: tuple[Store, Store]) -> None:
    for at in (0, 1):  # the second time in the place of one whose time is over
        calls = [_new_to(two[n % 2], at) for n in range(50)]
        assert await outcomes(calls) == {"ok": 1, "Conflict": 49}


async def test_a_link_is_used_once_in_its_time(shop: Store) -> None:
    bare = an_invitation("bare", profile=None, key_id="", return_url=None, kind=DEVICE)
    for text, invitation in (("link", an_invitation()), ("bare", bare)):
        await shop.invitations.add(invitation)
        assert await shop.invitations.get(hashed(text), NOW) == invitation
        for verb in (shop.invitations.get, shop.invitations.use):
            with pytest.raises(NotFound):
                await verb(hashed(text), NOW + DAY)
        assert await shop.invitations.use(hashed(text), NOW) == invitation
        for verb in (shop.invitations.get, shop.invitations.use):
            with pytest.raises(NotFound):
                await verb(hashed(text), NOW)
    await shop.invitations.add(an_invitation())
    with pytest.raises(Conflict):
        await shop.invitations.add(an_invitation(subject="bob"))
    for wrong in ({"client_id": "nobody"}, {"people": "nobody"}):
        with pytest.raises(NotFound):
            await shop.invitations.add(an_invitation("other", **wrong))
        with pytest.raises(NotFound):
            await shop.invitations.get(hashed("other"), NOW)


async def test_of_fifty_who_use_a_link_one_does(two: tuple[Store, Store]) -> None:
    await two[0].invitations.add(an_invitation())
    calls = [two[n % 2].invitations.use(hashed("link"), NOW) for n in range(50)]
    assert await outcomes(calls) == {"ok": 1, "NotFound": 49}


async def test_the_links_of_a_person_and_of_a_clients_people(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    mine = [an_invitation("b"), an_invitation("a", created_at=NOW + MINUTE, client_id="zoo")]
    others = [an_invitation("c", subject="bob"), an_invitation("d", people="zoo")]
    for invitation in [*others, *reversed(mine)]:
        await shop.invitations.add(invitation)
    assert await shop.invitations.of_subject("shop", "ada") == mine
    all_of_shop = sorted([*mine, others[0]], key=lambda one: one.token_hash)
    first = await shop.invitations.of_people("shop", after=b"", most=2)
    assert first == all_of_shop[:2]
    rest = await shop.invitations.of_people("shop", after=first[-1].token_hash, most=2)
    assert rest == all_of_shop[2:]
    # An app that invites people of another goes with its links.
    await shop.clients.remove("zoo")
    assert await shop.invitations.of_subject("shop", "ada") == mine[:1]


async def test_a_profile_of_a_link_is_sealed_anew_only_as_it_was(shop: Store) -> None:
    await shop.invitations.add(an_invitation())
    was = an_invitation()
    other = dataclasses.replace(was, profile=b"other")
    assert not await shop.invitations.reseal(other, b"new", "key")
    assert await shop.invitations.get(was.token_hash, NOW) == was
    assert await shop.invitations.reseal(was, b"new", "key")
    now_is = dataclasses.replace(was, profile=b"new", key_id="key")
    assert await shop.invitations.get(was.token_hash, NOW) == now_is


async def test_what_is_over_for_a_day_is_swept(shop: Store) -> None:
    await shop.pushed.add(a_pushed(expires_at=NOW))
    await shop.invitations.add(an_invitation(expires_at=NOW))
    await shop.seen.once("shop", "jti", NOW, NOW - MINUTE)
    await shop.invitations.add(an_invitation("newer", expires_at=NOW + MINUTE))
    await shop.pushed.add(a_pushed("newer", expires_at=NOW + MINUTE))
    assert await shop.sweep(NOW + DAY) == 0
    assert await shop.sweep(NOW + DAY + MINUTE) == 3
    assert len(await shop.invitations.of_subject("shop", "ada")) == 1
    assert await shop.pushed.take(hashed("newer"), "shop", NOW) is not None
