"""What every store must do with what a person holds: keys, one-time passwords, recovery codes."""

from __future__ import annotations

import dataclasses

import pytest

from server.store.oidc.authenticators import WEBCRYPTO
from server.store.port import Conflict, NotFound, Store
from tests.server.conformance.oidc.records import (
    a_profile,
    a_totp,
    an_authenticator,
    enrol,
    hashed,
)
from tests.server.conformance.races import outcomes
from tests.server.conformance.records import MINUTE, NOW, a_client, a_template

LATER = NOW + MINUTE


async def test_a_key_is_one_persons(shop: Store) -> None:
    await enrol(shop)
    await enrol(shop, "bob")
    first = an_authenticator()
    second = an_authenticator("k0", kind=WEBCRYPTO, created_at=LATER, used_at=LATER, sign_count=9)
    bobs = an_authenticator("k2", subject="bob", user_handle=hashed("bob"))
    for one in (second, first, bobs):
        await shop.authenticators.add(one)
        assert await shop.authenticators.get(one.key_id) == one
    with pytest.raises(Conflict):
        await shop.authenticators.add(an_authenticator(subject="bob"))
    assert await shop.authenticators.of_subject("shop", "ada") == [first, second]
    assert await shop.authenticators.of_handle(hashed("handle")) == [first, second]
    assert await shop.authenticators.of_handle(hashed("nobody")) == []
    with pytest.raises(NotFound):
        await shop.authenticators.get("k9")
    for subject, key_id in (("bob", "k1"), ("ada", "k9")):
        with pytest.raises(NotFound):
            await shop.authenticators.remove("shop", subject, key_id)
    await shop.authenticators.remove("shop", "ada", "k1")
    with pytest.raises(NotFound):
        await shop.authenticators.get("k1")
    assert await shop.authenticators.of_subject("shop", "ada") == [second]


async def test_a_count_only_grows(shop: Store) -> None:
    await enrol(shop)
    await shop.authenticators.add(an_authenticator())
    await shop.authenticators.use("k1", 0, 0, NOW)  # one that does not count
    await shop.authenticators.use("k1", 0, 7, LATER)
    for was, now_is in ((0, 8), (7, 7), (7, 6), (7, 0), (0, 0)):
        with pytest.raises(Conflict):
            await shop.authenticators.use("k1", was, now_is, NOW)
    kept = await shop.authenticators.get("k1")
    assert kept == an_authenticator(sign_count=7, used_at=LATER)
    with pytest.raises(NotFound):
        await shop.authenticators.use("k9", 0, 1, NOW)


async def test_of_fifty_uses_of_a_count_one_wins(two: tuple[Store, Store]) -> None:
    await enrol(two[0])
    await two[0].authenticators.add(an_authenticator())
    calls = [two[n % 2].authenticators.use("k1", 0, 1, NOW) for n in range(50)]
    assert await outcomes(calls) == {"ok": 1, "Conflict": 49}


async def test_a_step_counts_once_and_only_forward(shop: Store) -> None:
    await enrol(shop)
    for verb in (shop.otps.get, shop.otps.remove):
        with pytest.raises(NotFound):
            await verb("shop", "ada")
    with pytest.raises(NotFound):
        await shop.otps.step("shop", "ada", 1, NOW)
    await shop.otps.put(a_totp())
    assert await shop.otps.get("shop", "ada") == a_totp()
    await shop.otps.step("shop", "ada", 58_000_000, LATER)
    for step in (58_000_000, 57_999_999):
        with pytest.raises(Conflict):
            await shop.otps.step("shop", "ada", step, NOW)
    await shop.otps.step("shop", "ada", 58_000_001, LATER)
    assert await shop.otps.get("shop", "ada") == a_totp(last_step=58_000_001, used_at=LATER)
    again = a_totp(sealed=b"another", created_at=LATER)
    await shop.otps.put(again)
    assert await shop.otps.get("shop", "ada") == again
    await shop.otps.remove("shop", "ada")
    with pytest.raises(NotFound):
        await shop.otps.get("shop", "ada")


async def test_of_fifty_with_one_password_one_wins(two: tuple[Store, Store]) -> None:
    await enrol(two[0])
    await two[0].otps.put(a_totp())
    calls = [two[n % 2].otps.step("shop", "ada", 5, NOW) for n in range(50)]
    assert await outcomes(calls) == {"ok": 1, "Conflict": 49}


async def test_a_recovery_code_is_used_once(shop: Store) -> None:
    await enrol(shop)
    assert await shop.recovery.left("shop", "ada") == 0
    hashes = [hashed(str(n)) for n in range(10)]
    await shop.recovery.put("shop", "ada", hashes)
    assert await shop.recovery.left("shop", "ada") == 10
    assert await shop.recovery.used_at("shop", "ada") is None
    await shop.recovery.use("shop", "ada", hashes[3], LATER)
    for subject, code in (("ada", hashes[3]), ("ada", hashed("other")), ("bob", hashes[4])):
        with pytest.raises(NotFound):
            await shop.recovery.use("shop", subject, code, NOW)
    assert await shop.recovery.left("shop", "ada") == 9
    assert await shop.recovery.used_at("shop", "ada") == LATER
    await shop.recovery.put("shop", "ada", [hashed("new")])
    assert await shop.recovery.left("shop", "ada") == 1
    assert await shop.recovery.used_at("shop", "ada") is None
    with pytest.raises(NotFound):
        await shop.recovery.use("shop", "ada", hashes[4], NOW)
    await shop.recovery.put("shop", "ada", [])
    assert await shop.recovery.left("shop", "ada") == 0


async def test_of_fifty_with_one_recovery_code_one_wins(two: tuple[Store, Store]) -> None:
    await enrol(two[0])
    hashes = [hashed(str(n)) for n in range(10)]
    await two[0].recovery.put("shop", "ada", hashes)
    calls = [two[n % 2].recovery.use("shop", "ada", hashes[0], NOW) for n in range(50)]
    assert await outcomes(calls) == {"ok": 1, "NotFound": 49}
    assert await two[1].recovery.left("shop", "ada") == 9


async def test_of_ten_recovery_codes_at_once_all_count(two: tuple[Store, Store]) -> None:
    await enrol(two[0])
    hashes = [hashed(str(n)) for n in range(10)]
    await two[0].recovery.put("shop", "ada", hashes)
    calls = [two[n % 2].recovery.use("shop", "ada", one, NOW) for n, one in enumerate(hashes)]
    assert await outcomes(calls) == {"ok": 10}
    assert await two[1].recovery.left("shop", "ada") == 0


async def test_a_profile_is_one_persons(shop: Store) -> None:
    await enrol(shop)
    for verb in (shop.profiles.get, shop.profiles.remove):
        with pytest.raises(NotFound):
            await verb("shop", "ada")
    for profile in (a_profile(), a_profile(sealed=b"another", key_id="key")):
        await shop.profiles.put(profile)
        assert await shop.profiles.get("shop", "ada") == profile
    await shop.profiles.remove("shop", "ada")
    with pytest.raises(NotFound):
        await shop.profiles.get("shop", "ada")


async def test_who_is_not_enrolled_holds_nothing(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    await enrol(shop, client_id="zoo")
    for put in (
        shop.authenticators.add(an_authenticator()),
        shop.otps.put(a_totp()),
        shop.recovery.put("shop", "ada", [hashed("1")]),
        shop.profiles.put(a_profile()),
        shop.profiles.put(a_profile(people="nobody")),
    ):
        with pytest.raises(NotFound):
            await put
    assert await shop.authenticators.of_subject("shop", "ada") == []
    assert await shop.recovery.left("shop", "ada") == 0
    for get in (shop.otps.get, shop.profiles.get):
        with pytest.raises(NotFound):
            await get("shop", "ada")


async def test_another_template_takes_nothing_away(shop: Store) -> None:
    await enrol(shop)
    await shop.authenticators.add(an_authenticator())
    await shop.otps.put(a_totp())
    await shop.templates.put(a_template(template_id="new"), replace=True)
    assert await shop.authenticators.of_subject("shop", "ada") == [an_authenticator()]
    assert await shop.otps.get("shop", "ada") == a_totp()


async def test_what_is_sealed_is_found_by_people_and_sealed_anew_only_as_it_was(
    shop: Store,
) -> None:
    for subject in ("ada", "bob", "cleo"):
        await enrol(shop, subject)
        await shop.otps.put(a_totp(subject=subject))
        await shop.profiles.put(a_profile(subject=subject))
    for after, found in (("", ["ada", "bob"]), ("bob", ["cleo"]), ("cleo", [])):
        totps = await shop.otps.of_people("shop", after=after, most=2)
        profiles = await shop.profiles.of_people("shop", after=after, most=2)
        assert [one.subject for one in totps] == [one.subject for one in profiles] == found
    assert await shop.otps.of_people("zoo", after="", most=9) == []
    other = b"not as it was"
    assert not await shop.otps.reseal(a_totp(sealed=other), b"new", "key")
    assert not await shop.profiles.reseal(a_profile(sealed=other), b"new", "key")
    assert await shop.otps.reseal(a_totp(), b"new", "key")
    assert await shop.profiles.reseal(a_profile(), b"new", "key")
    assert await shop.otps.get("shop", "ada") == a_totp(sealed=b"new", key_id="key")
    profile = await shop.profiles.get("shop", "ada")
    assert profile == dataclasses.replace(a_profile(), sealed=b"new", key_id="key")
    assert await shop.otps.get("shop", "bob") == a_totp(subject="bob")
