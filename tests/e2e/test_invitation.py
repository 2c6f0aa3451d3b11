"""An invitation in a real browser: consent, a recorded face, a passkey, codes, a second device.

Screenshots go to $LOOKGATE_SCREENSHOTS.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pyotp
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from models.clips import ClipMissing
from server.commands.admin import Admin
from server.oidc.codes import granted_of, hash_of
from server.oidc.inviting import invite
from server.parts import utc_now
from server.people.consent import open_consent
from server.settings.load import load
from server.store.port import NotFound
from server.store.relying import RelyingParty
from tests.e2e import cameras
from tests.e2e.site import CHROMIUM, Site, running
from tests.e2e.test_login_page import APP, BACK_MS, CLIENT, SHOTS, visitor
from tests.server.oidc.asking import CHALLENGE

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]
AGREE = 'face-login button[part~="agree"]'
RELYING = RelyingParty("Lantern", (APP,), ways=("key", "otp"), accent="#7a3ff2")


class Stand:
    """A running server whose demo client invites people."""

    def __init__(self, site: Site, admin: Admin) -> None:
        self.site, self.admin = site, admin

    async def link(self, subject: str, return_url: str | None = APP) -> str:
        """That of a new invitation."""
        was = await self.admin.store.clients.get(CLIENT)
        if was.relying != RELYING:
            await self.admin.sealed_clients().change(was, replace(was, relying=RELYING))
            was = await self.admin.store.clients.get(CLIENT)
        made = await invite(
            self.admin.store,
            self.admin.vault,
            was,
            subject,
            profile={"name": "Bob"},
            return_url=return_url,
            lasts=timedelta(days=7),
            now=utc_now(),
        )
        return made.url(self.site.server)

    async def log_in_at_desk(self, page: Page) -> tuple[str, tuple[str, ...]]:
        """Subject and amr that another app gets, which has no people of its own."""
        relying = RelyingParty("Desk", (APP,), people=CLIENT)
        await self.admin.add_client("desk", relying=relying)
        asked = {
            "client_id": "desk",
            "redirect_uri": APP,
            "response_type": "code",
            "scope": "openid",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        await page.goto(f"{self.site.server}/authorize?{urlencode(asked)}")
        await expect(page.locator("h1")).to_have_text("Log in to Desk")
        await page.click("#passkey")
        await page.wait_for_url(f"{APP}?**", timeout=BACK_MS)
        told = dict(parse_qsl(urlsplit(page.url).query))
        code = await self.admin.store.codes.redeem(hash_of(told["code"]), "desk", utc_now())
        return code.subject, granted_of(code.claims).amr

    async def keys(self, subject: str) -> list[str]:
        """The kinds of a person's keys."""
        held = await self.admin.store.authenticators.of_subject(CLIENT, subject)
        return [key.kind for key in held]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return cameras.mjpeg(cameras.person("cap13"), tmp_path_factory.mktemp("film") / "one.mjpeg")
    except ClipMissing as missing:
        pytest.skip(f"recordings cannot be had: {missing}")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory, film: Path) -> AsyncIterator[Stand]:
    assert film
    folder = tmp_path_factory.mktemp("stand")
    async with running(folder) as site:
        (secret,) = site.data.rglob("demo-secret")
        settings = load({"HOME": str(folder), "LOOKGATE_DATA_DIR": str(secret.parent)})
        async with Admin.of(settings) as admin:
            yield Stand(site, admin)


async def shot(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=f"{SHOTS}/invite-{name}.png", full_page=True)


async def agree(page: Page) -> None:
    """Read, and say yes, as for every enrolment."""
    await page.click("#start")
    button = page.locator(AGREE)
    await expect(button).to_be_visible(timeout=BACK_MS)
    accent = "(button) => getComputedStyle(button).backgroundColor"
    assert await button.evaluate(accent) == "rgb(122, 63, 242)"
    await shot(page, "consent")
    await button.click()


async def test_from_the_link_to_the_app_and_a_second_device(stand: Stand, film: Path) -> None:
    link = await stand.link("bob")
    async with visitor(film) as page:
        await page.goto(link)
        await expect(page.locator("h1")).to_have_text("Set up face login for Lantern")
        await shot(page, "begin")
        await agree(page)
        await expect(page.locator("#passkey")).to_be_visible(timeout=BACK_MS)
        template = await stand.admin.store.templates.get(CLIENT, "bob")
        given = open_consent(stand.admin.vault, template)
        assert given is not None
        assert (given.text_id, given.version, given.client) == ("lookgate", "1", CLIENT)
        await shot(page, "key")
        await page.click("#passkey")
        await expect(page.locator("#more")).to_be_visible()
        assert await stand.keys("bob") == ["passkey"]
        await shot(page, "more")

        await page.click("#app summary")
        await expect(page.locator("#qr")).to_be_visible()
        secret = await page.locator("#by_hand code").text_content()
        assert await page.locator("#qr").evaluate("(image) => image.naturalWidth > 100")
        await shot(page, "app")
        await page.fill("#code", pyotp.TOTP((secret or "").replace(" ", "")).now())
        await page.click("#coded button")
        await expect(page.locator("#says")).to_have_text("The app is added.")
        await page.click("#recovery summary")
        await expect(page.locator("#codes li")).to_have_count(10)
        await shot(page, "codes")
        await page.click("#device summary")
        await expect(page.locator("#link_qr")).to_be_visible()
        second = await page.locator("#link code").text_content()
        await shot(page, "device")
        await page.click("#end")
        await page.wait_for_url(APP, timeout=BACK_MS)
        # Another app of the same people: the passkey and the face that were made here log in there.
        assert await stand.log_in_at_desk(page) == ("bob", ("pop", "user", "face", "mfa"))
        answer = await page.goto(link)
        assert answer is not None
        assert answer.status == 410
        await shot(page, "over")
    # Another browser, whose device has no passkeys: the same face, and a key of its own.
    async with visitor(film) as page:
        await page.set_extra_http_headers({"Accept-Language": "de"})
        await page.goto(second or "")
        await expect(page.locator("h1")).to_have_text("Dieses Gerät für Lantern einrichten")
        await page.click("#start")
        await expect(page.locator("#browser_key")).to_be_visible(timeout=BACK_MS)
        await page.click("#browser_key")
        await expect(page.locator("#done")).to_be_visible()
        await expect(page.locator("#done")).to_have_text("Dieses Gerät ist eingerichtet.")
        assert await stand.keys("bob") == ["passkey", "webcrypto"]
        await shot(page, "second")
        await page.click("#end")
        await expect(page.locator("#says")).to_have_text("Sie können diese Seite schließen.")
        # From this one, which has a key now, another can be added at any time.
        await page.goto(f"{stand.site.server}/devices/{CLIENT}")
        await expect(page.locator("h1")).to_have_text("Weiteres Gerät für Lantern")
        await page.click("#named summary")
        await page.fill("#name", "bob")
        await shot(page, "own")
        await page.click("#named button")
        await expect(page.locator("#link code")).to_contain_text("/invite/", timeout=BACK_MS)
        await shot(page, "own-link")
    held = await stand.admin.store.authenticators.of_subject(CLIENT, "bob")
    assert len({key.user_handle for key in held}) == 1
    assert await stand.admin.store.recovery.left(CLIENT, "bob") == 10


async def test_who_does_not_agree_is_not_enrolled(stand: Stand, film: Path) -> None:
    link = await stand.link("eve", None)
    async with visitor(film) as page:
        await page.set_extra_http_headers({"Accept-Language": "de-DE,de;q=0.9"})
        await page.set_viewport_size({"width": 360, "height": 640})
        await page.goto(link)
        await expect(page.locator("#whose")).to_have_text("Für eve")
        await shot(page, "begin-de")
        await page.click("#start")
        await expect(page.locator(AGREE)).to_be_visible(timeout=BACK_MS)
        await shot(page, "consent-de")
        await page.reload()
        await expect(page.locator("#start")).to_be_visible()
        with pytest.raises(NotFound):
            await stand.admin.store.templates.get(CLIENT, "eve")
