"""A slow line to the server, with a real Chromium: it ends in a verdict, or in a sentence that
names the connection."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Route

from models.clips import ClipMissing
from server.tools.caller.attempt import attempt
from tests.e2e import cameras
from tests.e2e.cameras import person, timed
from tests.e2e.site import CHROMIUM, Site, browser, first_page, hear_any, running
from tests.e2e.uplink import SlowLine, through

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium here"),
]

START = """async ([server, session, ticket]) => {
    await import(server + '/web/face-login.js');
    const element = document.createElement('face-login');
    for (const [name, value] of Object.entries({ server, session, ticket }))
        element.setAttribute(name, value);
    document.body.append(element);
    element.setAttribute('lang', 'en');
    element.start();
}"""
SAID = "document.querySelector('face-login').shadowRoot.textContent"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    try:
        first = list(itertools.islice(person("cap12"), 180))
    except ClipMissing as missing:
        pytest.skip(f"recordings cannot be had: {missing}")
    async with running(tmp_path_factory.mktemp("slow")) as site:
        enrolled = await attempt(
            server_url=site.server,
            client_id="demo",
            secret=site.secret(),
            purpose="enroll",
            subject="owner",
            video=timed(iter(first), cameras.FPS),
        )
        assert enrolled.verdict["outcome"] == "accepted"
        yield site


async def ticket(site: Site) -> tuple[str, str]:
    """Session and ticket of a login."""
    auth = aiohttp.encode_basic_auth("demo", site.secret())
    asked = {"purpose": "login", "subject": "owner", "nonce": "n" * 24}
    async with (
        aiohttp.ClientSession() as http,
        http.post(
            f"{site.server}/v1/sessions", json=asked, headers={"Authorization": auth}
        ) as answer,
    ):
        opened = await answer.json()
    return opened["session"], opened["ticket"]


@pytest.mark.parametrize("kbps", [100, 200, 300])
async def test_a_slow_line_ends_in_a_verdict_or_names_itself(
    site: Site, tmp_path: Path, kbps: int
) -> None:
    lines: list[SlowLine] = []

    async def slowly(route: Route) -> None:
        answer = await route.fetch()
        body = await answer.json()
        body["sdp"], line = await through(body["sdp"], kbps)
        lines.append(line)
        await route.fulfill(response=answer, json=body)

    camera = cameras.mjpeg(person("cap13"), tmp_path / "camera.mjpeg")
    async with browser(camera) as context:
        page = await first_page(context)
        await context.route("**/offer", slowly)
        await page.goto(f"{site.app}/healthz")  # the client's origin, and no policy against ours
        await page.evaluate(START, [site.server, *await ticket(site)])
        events = await hear_any(page, "success", "failure", "error")
        said = await page.evaluate(SAID)
    for line in lines:
        line.close()
    assert lines
    assert lines[0].dropped > 0, "the line was not slow"
    if "success" not in [kind for kind, _ in events]:
        assert "connection is slow" in said, said
