"""The key of a login: the good answer says who it is, and each lie about it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from server.factors.enrolling import Stage
from server.factors.webcrypto import key_id_of, signed_text
from server.keys.token import base64url
from server.oidc.inviting import begin_visit, invite_device
from server.parts import Parts
from server.people.devices import cookie_name
from server.people.registering import reset_keys
from server.store.oidc.authenticators import WEBCRYPTO, Authenticator
from server.store.tries import IN_A_ROW, Kind
from tests.server.http.asking import Http
from tests.server.http.login.visiting import (
    ALL,
    OURS,
    Page,
    at_once,
    begun,
    challenge,
    kept,
    with_passkey,
)
from tests.server.stage import CLIENT, Clock, enrolled, failed

DEVICE = cookie_name(CLIENT, "ann", secure=False)


async def with_device_key(parts: Parts, subject: str) -> tuple[str, ec.EllipticCurvePrivateKey]:
    private = ec.generate_private_key(ec.SECP256R1())
    spki = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    at = parts.now()
    await parts.store.authenticators.add(
        Authenticator(
            key_id_of(spki), CLIENT, subject, b"h" * 32, spki, WEBCRYPTO, 0, at, None, "browser"
        )
    )
    return key_id_of(spki), private


async def signed(
    page: Page, key_id: str, private: ec.EllipticCurvePrivateKey, origin: str = OURS
) -> dict[str, Any]:
    text = signed_text(origin=origin, challenge=challenge(await page.good("key-options")))
    r, s = decode_dss_signature(private.sign(text, ec.ECDSA(hashes.SHA256())))
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return {"kind": "webcrypto", "id": key_id, "signature": base64url(raw)}


async def test_a_passkey_says_who_it_is(http: Http, parts: Parts) -> None:
    key, page = await with_passkey(parts), await begun(http, parts)
    said = await page.by_passkey(key)
    assert (said["state"], said["subject"]) == ("face", "ann")
    assert (await kept(parts, page)).shown == ("key",)
    (stored,) = await parts.store.authenticators.of_subject(CLIENT, "ann")
    assert stored.sign_count == 1
    assert stored.used_at is not None


async def test_options_name_no_credential_and_no_challenge_comes_twice(
    http: Http, parts: Parts
) -> None:
    await with_passkey(parts)
    pages = [await begun(http, parts), await begun(http, parts)]
    asked = [await page.good("key-options") for page in pages for _ in range(3)]
    assert not any(one["options"].get("allowCredentials") for one in asked)
    assert len({challenge(one) for one in asked}) == 6


async def test_an_answer_is_used_up_good_or_bad(http: Http, parts: Parts) -> None:
    key, page = await with_passkey(parts), await begun(http, parts)
    answer = await page.sign(key)
    spoilt = answer | {"signature": base64url(b"\0" * 70)}
    assert await page.refused("key", spoilt) == "key_refused"
    assert await page.refused("key", answer) == "key_refused"  # its challenge is over
    answer = await page.sign(key)
    await page.good("key", answer)
    assert await page.refused("key", answer) == "login_step"
    await page.good("who", {"again": True})
    assert await page.refused("key", answer) == "key_refused"
    await page.by_passkey(key)


async def test_of_one_answer_sent_twenty_times_at_once_one_counts(http: Http, parts: Parts) -> None:
    key, page = await with_passkey(parts), await begun(http, parts)
    answer = await page.sign(key)
    said = await at_once(*(page.post("key", answer) for _ in range(20)))
    assert [status for status, _ in said].count(200) == 1


async def test_an_answer_to_another_login_or_from_another_origin_is_refused(
    http: Http, parts: Parts
) -> None:
    key = await with_passkey(parts)
    mine, other = await begun(http, parts), await begun(http, parts)
    await mine.good("key-options")
    assert await mine.refused("key", await other.sign(key)) == "key_refused"
    for origin in ("http://localhost:8471", "https://localhost:8470", "https://evil.example"):
        assert await mine.refused("key", await mine.sign(key, origin)) == "key_refused"
    await mine.by_passkey(key)


async def test_a_count_that_goes_back_is_refused_and_logged(
    http: Http, parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    key, page = await with_passkey(parts), await begun(http, parts)
    key.count = 7
    await page.by_passkey(key)
    for count in (0, 6, 7):
        copy, again = replace(key, count=count), await begun(http, parts)
        assert await again.refused("key", await again.sign(copy)) == "key_refused"
    told = [one for one in caplog.records if one.name == "server.http.login.keys"]
    assert [one.getMessage() for one in told] == ["a key's sign count went back"] * 3
    assert {vars(one)["client"] for one in told} == {CLIENT}
    assert "ann" not in caplog.text
    key.count = 8
    again = await begun(http, parts)
    await again.by_passkey(key)


async def test_who_has_a_stolen_key_goes_no_further_once_keys_are_taken_away(
    http: Http, parts: Parts
) -> None:
    key, over = await with_passkey(parts), await begun(http, parts)
    await over.by_passkey(key)
    await over.good("cancel")
    ended = await kept(parts, over)
    page, other = await begun(http, parts), await begun(http, parts)
    await page.by_passkey(key)
    client = await parts.store.clients.get(CLIENT)
    link = await invite_device(parts.store, client, "ann", now=parts.now())
    visit, _ = await begin_visit(parts.store, link.invitation, parts.now())
    whose = {"client_id": CLIENT, "people": CLIENT, "subject": "ann", "by": "operator"}
    assert await reset_keys(parts.audit, parts.store, **whose) == 1
    assert await page.refused("face") == "login_over"
    assert await kept(parts, over) == ended
    assert await parts.store.invitations.of_subject(CLIENT, "ann") == []
    assert (await parts.store.logins.get(visit.login_id, parts.now())).state == Stage.DONE
    await other.good("who", {"name": "ann"})  # which needs no key
    await other.good("face")


async def test_an_unknown_a_removed_and_a_foreign_key_are_one_refusal(
    http: Http, parts: Parts
) -> None:
    await enrolled(parts, "bob", 2)
    key, bobs = await with_passkey(parts), await with_passkey(parts, "bob")
    page = await begun(http, parts)
    stranger = replace(key, key_id=b"nobody's" * 4)
    assert await page.refused("key", await page.sign(stranger)) == "key_refused"
    lying = replace(bobs, user_handle=key.user_handle)
    assert await page.refused("key", await page.sign(lying)) == "key_refused"
    await parts.store.authenticators.remove(CLIENT, "ann", base64url(key.key_id))
    assert await page.refused("key", await page.sign(key)) == "key_refused"
    await page.by_passkey(bobs)


async def test_with_a_name_only_that_persons_key_counts(http: Http, parts: Parts) -> None:
    await enrolled(parts, "bob", 2)
    key, bobs = await with_passkey(parts), await with_passkey(parts, "bob")
    page = await begun(http, parts)
    await page.good("who", {"name": "ann"})
    assert await page.refused("key", await page.sign(bobs)) == "key_refused"
    assert (await page.by_passkey(key))["state"] == "face"


async def test_a_key_makes_its_device_known_so_that_strangers_lock_nobody(
    http: Http, parts: Parts
) -> None:
    key, page = await with_passkey(parts), await begun(http, parts)
    await page.by_passkey(key)
    assert page.cookies[DEVICE]
    again = await begun(http, parts)
    await again.by_passkey(key)
    held = await parts.store.tries.of_subject(CLIENT, "ann")
    assert [one.counter.kind for one in held].count(Kind.DEVICE) == 1
    await failed(parts, "ann", IN_A_ROW)
    assert await parts.opening.lockout.locks(CLIENT, "ann")
    (device,) = (one.counter for one in held if one.counter.kind is Kind.DEVICE)
    await parts.opening.lockout.check((device,))


async def test_wrong_keys_count_at_the_address_and_not_in_anybodys_name(
    http: Http, parts: Parts, clock: Clock
) -> None:
    key, home, page = await with_passkey(parts), await begun(http, parts), await begun(http, parts)
    await home.by_passkey(key)
    most = parts.opening.lockout.limits[Kind.ADDRESS].in_a_row
    for _ in range(most):
        answer = await page.sign(key) | {"signature": base64url(b"\0" * 70)}
        assert await page.refused("key", answer) == "key_refused"
    assert await page.refused("key", await page.sign(key)) == "too_many_failures"
    assert not await parts.opening.lockout.locks(CLIENT, "ann")
    # A device that her key made known does not stand at the address: a neighbour locks no office.
    again = await begun(http, parts)
    again.cookies |= home.cookies
    await again.by_passkey(key)
    clock.advance(31.0)
    await page.by_passkey(key)


async def test_a_key_of_the_browser_counts_for_the_name_that_was_given(
    http: Http, parts: Parts
) -> None:
    key_id, private = await with_device_key(parts, "ann")
    page = await begun(http, parts)
    assert await page.refused("key", await signed(page, key_id, private)) == "login_step"
    await page.good("who", {"name": "ann"})
    wrong = await signed(page, key_id, private, "https://evil.example")
    assert await page.refused("key", wrong) == "key_refused"
    said = await page.good("key", await signed(page, key_id, private))
    assert (said["state"], said["subject"]) == ("face", "ann")
    assert (await kept(parts, page)).shown == ("webcrypto",)


async def test_a_key_of_the_browser_is_no_passkey_and_opens_nobody_elses_login(
    http: Http, parts: Parts
) -> None:
    await enrolled(parts, "bob", 2)
    key_id, private = await with_device_key(parts, "bob")
    passkey, page = await with_passkey(parts), await begun(http, parts)
    await page.good("who", {"name": "ann"})
    assert await page.refused("key", await signed(page, key_id, private)) == "key_refused"
    answer = await signed(page, base64url(passkey.key_id), private)
    assert await page.refused("key", answer) == "key_refused"
    answer = await page.sign(passkey) | {"id": key_id}
    assert await page.refused("key", answer) == "key_refused"


async def test_a_key_that_is_not_enough_is_not_asked_for(http: Http, parts: Parts) -> None:
    key_id, private = await with_device_key(parts, "ann")
    page = await begun(http, parts, replace(ALL, min_acr="phr"))
    assert await page.refused("who", {"name": "ann"}) == "level_unmet"
    page = await begun(http, parts, replace(ALL, ways=("otp",)))
    assert await page.refused("key-options") == "level_unmet"
    assert private
    assert key_id


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "other"},
        {"kind": 7},
        {"kind": "passkey", "id": "a"},
        {"kind": "passkey", "more": 1},
    ],
)
async def test_what_is_no_answer_is_told_so(http: Http, parts: Parts, body: Any) -> None:
    page = await begun(http, parts)
    await page.good("key-options")
    assert await page.refused("key", body) == "request_invalid"
