"""The login page in a real browser: passkey, a recorded face, and the browser is back at the app.

The passkey is Chromium's own, on a virtual authenticator (WebDriver extension of WebAuthn Level 3,
section 11). Screenshots go to $LOOKGATE_SCREENSHOTS.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pyotp
import pytest
import pytest_asyncio
from playwright.async_api import Page, Request, Route, expect

from models.clips import ClipMissing, clip
from server.commands.admin import Admin
from server.factors.otp import new_secret
from server.keys.token import base64url
from server.oidc.codes import granted_of, hash_of
from server.parts import utc_now
from server.people import registering
from server.people.sealed_people import seal_secret
from server.settings.load import load
from server.store.oidc.otps import Totp
from server.store.relying import RelyingParty
from server.tools.caller.attempt import attempt
from tests.e2e import cameras
from tests.e2e.site import CHROMIUM, Site, browser, first_page, running
from tests.server.oidc.asking import CHALLENGE

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]
SHOTS = os.environ.get("LOOKGATE_SCREENSHOTS")
APP = "https://app.example/callback"
CLIENT = "demo"
RELYING = RelyingParty("Lantern", (APP,), ways=("key", "otp", "identify"), accent="#7a3ff2")
BACK_MS = 40_000
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
MAKE = """async (options) => {
  const {encode, decode} = await import('/web/login/bytes.js');
  const made = await navigator.credentials.create({publicKey: {...options,
    challenge: decode(options.challenge), user: {...options.user, id: decode(options.user.id)}}});
  return {kind: 'passkey', id: encode(made.rawId),
    client_data: encode(made.response.clientDataJSON),
    attestation: encode(made.response.attestationObject)};
}"""
MAKE_DEVICE_KEY = """async ({whose, challenge}) => {
  const {makeDeviceKey, signWithDeviceKey} = await import('/web/login/device-key.js');
  const made = await makeDeviceKey(whose);
  let exported;
  try { exported = await crypto.subtle.exportKey('pkcs8', made.key) }
  catch (error) { exported = error.name }
  return {...await signWithDeviceKey(made, challenge), public_key: made.public_key, exported};
}"""


@dataclass
class Stand:
    """A running server whose demo client is registered for OpenID Connect."""

    site: Site
    admin: Admin

    async def begin(self, page: Page, relying: RelyingParty = RELYING, **more: str) -> str:
        """The app sends the browser to /authorize, which shows the login page; the login's id."""
        was = await self.admin.store.clients.get(CLIENT)
        if was.relying != relying:
            await self.admin.sealed_clients().change(was, replace(was, relying=relying))
        asked = {
            "client_id": CLIENT,
            "redirect_uri": APP,
            "response_type": "code",
            "scope": "openid",
            "state": "a state",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        await page.goto(f"{self.site.server}/authorize?{urlencode({**asked, **more})}")
        return page.url.rsplit("/login/", 1)[1]

    async def answer(self, page: Page) -> dict[str, str]:
        """What the browser brings back to the app."""
        await page.wait_for_url(f"{APP}**", timeout=BACK_MS)
        return dict(parse_qsl(urlsplit(page.url).query))

    async def claims(self, told: dict[str, str]) -> tuple[str, tuple[str, ...]]:
        """Subject and amr of the code."""
        code = await self.admin.store.codes.redeem(hash_of(told["code"]), CLIENT, utc_now())
        return code.subject, granted_of(code.claims).amr

    async def register(self, page: Page) -> None:
        """A passkey of ann, made by this browser on its authenticator."""
        challenge, handle = secrets.token_bytes(32), secrets.token_bytes(32)
        options = registering.register_options(
            rp_id="localhost",
            rp_name="Lookgate",
            subject="ann",
            user_handle=handle,
            challenge=challenge,
        )
        await self._keep(await page.evaluate(MAKE, options), challenge, handle)

    async def register_device_key(self, page: Page) -> str:
        """A key of ann in this browser; what an export of it says."""
        challenge = secrets.token_bytes(32)
        whose = {"whose": f"{CLIENT} ann", "challenge": base64url(challenge)}
        answer = await page.evaluate(MAKE_DEVICE_KEY, whose)
        await self._keep(answer, challenge, secrets.token_bytes(32))
        return str(answer["exported"])

    async def _keep(self, answer: dict[str, Any], challenge: bytes, handle: bytes) -> None:
        await registering.register(
            self.admin.store,
            answer,
            people=CLIENT,
            subject="ann",
            user_handle=handle,
            name="browser",
            expected_challenge=challenge,
            expected_origin=self.site.server,
            expected_rp_id="localhost",
            now=utc_now(),
        )


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("films")
    try:
        return {
            name: cameras.mjpeg(cameras.person(of), folder / f"{name}.mjpeg")
            for name, of in (("owner", "cap13"), ("other", "franck"))
        }
    except ClipMissing as missing:
        pytest.skip(f"recordings cannot be had: {missing}")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stand(
    tmp_path_factory: pytest.TempPathFactory, films: dict[str, Path]
) -> AsyncIterator[Stand]:
    assert films
    folder = tmp_path_factory.mktemp("stand")
    async with running(folder) as site:
        (secret,) = site.data.rglob("demo-secret")
        settings = load({"HOME": str(folder), "LOOKGATE_DATA_DIR": str(secret.parent)})
        async with Admin.of(settings) as admin:
            enrolled = await attempt(
                server_url=site.server,
                client_id=CLIENT,
                secret=site.secret(),
                purpose="enroll",
                subject="ann",
                video=clip("cap12"),
                origin=site.app,
            )
            assert enrolled.verdict["outcome"] == "accepted", enrolled.verdict
            yield Stand(site, admin)


@asynccontextmanager
async def visitor(film: Path | None) -> AsyncIterator[Page]:
    """A browser with an authenticator, a camera, and an app to come back to."""
    async with browser(film) as context:
        page = await first_page(context)

        async def back(route: Route) -> None:
            asked = dict(parse_qsl(urlsplit(route.request.url).query))
            body = f'<h1>back at the app</h1><iframe src="{asked.get("frame", "about:blank")}">'
            await route.fulfill(body=body, content_type="text/html")

        await context.route(f"{APP}**", back)
        tools = await context.new_cdp_session(page)
        await tools.send("WebAuthn.enable")
        await tools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        faults: list[str] = []
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        yield page
        # What the policy of the page forbids would be told here.
        assert [fault for fault in faults if "Content Security" in fault] == []


async def shot(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=f"{SHOTS}/login-{name}.png")


async def test_one_click_passkey_then_face_and_back_at_the_app(
    stand: Stand, films: dict[str, Path]
) -> None:
    async with visitor(films["owner"]) as page:
        await stand.begin(page)
        await stand.register(page)
        await expect(page.locator("h1")).to_have_text("Log in to Lantern")
        await expect(page.locator("#host")).to_have_text("app.example")
        await shot(page, "who")
        await page.click("#passkey")
        await expect(page.locator("#as b")).to_have_text("ann")
        await shot(page, "face")
        told = await stand.answer(page)
        assert told.keys() == {"code", "state", "iss"}
        assert (told["state"], told["iss"]) == ("a state", stand.site.server)
        assert await stand.claims(told) == ("ann", ("pop", "user", "face", "mfa"))
        # The next login knows whom this browser had, and it is cancelled.
        await stand.begin(page, ui_locales="de")
        await expect(page.locator("#people button").first).to_have_text("Weiter als ann")
        await shot(page, "remembered")
        await page.click("#people button >> nth=1")
        await expect(page.locator("#people li")).to_have_count(0)
        await page.click("#cancel")
        assert (await stand.answer(page))["error"] == "access_denied"


async def test_name_face_and_the_code_of_an_app(stand: Stand, films: dict[str, Path]) -> None:
    secret, vault = new_secret(), stand.admin.vault
    sealed = seal_secret(vault, CLIENT, "ann", secret)
    await stand.admin.store.otps.put(Totp(CLIENT, "ann", sealed, vault.key_id, -1, utc_now()))
    relying = replace(RELYING, min_acr="urn:lookgate:face+otp", accent=None)
    async with visitor(films["owner"]) as page:
        await stand.begin(page, relying, login_hint="somebody")
        await page.click("#other summary")
        await shot(page, "other")
        await page.fill("#name", "ann")
        await page.click("#named button")
        await page.wait_for_selector("#code", timeout=BACK_MS)
        await page.fill("#code", "000000")
        await page.click("#coded button")
        await expect(page.locator("#says")).to_contain_text("wrong or was used")
        await shot(page, "code")
        await page.fill("#code", pyotp.TOTP(base64.b32encode(secret).decode()).now())
        await page.click("#coded button")
        assert await stand.claims(await stand.answer(page)) == ("ann", ("face", "otp", "mfa"))


async def test_a_key_of_the_browser_and_a_face_by_form_post(
    stand: Stand, films: dict[str, Path]
) -> None:
    relying = replace(RELYING, min_acr="urn:lookgate:key+face")
    async with visitor(films["owner"]) as page:
        posted: list[Request] = []
        page.on("request", lambda one: posted.append(one) if one.url == APP else None)
        await stand.begin(page, relying, response_mode="form_post", login_hint="ann")
        assert await stand.register_device_key(page) == "InvalidAccessError"
        await page.click("#people button")
        await page.wait_for_url(APP, timeout=BACK_MS)
        told = dict(parse_qsl(posted[0].post_data or ""))
        assert (await posted[0].all_headers())["origin"] == stand.site.server
        assert told.keys() == {"code", "state", "iss"}
        assert await stand.claims(told) == ("ann", ("swk", "face", "mfa"))


async def test_another_man_with_her_passkey_gets_no_code(
    stand: Stand, films: dict[str, Path]
) -> None:
    async with visitor(films["other"]) as page:
        login_id = await stand.begin(page)
        await stand.register(page)
        await page.click("#passkey")
        await expect(page.locator("face-login .frame")).to_have_attribute(
            "data-state", "rejected", timeout=BACK_MS
        )
        await shot(page, "rejected")
        assert page.url.endswith(login_id)
        assert (await stand.admin.store.logins.get(login_id, utc_now())).state == "face"


async def test_no_passkey_here_and_a_login_of_another_browser(stand: Stand) -> None:
    async with visitor(None) as page:
        login_id = await stand.begin(page)
        await page.click("#passkey")
        await expect(page.locator("#says")).to_contain_text("No passkey was used", timeout=BACK_MS)
        await shot(page, "no-passkey")
        await page.goto(f"{APP}?frame={stand.site.server}/login/{login_id}")
        frame = await page.wait_for_selector("iframe")
        framed = await frame.content_frame()
        assert framed is not None
        await framed.wait_for_load_state()
        assert await framed.locator("#passkey").count() == 0
        assert framed.url.startswith("chrome-error:")  # frame-ancestors 'none'
        await page.context.clear_cookies()
        answer = await page.goto(f"{stand.site.server}/login/{login_id}")
        assert answer is not None
        assert answer.status == 403
        await expect(page.locator("main")).to_contain_text("Start again at Lantern")
        await shot(page, "foreign")
