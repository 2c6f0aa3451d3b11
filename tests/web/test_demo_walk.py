"""A person walks through the demo app in a real Chromium: register, enrol, log out, log in, leave.

Lookgate is played by a scripted session and a minted token; everything else is the real thing.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aioice.ice
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer, unused_port
from playwright.async_api import Page, async_playwright, expect

from tests.web.fake_lookgate import FakeLookgate, Line, only_loopback
from tests.web.pages import CHROMIUM, FLAGS, SHOTS, gathering
from tests.web.relying_app import ADA, SECRET, StandIn
from web.demo.app import make_app
from web.demo.config import Settings

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]


ASKED = {name: "x" for name in ("text_id", "version", "language", "sha256", "purpose", "body")}


@dataclass
class Walk:
    page: Page
    lookgate: StandIn
    channel: FakeLookgate
    app_url: str
    complaints: list[str]


@pytest_asyncio.fixture
async def walk(tmp_path: Path) -> AsyncIterator[Walk]:
    before = aioice.ice.get_host_addresses
    only_loopback()
    stand_in, channel = StandIn(), FakeLookgate()
    channel.consent = ASKED
    both = stand_in.app()
    channel.add_to(both)
    lookgate = TestServer(both, host="127.0.0.1")
    await lookgate.start_server()
    stand_in.url = str(lookgate.make_url("")).rstrip("/")
    settings = Settings(
        server=stand_in.url,
        public_server=stand_in.url,
        client="demo",
        secret=SECRET,
        port=unused_port(),
        database=tmp_path / "demo.sqlite3",
    )
    app = TestServer(make_app(settings), host="127.0.0.1", port=settings.port)
    await app.start_server()
    app_url = str(app.make_url("")).rstrip("/")
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = await browser.new_context(
            permissions=["camera"], viewport={"width": 900, "height": 900}
        )
        page = await context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda m: complaints.append(m.text))
        page.on("pageerror", lambda e: complaints.append(str(e)))
        yield Walk(page, stand_in, channel, app_url, complaints)
        await browser.close()
    await channel.close()
    await app.close()
    await lookgate.close()
    aioice.ice.get_host_addresses = before


async def shot(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=f"{SHOTS}/demo-{name}.png", full_page=True)


async def test_the_whole_way(walk: Walk) -> None:
    page, lookgate = walk.page, walk.lookgate

    async def accept(line: Line) -> None:
        await line.wait_for("hello")
        await gathering(line)
        line.say(
            "verdict",
            outcome="accepted",
            reasons=[],
            retry=False,
            token=lookgate.accept(),
            expires_in_s=60,
        )

    async def no_match(line: Line) -> None:
        await gathering(line)
        line.say("verdict", outcome="rejected", reasons=["no_match"], retry=True)

    walk.channel.script = accept
    await page.goto(walk.app_url + "/")
    await shot(page, "home")
    await page.get_by_role("link", name="Register").first.click()
    await page.get_by_label("Your name").fill("x")
    await page.get_by_role("button", name="Register").click()
    await expect(page.get_by_text("Use 3 to 32 letters")).to_be_visible()
    await shot(page, "register-wrong")
    for label, name in {
        "Your name": "name", "User name": "username", "E-mail": "email", "Phone": "phone",
        "Password": "password",
    }.items():  # fmt: skip
        await page.get_by_label(label, exact=True).fill(ADA[name])
    await page.get_by_role("button", name="Register").click()
    await expect(page).to_have_url(walk.app_url + "/enroll")
    await shot(page, "enroll")
    await page.get_by_role("button", name="Start").click()
    await expect(page.get_by_text("Please read this before")).to_be_visible()
    await shot(page, "consent")
    await page.get_by_role("button", name="I agree").click()
    await expect(page).to_have_url(walk.app_url + "/codes")
    await shot(page, "codes")
    await page.get_by_label("Your password").fill(ADA["password"])
    await page.get_by_role("button", name="Make recovery codes").click()
    code = await page.locator("ol.codes code").first.text_content()
    assert code is not None
    await shot(page, "codes-fresh")
    await page.get_by_role("link", name="I have kept them").click()
    await expect(page).to_have_url(walk.app_url + "/members")
    await expect(page.get_by_text("You are in: password and face.")).to_be_visible()
    await shot(page, "members")

    await page.get_by_role("button", name="Log out").click()
    await page.get_by_role("link", name="Log in").first.click()
    await page.get_by_label("User name").fill("ada")
    await page.get_by_label("Password").fill(ADA["password"])
    await shot(page, "login")
    await page.get_by_role("button", name="Next: your face").click()
    walk.channel.script = no_match
    await page.get_by_role("button", name="Start").click()
    await expect(page.get_by_text("Your face was not recognised.")).to_be_visible()
    await shot(page, "login-no-match")
    walk.channel.script = accept
    await page.get_by_role("button", name="Try again").click()
    await expect(page).to_have_url(walk.app_url + "/members")
    assert [s["purpose"] for s in lookgate.sessions] == ["enroll", "login", "login"]

    # Phone, dark.
    await page.set_viewport_size({"width": 320, "height": 700})
    await page.emulate_media(color_scheme="dark")
    await shot(page, "members-dark-320")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    await page.get_by_role("link", name="Make new codes").click()
    await page.get_by_label("Your password").fill(ADA["password"])
    await page.get_by_role("button", name="Make recovery codes").click()
    await shot(page, "codes-dark-320")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    code = await page.locator("ol.codes code").first.text_content()
    assert code is not None

    # Without the face.
    await page.get_by_role("button", name="Log out").click()
    await page.get_by_role("link", name="Log in").first.click()
    await page.get_by_role("link", name="Use a recovery code").click()
    await page.get_by_label("User name").fill("ada")
    await page.get_by_label("Password").fill(ADA["password"])
    await page.get_by_label("Recovery code").fill(code.upper().replace("-", " "))
    await shot(page, "recover-dark-320")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_text("You are in: password and recovery code.")).to_be_visible()
    await shot(page, "members-by-code")
    await page.get_by_label("Your password").fill(ADA["password"])
    await page.get_by_role("button", name="Delete my account").click()
    await expect(page).to_have_url(walk.app_url + "/")
    assert lookgate.removed == [lookgate.sessions[0]["subject"]]
    assert [c for c in walk.complaints if not _expected(c)] == []


async def test_a_token_that_the_app_refuses_is_told(walk: Walk) -> None:
    page, lookgate = walk.page, walk.lookgate

    async def wrong(line: Line) -> None:
        await gathering(line)
        token = lookgate.token(lookgate.claims(nonce="another-apps-nonce"))
        line.say(
            "verdict", outcome="accepted", reasons=[], retry=False, token=token, expires_in_s=60
        )

    walk.channel.script = wrong
    await page.goto(walk.app_url + "/register")
    for name, value in ADA.items():
        await page.locator(f"#{name}").fill(value)
    await page.get_by_role("button", name="Register").click()
    await page.get_by_role("button", name="Start").click()
    await page.get_by_role("button", name="I agree").click()
    await expect(page.get_by_text("The proof of your face login is not valid.")).to_be_visible()
    await shot(page, "refused-token")


def _expected(complaint: str) -> bool:
    """Chromium logs every answer of 400 and more by itself, the form's 422 too."""
    return bool(re.match(r"Failed to load resource: .* 422", complaint))
