"""What every store must do with signing keys: one signs, whoever is first."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from server.keys.keyring import Keyring
from server.keys.token import verify
from server.keys.vault import Vault
from server.store.port import Conflict, Store
from tests.server.conformance.races import outcomes
from tests.server.conformance.records import DAY, MINUTE, NOW, a_key


async def test_one_key_signs_and_the_old_ones_are_published_for_their_time(shop: Store) -> None:
    assert await shop.keys.published(NOW) == []
    await shop.keys.add(a_key("k1"), retire_others_at=None)
    for taken in (a_key("k1"), a_key("k2")):
        with pytest.raises(Conflict):
            await shop.keys.add(taken, retire_others_at=None)
    with pytest.raises(Conflict):
        await shop.keys.add(a_key("k1"), retire_others_at=NOW)
    assert await shop.keys.published(NOW) == [a_key("k1")]  # the refused one retired nobody

    later = a_key("k2", created_at=NOW + MINUTE)
    await shop.keys.add(later, retire_others_at=NOW + 3 * MINUTE)
    last = a_key("k3", created_at=NOW + 2 * MINUTE)
    await shop.keys.add(last, retire_others_at=NOW + 4 * MINUTE)
    assert await shop.keys.published(NOW + 2 * MINUTE) == [
        last,
        dataclasses.replace(later, retire_at=NOW + 4 * MINUTE),
        a_key("k1", retire_at=NOW + 3 * MINUTE),  # its own time, not the later one
    ]
    assert [key.kid for key in await shop.keys.published(NOW + 3 * MINUTE)] == ["k3", "k2"]
    assert [key.kid for key in await shop.keys.published(NOW + DAY)] == ["k3"]


async def test_a_leaked_key_goes_whichever_it_was(shop: Store) -> None:
    """The one that signs may be an older one: the newest has to be known first."""
    await shop.keys.add(a_key("k1"), retire_others_at=None)
    await shop.keys.add(a_key("k2"), retire_others_at=NOW + 3 * MINUTE)
    fresh = a_key("k3", created_at=NOW + MINUTE)
    await shop.keys.add(fresh, retire_others_at=NOW + MINUTE)
    assert await shop.keys.published(NOW + MINUTE) == [fresh]


async def test_of_two_first_keys_one_wins(two: tuple[Store, Store]) -> None:
    seen = await outcomes(
        [two[n % 2].keys.add(a_key(f"k{n}"), retire_others_at=None) for n in range(10)]
    )
    assert seen == {"ok": 1, "Conflict": 9}
    assert len(await two[0].keys.published(NOW)) == 1


async def test_rotations_at_once_leave_one_that_signs(two: tuple[Store, Store]) -> None:
    await two[0].keys.add(a_key("first"), retire_others_at=None)
    seen = await outcomes(
        [two[n % 2].keys.add(a_key(f"k{n}"), retire_others_at=NOW + DAY) for n in range(6)]
    )
    assert set(seen) <= {"ok", "Conflict"}
    keys = await two[0].keys.published(NOW)
    assert len(keys) == 1 + seen["ok"]
    assert [key.retire_at for key in keys] == [None] + [NOW + DAY] * seen["ok"]


async def test_two_servers_that_start_at_once_sign_with_the_same_key(
    two: tuple[Store, Store],
) -> None:
    vault = Vault([bytes(32)])
    rings = [Keyring(store.keys, vault, issuer="https://login.example") for store in two]
    await asyncio.gather(*(ring.load(NOW) for ring in rings))
    sets = [await ring.jwks(NOW) for ring in rings]
    assert sets[0] == sets[1]
    assert [key["alg"] for key in sets[0]["keys"]] == ["ES256", "RS256"]
    token = await rings[0].mint(
        subject="ada",
        client_id="shop",
        nonce="n" * 16,
        session_id="s1",
        purpose="login",
        acr="passive",
        liveness=["passive"],
        auth_time=NOW,
        now=NOW,
    )
    claims = verify(
        token,
        expected_issuer="https://login.example",
        expected_audience="shop",
        expected_nonce="n" * 16,
        expected_purpose="login",
        jwks=sets[1],
        now=NOW,
    )
    assert claims["sub"] == "ada"


async def test_a_key_is_sealed_anew_only_as_it_was_read(store: Store) -> None:
    for kid, others in (("k1", None), ("k2", NOW + DAY)):
        await store.keys.add(a_key(kid), retire_others_at=others)
    second, first = await store.keys.published(NOW)
    assert not await store.keys.reseal(dataclasses.replace(first, sealed_private=b"other"), b"new")
    assert not await store.keys.reseal(a_key("k3"), b"new")
    assert await store.keys.published(NOW) == [second, first]
    assert await store.keys.reseal(first, b"new")
    assert await store.keys.published(NOW) == [
        second,
        dataclasses.replace(first, sealed_private=b"new"),
    ]


async def test_one_key_signs_for_each_algorithm(shop: Store) -> None:
    first = {alg: a_key(f"{alg} 1", alg=alg) for alg in ("ES256", "RS256")}
    for key in first.values():
        await shop.keys.add(key, retire_others_at=None)
        with pytest.raises(Conflict):
            await shop.keys.add(a_key("another", alg=key.alg), retire_others_at=None)
    assert await shop.keys.published(NOW) == list(first.values())
    second = a_key("RS256 2", alg="RS256", created_at=NOW + MINUTE)
    await shop.keys.add(second, retire_others_at=NOW + 3 * MINUTE)
    old = dataclasses.replace(first["RS256"], retire_at=NOW + 3 * MINUTE)
    assert await shop.keys.published(NOW) == [first["ES256"], second, old]
    assert await shop.keys.all() == [first["ES256"], old, second]
    assert await shop.keys.reseal(second, b"new")
    second = dataclasses.replace(second, sealed_private=b"new")
    assert await shop.sweep(NOW + DAY + 4 * MINUTE) == 1
    assert await shop.keys.published(NOW) == [first["ES256"], second]


async def test_of_first_keys_of_two_algorithms_one_of_each_wins(two: tuple[Store, Store]) -> None:
    keys = [a_key(f"k{n}", alg=("ES256", "RS256")[n // 2 % 2]) for n in range(20)]
    calls = [two[n % 2].keys.add(key, retire_others_at=None) for n, key in enumerate(keys)]
    assert await outcomes(calls) == {"ok": 2, "Conflict": 18}
    published = await two[0].keys.published(NOW)
    assert [key.alg for key in published] == ["ES256", "RS256"]
