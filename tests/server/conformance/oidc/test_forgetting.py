"""What every store must do when a person or a client goes: all of it goes, and nothing follows."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from server.store.port import NotFound, Store
from tests.server.conformance.oidc.records import (
    a_login,
    a_profile,
    a_pushed,
    a_totp,
    an_access,
    an_authenticator,
    an_invitation,
    done,
    enrol,
    hashed,
)
from tests.server.conformance.races import outcomes
from tests.server.conformance.records import MINUTE, NOW, a_client

NOUNS = ("logins", "authenticators", "otps", "recovery", "invitations", "profiles")


async def fill(store: Store, people: str, subject: str) -> None:
    """One of everything."""
    name = f"{people} {subject}"
    await enrol(store, subject, client_id=people)
    code = await done(store, name, client_id=people, subject=subject)
    access = an_access(name, code_hash=code.code_hash, client_id=people, subject=subject)
    await store.access.add(access)
    key = an_authenticator(name, people=people, subject=subject, user_handle=hashed(name))
    await store.authenticators.add(key)
    await store.otps.put(a_totp(people=people, subject=subject))
    await store.recovery.put(people, subject, [hashed("1"), hashed("2")])
    invitation = an_invitation(name, client_id=people, people=people, subject=subject)
    await store.invitations.add(invitation)
    await store.profiles.put(a_profile(people=people, subject=subject))


async def held(store: Store, people: str, subject: str) -> list[str]:
    """What `fill` left that is still there."""
    name = f"{people} {subject}"
    reads: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
        "login": lambda: store.logins.get(name, NOW),
        "code": lambda: store.codes.redeem(hashed(name), people, NOW),
        "access": lambda: store.access.get(hashed(name), NOW),
        "key": lambda: store.authenticators.get(name),
        "otp": lambda: store.otps.get(people, subject),
        "recovery": lambda: store.recovery.use(people, subject, hashed("1"), NOW),
        "invitation": lambda: store.invitations.get(hashed(name), NOW),
        "profile": lambda: store.profiles.get(people, subject),
    }
    found = []
    for what, read in reads.items():
        try:
            await read()
            found.append(what)
        except NotFound:
            pass
    return found


async def test_a_person_goes_with_everything(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    others = [("shop", "bob"), ("zoo", "ada")]
    for people, subject in [("shop", "ada"), *others]:
        await fill(shop, people, subject)
    gone = await shop.forget_subject("shop", "ada")
    assert {name: gone[name] for name in NOUNS} == dict.fromkeys(NOUNS, 1)
    assert await held(shop, "shop", "ada") == []
    assert await shop.authenticators.of_handle(hashed("shop ada")) == []
    for people, subject in others:
        assert len(await held(shop, people, subject)) == 8
    again = await shop.forget_subject("shop", "ada")
    assert {name: again[name] for name in NOUNS} == dict.fromkeys(NOUNS, 0)


async def test_a_client_goes_with_everything(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    for people in ("shop", "zoo"):
        await fill(shop, people, "ada")
    await shop.pushed.add(a_pushed())
    await shop.seen.once("shop", "jti", NOW + MINUTE, NOW)
    await shop.clients.remove("shop")
    assert await held(shop, "shop", "ada") == []
    with pytest.raises(NotFound):
        await shop.pushed.take(hashed("uri"), "shop", NOW)
    assert len(await held(shop, "zoo", "ada")) == 8
    await shop.clients.add(a_client())
    await enrol(shop)
    assert await held(shop, "shop", "ada") == []
    assert await shop.seen.once("shop", "jti", NOW + MINUTE, NOW)


async def test_nothing_is_kept_of_who_goes_at_the_same_time(two: tuple[Store, Store]) -> None:
    for number in range(5):
        await enrol(two[0])
        code = await done(two[0], f"l{number}")
        calls = [
            two[0].authenticators.add(an_authenticator("k")),
            two[0].otps.put(a_totp()),
            two[0].recovery.put("shop", "ada", [hashed("1")]),
            two[0].profiles.put(a_profile()),
            two[0].access.add(an_access(code_hash=code.code_hash)),
        ]
        calls.insert(number, two[1].forget_subject("shop", "ada"))
        assert set(await outcomes(calls)) <= {"ok", "NotFound"}
        assert await two[0].authenticators.of_subject("shop", "ada") == []
        assert await two[0].recovery.left("shop", "ada") == 0
        for read in (
            two[0].otps.get("shop", "ada"),
            two[0].profiles.get("shop", "ada"),
            two[0].access.get(hashed("token"), NOW),
            two[0].codes.redeem(code.code_hash, "shop", NOW),
        ):
            with pytest.raises(NotFound):
                await read


async def test_a_login_of_who_went_ends_in_nothing(shop: Store) -> None:
    login = a_login(subject="ada")
    await shop.logins.add(login)
    await shop.forget_subject("shop", "ada")
    with pytest.raises(NotFound):
        await shop.logins.move(login, login)
