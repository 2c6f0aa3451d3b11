"""Two apps, one enrolment: the people of one log in at the other, and are removed at both."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest
from aiohttp import encode_basic_auth

from server.oidc.authorize import checked
from server.oidc.claims import sub_of
from server.oidc.codes import hash_of
from server.oidc.inviting import invite
from server.oidc.login import begin
from server.parts import Parts
from server.people.sealed_people import seal_profile
from server.store.oidc.profiles import Profile
from server.store.port import Client, NotFound
from server.store.relying import RelyingParty
from tests.server.http.asking import AUTH, Http, code_of
from tests.server.http.invite.inviting import Browser, seen
from tests.server.http.login.test_faces import answer_of
from tests.server.http.login.visiting import ALL, Page, accepted, with_codes, with_passkey
from tests.server.oidc.asking import NOW, REDIRECT, asked
from tests.server.stage import CLIENT, SECRET, add_client, change_client, enrolled

DESK = "desk"
RELYING = RelyingParty("Desk", (REDIRECT,), ways=("key", "otp"), people=CLIENT)
BASIC = {"Authorization": encode_basic_auth(DESK, SECRET)}


@pytest.fixture(autouse=True)
async def _desk(parts: Parts) -> None:
    await change_client(parts, relying=ALL)
    await enrolled(parts, "ann", 1)
    secret_hash = hashlib.sha256(SECRET.encode()).digest()
    await add_client(parts, Client(DESK, secret_hash, (), "standard", NOW, relying=RELYING))


async def at_desk(http: Http, parts: Parts, **changes: str) -> Page:
    """A login that the desk's /authorize just made."""
    relying = (await parts.store.clients.get(DESK)).relying
    assert relying is not None
    one = begin(checked(asked(client_id=DESK, **changes), DESK, relying), parts.now())
    await parts.store.logins.add(one.login)
    return Page(http, one.login.login_id, one.cookie)


async def through(http: Http, parts: Parts, key: Any, **changes: str) -> str:
    """A login at the desk by passkey and face; its code."""
    page = await at_desk(http, parts, **changes)
    await page.by_passkey(key)
    said = await page.good("finish", {"token": await accepted(parts, await page.good("face"))})
    return answer_of(said)["code"]


async def test_who_enrolled_at_one_logs_in_at_the_other(http: Http, parts: Parts) -> None:
    key, page = await with_passkey(parts), await at_desk(http, parts)
    await page.by_passkey(key)
    made = await page.good("face")
    record = await parts.store.sessions.get(made["session"])
    # So template, lockout, galleries, policy and retention are those of the people.
    assert (record.client_id, record.subject) == (CLIENT, "ann")
    said = await page.good("finish", {"token": await accepted(parts, made)})
    code = await parts.store.codes.redeem(hash_of(answer_of(said)["code"]), DESK, parts.now())
    assert (code.client_id, code.subject) == (DESK, "ann")


async def test_their_codes_count_as_well(http: Http, parts: Parts) -> None:
    relying = replace(RELYING, min_acr="urn:lookgate:face+otp")
    was = await parts.store.clients.get(DESK)
    await parts.clients.change(was, replace(was, relying=relying))
    _, codes = await with_codes(parts)
    page = await at_desk(http, parts)
    await page.good("who", {"name": "ann"})
    token = await accepted(parts, await page.good("face"))
    assert (await page.good("finish", {"token": token}))["state"] == "otp"
    assert (await page.good("recovery", {"token": token, "code": codes[0]}))["state"] == "done"
    assert await parts.store.recovery.left(CLIENT, "ann") == 9


async def test_a_face_of_the_other_app_does_not_count(http: Http, parts: Parts) -> None:
    key, page = await with_passkey(parts), await at_desk(http, parts)
    wish = {"purpose": "login", "subject": "ann", "nonce": "n" * 20}
    async with http.post("/v1/sessions", json=wish, headers=AUTH) as response:
        token = await accepted(parts, await response.json())
    await page.by_passkey(key)
    await page.good("face")
    assert await page.refused("finish", {"token": token}) == "face_refused"


async def test_a_removal_takes_what_they_have_at_all_apps(http: Http, parts: Parts) -> None:
    key = await with_passkey(parts)
    code = await through(http, parts, key)
    waiting = await at_desk(http, parts)
    await waiting.by_passkey(key)
    async with http.get("/v1/subjects/ann/export", headers=AUTH) as response:
        assert len((await response.json())["logins"]) == 2
    # The desk's backend may have it done: the person's wish, wherever they say it.
    async with http.delete("/v1/subjects/ann", headers=BASIC) as response:
        assert (await response.json())["removed"] == 1
    with pytest.raises(NotFound):
        await parts.store.templates.get(CLIENT, "ann")
    with pytest.raises(NotFound):
        await parts.store.codes.redeem(hash_of(code), DESK, parts.now())
    assert await waiting.refused("face") == "login_over"
    assert not await parts.store.authenticators.of_subject(CLIENT, "ann")


async def test_the_backend_of_the_other_app_asks_about_them(http: Http, parts: Parts) -> None:
    async with http.get("/v1/subjects/ann", headers=BASIC) as response:
        assert (await response.json())["enrolled"] is True
    async with http.post("/v1/subjects/ann/unlock", headers=BASIC) as response:
        assert response.status == 200


async def test_the_direct_mode_has_no_people_of_another(http: Http) -> None:
    wish = {"purpose": "login", "subject": "ann", "nonce": "n" * 20}
    for purpose in ("login", "enroll"):
        asking = http.post("/v1/sessions", json={**wish, "purpose": purpose}, headers=BASIC)
        async with asking as response:
            assert await code_of(response, 409) == "people_elsewhere"


async def test_who_is_invited_by_one_has_a_face_at_both(http: Http, parts: Parts) -> None:
    desk = await parts.store.clients.get(DESK)
    made = await invite(
        parts.store,
        parts.vault,
        desk,
        "bob",
        profile={"name": "Bob"},
        return_url=None,
        lasts=timedelta(days=1),
        now=parts.now(),
    )
    page = Browser(http, made.url(parts.settings.public_url))
    await page.good("begin")
    record = await page.good("face")
    assert (await parts.store.sessions.get(record["session"])).client_id == CLIENT
    await page.good("finish", {"token": await seen(parts, record)})
    assert (await parts.store.profiles.get(CLIENT, "bob")).people == CLIENT
    # An invitation from before is for other people, so it is over.
    old = await invite(
        parts.store,
        parts.vault,
        desk,
        "carl",
        profile=None,
        return_url=None,
        lasts=timedelta(days=1),
        now=parts.now(),
    )
    await parts.clients.change(desk, replace(desk, relying=replace(RELYING, people=None)))
    status, _ = await Browser(http, old.url(parts.settings.public_url)).look()
    assert status == 410


async def test_a_profile_is_told_at_both(http: Http, parts: Parts) -> None:
    sealed = seal_profile(parts.vault, CLIENT, "ann", b'{"name": "Ann"}')
    await parts.store.profiles.put(Profile(CLIENT, "ann", sealed, parts.vault.key_id))
    code = await through(http, parts, await with_passkey(parts), scope="openid profile")
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": "v" * 43,
    }
    async with http.post("/token", data=form, headers=BASIC) as response:
        token = (await response.json())["id_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["aud"], claims["sub"], claims["name"]) == (DESK, "ann", "Ann")


async def test_each_app_may_have_a_name_of_its_own_for_them(parts: Parts) -> None:
    salts = {CLIENT: "0f" * 32, DESK: "f0" * 32}
    names = set()
    for client_id, salt in salts.items():
        client = await parts.store.clients.get(client_id)
        assert client.relying is not None
        own = replace(client.relying, subject_type="pairwise", pairwise_salt=salt)
        names.add(sub_of(replace(client, relying=own), "ann"))
        assert sub_of(client, "ann") == "ann"
    assert len(names) == 2


async def test_people_whose_app_is_gone_log_in_nowhere(http: Http, parts: Parts) -> None:
    page = await at_desk(http, parts)
    await page.good("who", {"name": "ann"})
    await parts.store.clients.remove(CLIENT)
    assert await page.refused("face") == "login_over"
