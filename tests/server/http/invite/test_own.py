"""/devices/{client}: key, face, and a link for another device; and what is refused."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest

from server.parts import Parts
from tests.server.factors.authenticator import Passkey
from tests.server.http.asking import Http
from tests.server.http.invite.conftest import RELYING
from tests.server.http.invite.inviting import Browser, invited, seen
from tests.server.http.login.visiting import OURS, challenge, with_passkey
from tests.server.stage import CLIENT, change_client, enrolled


@pytest.fixture
async def key(parts: Parts) -> Passkey:
    """Of ann, who has a face here."""
    await enrolled(parts, "ann", 1)
    return await with_passkey(parts)


@pytest.fixture
def page(http: Http) -> Browser:
    return Browser(http, f"{OURS}/devices/{CLIENT}")


async def signed(page: Browser, key: Passkey, origin: str = OURS) -> dict[str, str]:
    return {"kind": "passkey", **key.sign(challenge(await page.good("key-options")), origin)}


async def test_key_and_face_give_a_link(
    http: Http, parts: Parts, page: Browser, key: Passkey
) -> None:
    assert (await page.look())[0] == 200
    said = await page.good("begin")
    assert (said["state"], said["subject"]) == ("invited_prove", None)
    assert await page.refused("face") == "login_step"
    options = (await page.good("key-options"))["options"]
    assert not options.get("allowCredentials")  # no list of anybody's keys
    said = await page.good("key", await signed(page, key))
    assert (said["state"], said["subject"]) == ("invited_face", "ann")
    assert await page.refused("device") == "login_step"
    made = await page.good("face")
    record = await parts.store.sessions.get(made["session"])
    assert (record.purpose, record.subject, made["consent"]) == ("login", "ann", False)
    said = await page.good("finish", {"token": await seen(parts, made)})
    assert said["state"] == "invited_more"
    second = Browser(http, (await page.good("device"))["url"])
    assert (await second.look())[0] == 200
    await second.good("begin")
    await second.good("finish", {"token": await second.face(parts)})
    await second.good("key", await second.passkey(Passkey(key.user_handle)))
    assert len(await parts.store.authenticators.of_subject(CLIENT, "ann")) == 2
    await page.good("end")
    assert await page.refused("device") == "login_over"


async def test_a_wrong_key_gives_nothing(parts: Parts, page: Browser, key: Passkey) -> None:
    await page.good("begin")
    for wrong in (
        await signed(page, Passkey(secrets.token_bytes(32))),
        await signed(page, key, "https://evil.example"),
    ):
        assert await page.refused("key", wrong) == "key_refused"
    late = await signed(page, key)
    assert await page.refused("key", {**late, "signature": late["id"]}) == "key_refused"
    assert await page.refused("key", late) == "key_refused"  # its challenge is used up
    assert await page.refused("key", {**late, "kind": "other"}) == "request_invalid"
    assert await page.refused("face") == "login_step"
    await page.good("key", await signed(page, key))


async def test_another_persons_face_gives_nothing(
    parts: Parts, page: Browser, key: Passkey, http: Http
) -> None:
    other = await invited(http, subject="eve")
    await other.good("begin")
    token = await other.face(parts)
    await page.good("begin")
    await page.good("key", await signed(page, key))
    await page.good("face")
    assert await page.refused("finish", {"token": token}) == "face_refused"
    assert await page.refused("device") == "login_step"


async def test_a_visit_of_devices_is_none_of_a_link(
    parts: Parts, page: Browser, key: Passkey, http: Http
) -> None:
    link = await invited(http, subject="eve")
    await link.good("begin")
    await page.good("begin")
    (name,), (theirs,) = link.cookies, page.cookies.values()
    assert await Browser(http, link.url, {name: theirs}).refused("face") == "login_foreign"
    (mine,), (linked,) = page.cookies, link.cookies.values()
    assert await Browser(http, page.url, {mine: linked}).refused("key-options") == "login_foreign"
    for origin in (None, "null", "https://evil.example"):
        for what in ("begin", "key-options", "key", "device"):
            status, said = await page.post(what, Origin=origin)
            assert (status, said["error"]["code"]) == (403, "origin_not_allowed")


async def test_no_such_page_of_an_app_without_keys(http: Http, parts: Parts, page: Browser) -> None:
    assert (await page.look())[0] == 200
    assert (await Browser(http, f"{OURS}/devices/none").look())[0] == 400
    await change_client(parts, relying=replace(RELYING, ways=("otp",)))
    assert (await page.look())[0] == 400
    assert await page.refused("begin") == "oidc_client_unknown"
