"""A code becomes tokens: once, for its client, with its redirect address and its verifier."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from server.keys.vault import VaultError
from server.oidc.codes import hash_of
from server.oidc.introspect import introspect, revoke
from server.oidc.login import begin, finish
from server.oidc.token import exchange
from server.problems import Problem
from server.store.port import Client, NotFound, Store
from tests.server.conformance.records import MINUTE
from tests.server.oidc.asking import (
    APP,
    ISSUER,
    NOW,
    REDIRECT,
    RELYING,
    VERIFIER,
    a_request,
    an_app,
)


@dataclass
class Signed:
    """A signer that keeps what it signs."""

    claims: list[Mapping[str, Any]] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    fails: bool = False

    async def sign(self, claims: Mapping[str, Any], *, alg: str, typ: str, now: datetime) -> str:
        if self.fails:
            raise VaultError("signing_key_unusable", "There is none.")
        self.claims.append(claims)
        self.headers.append((alg, typ))
        return f"signed.{len(self.claims)}"


async def a_code(store: Store, client: Client | None = None, **changes: str | None) -> str:
    """A login that ended well; its code."""
    client = client or an_app()
    assert client.relying is not None
    asked = replace(a_request(client.relying, **changes), client_id=client.client_id)
    login = begin(asked, NOW).login
    await store.logins.add(login)
    location = await finish(
        store,
        login,
        client=client,
        subject="ann",
        shown=("key", "face"),
        auth_time=NOW - MINUTE,
        liveness=["passive", "turn"],
        issuer=ISSUER,
        now=NOW,
    )
    return dict(parse_qsl(urlsplit(location.href).query))["code"]


def form(code: str, /, **changes: str | None) -> dict[str, str]:
    good = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


async def exchanged(
    store: Store,
    asked: dict[str, str],
    client: Client | None = None,
    now: datetime = NOW,
    signer: Signed | None = None,
) -> dict[str, Any]:
    return await exchange(
        store, signer or Signed(), client or an_app(), asked, issuer=ISSUER, now=now
    )


async def refused(
    store: Store, asked: dict[str, str], client: Client | None = None, now: datetime = NOW
) -> str:
    with pytest.raises(Problem) as caught:
        await exchanged(store, asked, client, now)
    return caught.value.code


async def opens(store: Store, token: str, now: datetime = NOW) -> bool:
    try:
        await store.access.get(hash_of(token), now)
    except NotFound:
        return False
    return True


async def test_a_code_becomes_an_id_token_and_an_access_token(store: Store) -> None:
    signer = Signed()
    said = await exchanged(store, form(await a_code(store, scope="openid email")), signer=signer)
    assert said.keys() == {"access_token", "token_type", "expires_in", "scope", "id_token"}
    assert (said["token_type"], said["expires_in"]) == ("Bearer", 300)
    assert (said["scope"], said["id_token"]) == ("openid email", "signed.1")
    assert signer.headers == [("RS256", "JWT")]
    at = int(NOW.timestamp())
    digest = hashlib.sha256(said["access_token"].encode()).digest()[:16]
    (claims,) = signer.claims
    sid = claims["sid"]
    assert claims == {
        "iss": ISSUER,
        "sub": "ann",
        "aud": APP,
        "iat": at,
        "exp": at + 300,
        "auth_time": at - 60,
        "nonce": "n" * 16,
        "acr": "phr",
        "amr": ["pop", "user", "face", "mfa"],
        "sid": sid,
        "at_hash": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "lookgate_liveness": ["passive", "turn"],
    }
    assert await opens(store, said["access_token"])
    assert not await opens(store, said["access_token"], NOW + 5 * MINUTE)


async def test_what_is_said_follows_the_apps_settings(store: Store) -> None:
    signer = Signed()
    code = await a_code(store, nonce=None, acr_values="urn:lookgate:face")
    salted = an_app(id_token_alg="ES256", subject_type="pairwise", pairwise_salt="0f" * 32)
    await exchanged(store, form(code), salted, signer=signer)
    assert signer.headers == [("ES256", "JWT")]
    (claims,) = signer.claims
    assert "nonce" not in claims
    assert claims["acr"] == "urn:lookgate:face"
    assert claims["sub"] != "ann"
    other = an_app(subject_type="pairwise", pairwise_salt="f0" * 32)
    again = Signed()
    await exchanged(store, form(await a_code(store)), other, signer=again)
    assert again.claims[0]["sub"] not in ("ann", claims["sub"])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"code": None}, "invalid_request"),
        ({"code": "x" * 43}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"redirect_uri": "https://shop.example/cb"}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_grant"),
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": "v" * 42}, "invalid_grant"),
        ({"code_verifier": "v" * 129}, "invalid_grant"),
        ({"code_verifier": "é" * 43}, "invalid_grant"),
    ],
)
async def test_what_is_refused(store: Store, changes: dict[str, str | None], code: str) -> None:
    await exchanged(store, form(await a_code(store)))
    assert await refused(store, form(await a_code(store), **changes)) == code


async def test_a_verifier_that_nobody_asked_for_is_a_downgrade(store: Store) -> None:
    """RFC 9700 section 4.8.2: an attacker took the challenge away, the app still sends it."""
    client = an_app(pkce="nonce")
    without: dict[str, str | None] = {"code_challenge": None, "code_challenge_method": None}
    await exchanged(store, form(await a_code(store, client, **without), code_verifier=None), client)
    assert await refused(store, form(await a_code(store, client, **without)), client) == (
        "invalid_grant"
    )


async def test_an_app_that_needs_pkce_by_now_gets_nothing_without(store: Store) -> None:
    """A public client above all, which anybody can say that they are."""
    before = an_app(pkce="nonce")
    without: dict[str, str | None] = {"code_challenge": None, "code_challenge_method": None}
    code = await a_code(store, before, **without)
    now_is = an_app(pkce="required", auth="none")
    assert await refused(store, form(code, code_verifier=None), now_is) == "invalid_grant"
    code = await a_code(store, before, **without)
    await exchanged(store, form(code, code_verifier=None), before)


async def test_a_code_is_its_clients_and_lasts_a_minute(store: Store) -> None:
    other = replace(an_app(), client_id="zoo")
    await store.clients.add(other)
    code = await a_code(store)
    assert await refused(store, form(code), other) == "invalid_grant"
    assert await refused(store, form(code), now=NOW + MINUTE) == "invalid_grant"
    await exchanged(store, form(code), now=NOW + MINUTE * 0.9)


async def test_of_twenty_redemptions_one_wins_and_keeps_nothing(store: Store) -> None:
    """Whoever comes second shows that a code leaked, so that the first one's token ends as well
    (RFC 6749 section 4.1.2)."""
    code = await a_code(store)
    found = await asyncio.gather(
        *(exchanged(store, form(code)) for _ in range(20)), return_exceptions=True
    )
    won = [one for one in found if isinstance(one, dict)]
    lost = [one.code for one in found if isinstance(one, Problem)]
    assert len(won) <= 1
    assert lost == ["invalid_grant"] * (20 - len(won))
    for one in won:
        assert not await opens(store, one["access_token"])


async def test_a_code_brought_twice_ends_the_first_token(store: Store) -> None:
    code = await a_code(store)
    said = await exchanged(store, form(code))
    assert await opens(store, said["access_token"])
    assert await refused(store, form(code)) == "invalid_grant"
    assert not await opens(store, said["access_token"])


async def test_a_key_that_fails_leaves_no_token(store: Store) -> None:
    with pytest.raises(VaultError):
        await exchanged(store, form(await a_code(store)), signer=Signed(fails=True))
    said = await exchanged(store, form(await a_code(store)))
    assert await opens(store, said["access_token"])


async def test_codes_and_tokens_go_with_the_person_and_the_app(store: Store) -> None:
    said = await exchanged(store, form(await a_code(store)))
    code = await a_code(store)
    await store.forget_subject(APP, "ann")
    assert await refused(store, form(code)) == "invalid_grant"
    assert not await opens(store, said["access_token"])
    said = await exchanged(store, form(await a_code(store)))
    code = await a_code(store)
    await store.clients.remove(APP)
    assert await refused(store, form(code)) == "invalid_grant"
    assert not await opens(store, said["access_token"])


async def test_an_app_asks_for_its_own_tokens_and_ends_them(store: Store) -> None:
    other = replace(an_app(), client_id="zoo")
    await store.clients.add(other)
    token = (await exchanged(store, form(await a_code(store))))["access_token"]
    asked = {"token": token}

    async def active(client: Client, now: datetime = NOW) -> bool:
        said = await introspect(store.access, client, asked, issuer=ISSUER, now=now)
        assert said["active"] or said == {"active": False}
        return bool(said["active"])

    said = await introspect(store.access, an_app(), asked, issuer=ISSUER, now=NOW)
    at = int(NOW.timestamp())
    assert said == {
        "active": True,
        "iss": ISSUER,
        "client_id": APP,
        "aud": APP,
        "sub": "ann",
        "scope": "openid",
        "token_type": "Bearer",
        "exp": at + 300,
        "auth_time": at - 60,
        "acr": "phr",
    }
    assert not await active(other)
    assert not await active(an_app(), NOW + 5 * MINUTE)
    await revoke(store.access, other, asked)
    assert await active(an_app())
    await revoke(store.access, an_app(), asked)
    assert not await active(an_app())
    await revoke(store.access, an_app(), asked)
    for ask in (
        introspect(store.access, an_app(), {}, issuer=ISSUER, now=NOW),
        revoke(store.access, an_app(), {}),
    ):
        with pytest.raises(Problem) as caught:
            await ask
        assert caught.value.code == "invalid_request"
    public = replace(an_app(), relying=replace(RELYING, auth="none"))
    with pytest.raises(Problem) as caught:
        await introspect(store.access, public, asked, issuer=ISSUER, now=NOW)
    assert caught.value.code == "invalid_client"
