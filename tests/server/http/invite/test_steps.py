"""An invited person's way: consent and face, key, codes, another device; and what is refused."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pyotp
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from server.factors.webcrypto import signed_text
from server.keys.token import base64url
from server.oidc.profile import profile_of
from server.parts import Parts
from server.people.sealed_people import open_profile
from server.store.port import NotFound
from tests.server.factors.authenticator import Passkey
from tests.server.http.asking import Http
from tests.server.http.invite.conftest import RELYING
from tests.server.http.invite.inviting import HELLO, Browser, invited, seen
from tests.server.http.login.visiting import OURS, begun, challenge
from tests.server.stage import CLIENT, Clock, change_client, enrolled


async def keys(parts: Parts, subject: str = "bob") -> list[tuple[str, str]]:
    found = await parts.store.authenticators.of_subject(CLIENT, subject)
    return [(key.kind, key.name) for key in found]


async def test_from_the_link_to_the_way_back(http: Http, parts: Parts) -> None:
    profile = {"name": "Bob Ross", "email": "bob@example.org", "email_verified": True}
    page = await invited(http, profile=profile, return_url=HELLO)
    status, text = await page.look()
    assert status == 200
    assert "bob" in text
    await page.good("begin")
    made = await page.good("face")
    record = await parts.store.sessions.get(made["session"])
    # The element asks for consent, as for every enrolment (docs/consent.md).
    assert (record.purpose, record.subject, record.replace) == ("enroll", "bob", False)
    assert made["consent"] is True
    assert await page.refused("key-options") == "login_step"
    said = await page.good("finish", {"token": await seen(parts, made)})
    assert said["state"] == "invited_key"
    kept = await parts.store.profiles.get(CLIENT, "bob")
    assert profile_of(open_profile(parts.vault, kept)) == profile

    key = Passkey(b"h" * 32)
    answer = await page.passkey(key)
    said = await page.good("key", {**answer, "name": "phone"})
    assert said["state"] == "invited_more"
    assert await keys(parts) == [("passkey", "phone")]
    assert any("people" in name for name in page.cookies)

    offered = await page.good("otp-options")
    with pytest.raises(NotFound):
        await parts.store.otps.get(CLIENT, "bob")
    app = pyotp.TOTP(offered["secret"].replace(" ", ""))
    wrong = {"offer": offered["offer"], "code": app.at(int(parts.now().timestamp()) + 900)}
    assert await page.refused("otp", wrong) == "code_refused"
    await page.good("otp", {"offer": offered["offer"], "code": app.at(parts.now())})
    assert (await parts.store.otps.get(CLIENT, "bob")).last_step > 0

    codes = (await page.good("codes"))["codes"]
    assert len(set(codes)) == 10
    assert await parts.store.recovery.left(CLIENT, "bob") == 10
    assert set((await page.good("codes"))["codes"]).isdisjoint(codes)
    assert await parts.store.recovery.left(CLIENT, "bob") == 10

    assert (await page.good("end"))["location"] == HELLO
    assert await page.refused("codes") == "login_over"
    assert (await page.look())[0] == 410


async def test_nobody_is_sent_where_the_app_sends_nobody_any_more(http: Http, parts: Parts) -> None:
    page = await invited(http, return_url=HELLO)
    client = await parts.store.clients.get(CLIENT)
    assert client.relying is not None
    relying = replace(client.relying, redirect_uris=("https://shop.example/new",), ways=())
    await change_client(parts, relying=replace(relying, post_logout_uris=()))
    assert (await page.by_face(parts))["state"] == "invited_more"
    assert (await page.good("end"))["location"] is None


async def test_a_key_of_the_browser(http: Http, parts: Parts) -> None:
    page = await invited(http)
    await page.by_face(parts)
    private = ec.generate_private_key(ec.SECP256R1())
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(said: dict[str, Any], origin: str) -> dict[str, Any]:
        text = signed_text(origin=origin, challenge=challenge(said))
        r, s = decode_dss_signature(private.sign(text, ec.ECDSA(hashes.SHA256())))
        raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return {"kind": "webcrypto", "public_key": base64url(spki), "signature": base64url(raw)}

    bad = sign(await page.good("key-options"), "https://evil.example")
    assert await page.refused("key", bad) == "key_refused"
    assert (await page.good("key", sign(await page.good("key-options"), OURS)))["state"] == (
        "invited_more"
    )
    assert await keys(parts) == [("webcrypto", "")]
    assert (await page.good("end"))["location"] is None


async def test_an_app_without_keys_asks_for_none(http: Http, parts: Parts) -> None:
    await change_client(parts, relying=replace(RELYING, ways=("otp",)))
    page = await invited(http)
    assert (await page.by_face(parts))["state"] == "invited_more"
    assert await page.refused("device") == "level_unmet"
    assert await page.refused("key-options") == "login_step"


async def test_no_codes_for_an_app_that_takes_none(http: Http, parts: Parts) -> None:
    await change_client(parts, relying=replace(RELYING, ways=("key",)))
    page = await invited(http)
    await page.by_face(parts)
    await page.good("key", await page.passkey(Passkey(b"h" * 32)))
    for what in ("otp-options", "codes"):
        assert await page.refused(what) == "level_unmet"


async def test_no_key_of_the_browser_where_none_would_do(http: Http, parts: Parts) -> None:
    await change_client(parts, relying=replace(RELYING, min_acr="phr"))
    page = await invited(http)
    await page.by_face(parts)
    assert await page.refused("key", {"kind": "webcrypto"}) == "level_unmet"
    assert await page.refused("key", {"kind": ["passkey"]}) == "request_invalid"
    await page.good("key", await page.passkey(Passkey(b"h" * 32)))


async def test_a_challenge_is_good_once(http: Http, parts: Parts) -> None:
    page = await invited(http)
    await page.by_face(parts)
    key = Passkey(b"h" * 32)
    late = await page.passkey(key)
    assert await page.refused("key", await page.passkey(key, "https://evil.example")) == (
        "key_refused"
    )
    assert await page.refused("key", late) == "key_refused"
    await page.good("key", await page.passkey(key))
    assert len(await keys(parts)) == 1


async def test_only_the_face_of_this_visit_counts(http: Http, parts: Parts) -> None:
    page, other = await invited(http), await invited(http, subject="eve")
    for one in (page, other):
        await one.good("begin")
    token = await other.face(parts)
    await page.good("face")
    for wrong in (token, None, 7, "x.y.z"):
        assert await page.refused("finish", {"token": wrong}) == "face_refused"
    assert (await other.good("finish", {"token": token}))["state"] == "invited_key"


async def test_a_link_is_good_once_and_looking_uses_nothing_up(http: Http, parts: Parts) -> None:
    page = await invited(http)
    other = Browser(http, page.url)
    for _ in range(3):
        assert (await other.look())[0] == 200
    await other.good("begin")
    waiting = await other.good("face")
    await page.by_face(parts)
    assert (await Browser(http, page.url).look())[0] == 410
    assert await Browser(http, page.url).refused("begin") == "invitation_over"
    # Who began before gets no second template, and no key either.
    assert await other.refused("face") == "subject_enrolled"
    assert await other.refused("finish", {"token": "x.y.z"}) == "face_refused"
    assert await other.refused("key-options") == "login_step"
    assert waiting["session"]


async def test_a_link_that_ends_while_somebody_is_seen(
    http: Http, parts: Parts, clock: Clock
) -> None:
    page = await invited(http, days=1)
    clock.s += 86400 - 60
    await page.good("begin")
    token = await page.face(parts)
    clock.s += 61
    assert (await page.look())[0] == 200  # whose visit goes on
    assert (await Browser(http, page.url).look())[0] == 410
    assert (await page.good("finish", {"token": token}))["state"] == "invited_key"
    clock.s += 1800
    assert await page.refused("key-options") == "login_over"


async def test_of_many_devices_at_one_link_one_gets_a_key(http: Http, parts: Parts) -> None:
    first = await invited(http)
    await first.by_face(parts)
    assert await first.refused("device") == "login_step"  # face alone
    await first.good("key", await first.passkey(Passkey(b"h" * 32)))
    made = await first.good("device")
    assert made["svg"].startswith("<svg")
    browsers = [Browser(http, made["url"]) for _ in range(5)]
    tokens = []
    for one in browsers:
        await one.good("begin")
        tokens.append(await one.face(parts))
    record = await parts.store.sessions.get((await browsers[0].good("face"))["session"])
    assert (record.purpose, record.subject) == ("login", "bob")
    answers = await asyncio.gather(
        *(
            one.post("finish", {"token": token})
            for one, token in zip(browsers[1:], tokens[1:], strict=True)
        )
    )
    assert Counter(status for status, _ in answers) == {200: 1, 410: 3}
    winner = browsers[1 + [status for status, _ in answers].index(200)]
    handle = (await winner.good("key-options"))["options"]["user"]["id"]
    held = await parts.store.authenticators.of_subject(CLIENT, "bob")
    assert handle == base64url(held[0].user_handle)  # one person's keys have one handle
    await winner.good("key", await winner.passkey(Passkey(held[0].user_handle)))
    assert len(await keys(parts)) == 2
    assert await winner.refused("codes") == "level_unmet"
    assert (await winner.good("end"))["location"] is None


async def test_a_link_to_a_device_lasts_ten_minutes(http: Http, parts: Parts, clock: Clock) -> None:
    first = await invited(http)
    await first.by_face(parts)
    await first.good("key", await first.passkey(Passkey(b"h" * 32)))
    url = (await first.good("device"))["url"]
    clock.s += 599
    assert (await Browser(http, url).look())[0] == 200
    clock.s += 2
    assert (await Browser(http, url).look())[0] == 410


async def test_removing_the_person_ends_the_visit(http: Http, parts: Parts) -> None:
    page = await invited(http)
    await page.by_face(parts)
    await parts.store.forget_subject(CLIENT, "bob")
    assert await page.refused("key-options") == "login_over"
    assert (await page.look())[0] == 410


async def test_foreign_pages_and_browsers_are_refused(http: Http, parts: Parts) -> None:
    page, other = await invited(http), await invited(http, subject="eve")
    for origin in (None, "null", "https://evil.example"):
        for what in ("begin", "face", "finish", "codes", "end"):
            status, said = await page.post(what, Origin=origin)
            assert (status, said["error"]["code"]) == (403, "origin_not_allowed")
    await page.good("begin")
    await other.good("begin")
    assert await Browser(http, page.url).refused("face") == "login_foreign"
    # The visit of one link opens nothing at another.
    (name,), (theirs,) = page.cookies, other.cookies.values()
    assert await Browser(http, page.url, {name: theirs}).refused("face") == "login_foreign"
    forged = page.cookies[name].partition(".")[0] + "." + "A" * 43
    assert await Browser(http, page.url, {name: forged}).refused("face") == "login_foreign"
    await page.good("face")


async def test_the_pages_of_logins_and_invitations_do_not_take_each_others_rows(
    http: Http, parts: Parts
) -> None:
    page = await invited(http)
    await page.good("begin")
    (name,) = page.cookies
    login_id, _, cookie = page.cookies[name].partition(".")
    login = await begun(http, parts, RELYING)
    login.login_id, own = login_id, (login.login_id, login.cookie)
    login.cookie, login.name = cookie, ""
    assert await login.refused("who", {"name": "bob"}) == "login_over"
    async with http.get(f"/login/{login_id}", headers={"Cookie": login.jar()}) as response:
        assert response.status == 410
    swapped = Browser(http, page.url, {name: ".".join(own)})
    assert await swapped.refused("face") == "login_over"


async def test_the_offer_of_one_visit_is_not_anothers(http: Http, parts: Parts) -> None:
    page, other = await invited(http), await invited(http, subject="eve")
    for one in (page, other):
        await one.by_face(parts)
        await one.good("key", await one.passkey(Passkey(b"h" * 32)))
    offered = await other.good("otp-options")
    code = pyotp.TOTP(offered["secret"].replace(" ", "")).at(parts.now())
    assert await page.refused("otp", {"offer": offered["offer"], "code": code}) == "code_refused"
    assert await page.refused("otp", {"offer": "!", "code": code}) == "code_refused"
    assert await page.refused("otp", {"offer": 1, "code": code}) == "request_invalid"
    await other.good("otp", {"offer": offered["offer"], "code": code})


async def test_nothing_of_a_name_becomes_markup(http: Http, parts: Parts) -> None:
    await change_client(parts, relying=replace(RELYING, name='<b>"Shop"</b>'))
    status, text = await (await invited(http)).look()
    assert status == 200
    assert "<b>" not in text
    assert json.dumps('<b>"Shop"</b>')[1:-1] not in text


async def test_who_is_enrolled_is_not_invited(http: Http, parts: Parts) -> None:
    await enrolled(parts, "ann", 1)
    with pytest.raises(AssertionError, match="subject_enrolled"):
        await invited(http, subject="ann")
