"""The face of a login: after the key, of this login only, and what its end says to the app."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from server.audit.export import stored
from server.audit.record import read_body
from server.oidc.codes import granted_of, hash_of
from server.parts import Parts
from server.store.port import NotFound
from tests.server.http.asking import Http, code_of, create, post_offer
from tests.server.http.login.visiting import (
    ALL,
    OURS,
    Page,
    accepted,
    at_once,
    begun,
    kept,
    with_codes,
    with_passkey,
)
from tests.server.oidc.asking import REDIRECT
from tests.server.stage import CLIENT, Clock, change_client, enrolled


def answer_of(said: dict[str, Any]) -> dict[str, str]:
    """What the relying app is told, at its registered address."""
    assert said["location"].startswith(REDIRECT), said
    assert said["fields"] is None
    return dict(parse_qsl(urlsplit(said["location"]).query))


async def granted(parts: Parts, said: dict[str, Any]) -> Any:
    """What the code stands for."""
    code = await parts.store.codes.redeem(hash_of(answer_of(said)["code"]), CLIENT, parts.now())
    assert code.subject == "ann"
    return granted_of(code.claims)


async def shown(parts: Parts, page: Page, subject: str = "ann") -> str:
    """The token of a face that was accepted."""
    return await accepted(parts, await page.good("face"), subject)


async def test_passkey_and_face_end_with_a_code(http: Http, parts: Parts) -> None:
    key, page = await with_passkey(parts), await begun(http, parts)
    await page.by_passkey(key)
    made = await page.good("face")
    assert (made["state"], made["subject"], made["consent"]) == ("face", "ann", False)
    said = await page.good("finish", {"token": await accepted(parts, made)})
    told = answer_of(said)
    assert (said["state"], told["state"], told["iss"]) == (
        "done",
        "a state",
        parts.settings.public_url,
    )
    assert (await kept(parts, page)).state == "done"
    grant = await granted(parts, said)
    assert (grant.acr, grant.amr) == ("phr", ("pop", "user", "face", "mfa"))
    assert grant.liveness == ("passive", "light")
    assert grant.auth_time == int(parts.now().timestamp())
    assert await page.refused("finish", {}) == "login_over"


async def test_a_session_of_the_page_is_as_any_other(http: Http, parts: Parts) -> None:
    page = await begun(http, parts)
    await page.good("who", {"name": "ann"})
    made = await page.good("face")
    record = await parts.store.sessions.get(made["session"])
    assert (record.purpose, record.subject, record.client_id) == ("login", "ann", CLIENT)
    again = await page.good("face")
    assert (await kept(parts, page)).session_id == again["session"] != made["session"]
    assert await page.refused("finish", {"token": await accepted(parts, made)}) == "face_refused"


async def test_the_camera_is_not_opened_before_it_is_said_who(http: Http, parts: Parts) -> None:
    await with_passkey(parts)
    page = await begun(http, parts)
    assert await page.refused("face") == "login_step"
    page = await begun(http, parts, replace(ALL, min_acr="urn:lookgate:key+face"))
    await page.good("who", {"name": "ann"})
    assert await page.refused("face") == "level_unmet"
    assert await page.refused("finish", {"token": "x"}) == "login_step"


async def test_a_face_alone_where_the_app_asks_for_no_more(http: Http, parts: Parts) -> None:
    page = await begun(http, parts, acr_values="phr urn:lookgate:face+otp")
    await page.good("who", {"name": "ann"})
    said = await page.good("finish", {"token": await shown(parts, page)})
    # A code was wished for, and ann has none.
    assert (await granted(parts, said)).acr == "urn:lookgate:face"


async def test_a_face_finds_its_person_where_the_app_allows_it(http: Http, parts: Parts) -> None:
    page = await begun(http, parts)
    await page.good("who", {"anybody": True})
    made = await page.good("face")
    record = await parts.store.sessions.get(made["session"])
    assert (record.purpose, record.subject) == ("identify", None)
    said = await page.good("finish", {"token": await accepted(parts, made)})
    assert (await granted(parts, said)).amr == ("face",)
    page = await begun(http, parts, replace(ALL, ways=("key", "otp")))
    assert await page.refused("who", {"anybody": True}) == "level_unmet"


async def test_a_face_of_another_login_purpose_or_person_is_refused(
    http: Http, parts: Parts
) -> None:
    await enrolled(parts, "bob", 2)
    key, page = await with_passkey(parts), await begun(http, parts)
    await page.by_passkey(key)
    other = await begun(http, parts)
    await other.good("who", {"name": "ann"})
    await page.good("face")
    wrong = [
        await shown(parts, other),
        await accepted(parts, await create(http)),  # of the app's own backend
        "",
        7,
        "a.b." + "c" * 86,
    ]
    for token in wrong:
        assert await page.refused("finish", {"token": token}) == "face_refused"
    # The session is this login's, and what it says is somebody else's, or for something else.
    for lie in (
        {"subject": "bob"},
        {"client_id": "zoo"},
        {"purpose": "identify"},
        {"purpose": "enroll"},
        {"nonce": "n" * 32},
        {"session_id": "s" * 43},
    ):
        assert await page.refused("finish", {"token": await stolen(parts, page, **lie)}) == (
            "face_refused"
        ), lie
    await page.good("finish", {"token": await stolen(parts, page)})
    anybody = await begun(http, parts)
    await anybody.good("who", {"anybody": True})
    token = await shown(parts, anybody, "bob")
    await anybody.good("finish", {"token": token})
    assert (await kept(parts, anybody)).subject == "bob"


async def stolen(parts: Parts, page: Page, **lie: str) -> str:
    """A token of this login's session, but for one thing."""
    made = await page.good("face")
    await accepted(parts, made)
    record = await parts.store.sessions.get(made["session"])
    true = {
        "subject": "ann",
        "client_id": CLIENT,
        "nonce": record.nonce,
        "session_id": record.session_id,
        "purpose": "login",
    }
    return await parts.keyring.mint(
        **(true | lie),
        acr="passive",
        liveness=("passive",),
        auth_time=parts.now(),
        now=parts.now(),
    )


async def test_a_token_without_an_accepted_session_is_refused(http: Http, parts: Parts) -> None:
    key, page = await with_passkey(parts), await begun(http, parts)
    await page.by_passkey(key)
    made = await page.good("face")
    record = await parts.store.sessions.get(made["session"])
    token = await parts.keyring.mint(
        subject="ann",
        client_id=CLIENT,
        nonce=record.nonce,
        session_id=record.session_id,
        purpose="login",
        acr="passive",
        liveness=("passive",),
        auth_time=parts.now(),
        now=parts.now(),
    )
    assert await page.refused("finish", {"token": token}) == "face_refused"


async def test_a_token_that_is_too_old_is_refused(http: Http, parts: Parts, clock: Clock) -> None:
    key, page = await with_passkey(parts), await begun(http, parts)
    await page.by_passkey(key)
    token = await shown(parts, page)
    clock.advance(150.0)
    assert await page.refused("finish", {"token": token}) == "face_refused"
    assert (await page.good("finish", {"token": await shown(parts, page)}))["state"] == "done"


async def test_of_twenty_ends_at_once_one_has_a_code(http: Http, parts: Parts) -> None:
    key, page = await with_passkey(parts), await begun(http, parts)
    await page.by_passkey(key)
    token = await shown(parts, page)
    said = await at_once(*(page.post("finish", {"token": token}) for _ in range(20)))
    assert [status for status, _ in said].count(200) == 1


async def test_a_passkey_alone_only_where_the_app_allows_it(http: Http, parts: Parts) -> None:
    key, page = await with_passkey(parts), await begun(http, parts)
    await page.by_passkey(key)
    assert await page.refused("finish") == "level_unmet"
    alone = await begun(http, parts, replace(ALL, key_alone=True))
    await alone.good("who", {"name": "ann"})
    await alone.good("face")
    assert await alone.refused("finish") == "level_unmet"  # a name is no key
    alone = await begun(http, parts, replace(ALL, key_alone=True))
    await alone.by_passkey(key)
    said = await alone.good("finish")
    assert (await granted(parts, said)).acr == "urn:lookgate:key"
    # No verdict tells of it, so a record of its own does.
    bodies = [read_body(record.body) async for record in stored(parts.store.audit)]
    (told,) = [body for body in bodies if body["kind"] == "login"]
    assert (told["client"], told["shown"], told["session"]) == (CLIENT, ["key"], None)
    assert told["subject"] == parts.audit.seals.subject(CLIENT, "ann")


async def test_somebody_else_begins_with_nothing_shown(http: Http, parts: Parts) -> None:
    key, page = await with_passkey(parts), await begun(http, parts)
    await page.by_passkey(key)
    token = await shown(parts, page)
    said = await page.good("who", {"again": True})
    assert (said["state"], said["subject"]) == ("who", None)
    assert (await kept(parts, page)).shown == ()
    await page.good("who", {"name": "bob"})
    assert await page.refused("finish", {"token": token}) == "login_step"
    await page.good("face")
    assert await page.refused("finish", {"token": token}) == "face_refused"


async def test_what_is_less_than_the_app_wants_is_told_to_the_app(http: Http, parts: Parts) -> None:
    page = await begun(http, parts, replace(ALL, min_acr="urn:lookgate:face+otp"))
    await page.good("who", {"name": "ann"})
    said = await page.good("finish", {"token": await shown(parts, page)})
    told = answer_of(said)
    assert (said["state"], told["error"]) == ("refused", "unmet_authentication_requirements")
    assert "code" not in told


async def test_what_the_operator_asks_for_meanwhile_counts(http: Http, parts: Parts) -> None:
    for least, outcome in (("urn:lookgate:face", "code"), ("phr", "error")):
        page = await begun(http, parts)
        await page.good("who", {"name": "ann"})
        token = await shown(parts, page)
        await change_client(parts, relying=replace(ALL, min_acr=least))
        assert outcome in answer_of(await page.good("finish", {"token": token}))


async def test_a_login_leaves_none_of_its_secrets_in_the_log(
    http: Http, parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="server")
    secret, codes = await with_codes(parts)
    key, page = await with_passkey(parts), await begun(http, parts, state="st" * 16)
    await page.sign(key)
    assert await page.refused("key", {**await page.sign(key), "id": "AAAA"}) == "key_refused"
    await page.by_passkey(key)
    made = await page.good("face")
    token = await accepted(parts, made)
    code = answer_of(await page.good("finish", {"token": token}))["code"]
    again = await begun(http, parts, replace(ALL, min_acr="urn:lookgate:face+otp"))
    await again.good("who", {"name": "ann"})
    face = await shown(parts, again)
    await again.good("finish", {"token": face})
    assert await again.refused("otp", {"token": face, "code": "000000"}) == "code_refused"
    await again.good("recovery", {"token": face, "code": codes[0]})
    logging.getLogger("server").debug("something is heard")
    assert "something is heard" in caplog.text
    said = " ".join(str(vars(one)) for one in caplog.records if one.name.startswith("server"))
    secrets = (code, token, face, made["ticket"], page.cookie, page.login_id, codes[0], "st" * 16)
    for one in (*secrets, secret.hex(), "ann@", "'ann'"):
        assert one not in said


async def test_a_person_who_was_removed_gets_no_code(http: Http, parts: Parts) -> None:
    await with_codes(parts)
    key, page = await with_passkey(parts), await begun(http, parts)
    await page.by_passkey(key)
    token = await shown(parts, page)
    await parts.store.forget_subject(CLIENT, "ann")
    assert await page.refused("finish", {"token": token}) in ("face_refused", "login_over")


async def test_an_answer_by_form_post_is_a_form(http: Http, parts: Parts) -> None:
    page = await begun(http, parts, response_mode="form_post")
    said = await page.good("cancel")
    assert said["location"] == REDIRECT
    assert said["fields"] == {
        "error": "access_denied",
        "state": "a state",
        "iss": parts.settings.public_url,
    }


async def test_a_state_cannot_end_a_header(http: Http, parts: Parts) -> None:
    page = await begun(http, parts, state="x\r\nSet-Cookie: a=b\r\n\r\n<script>")
    said = await page.good("cancel")
    assert "\r" not in said["location"]
    assert "<" not in said["location"]
    assert answer_of(said)["state"] == "x\r\nSet-Cookie: a=b\r\n\r\n<script>"


async def test_cancelling_ends_it(http: Http, parts: Parts) -> None:
    page = await begun(http, parts)
    told = answer_of(await page.good("cancel"))
    assert (told["error"], told["state"]) == ("access_denied", "a state")
    assert page.cookies[f"login-{page.login_id[:8]}"] == ""
    assert await page.refused("key-options") == "login_over"


@pytest.mark.parametrize("what", ["face", "finish", "cancel"])
async def test_a_login_that_is_over_goes_nowhere(
    http: Http, parts: Parts, clock: Clock, what: str
) -> None:
    page = await begun(http, parts)
    clock.advance(601.0)
    assert await page.refused(what) == "login_over"
    with pytest.raises(NotFound):
        await kept(parts, page)


async def test_the_page_brings_its_offer_from_our_own_origin(
    http: Http, parts: Parts, offer: str
) -> None:
    page = await begun(http, parts)
    await page.good("who", {"name": "ann"})
    async with post_offer(http, await page.good("face"), offer, Origin=OURS) as response:
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == OURS
    # A relying app that is not registered for OpenID Connect has no page here.
    await change_client(parts, relying=None)
    async with post_offer(http, await create(http), offer, Origin=OURS) as response:
        assert await code_of(response, 403) == "origin_not_allowed"
