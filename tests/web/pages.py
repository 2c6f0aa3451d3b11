"""Pages with the <face-login> element in a real Chromium, before a scripted server.

What the tests of the element share: the bench, the clicks, what a page saw. Import `bench` and
`clean` as fixtures. Screenshots go to $LOOKGATE_SCREENSHOTS when that is set.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aioice.ice
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.web.fake_lookgate import TICKET, WELCOME, FakeLookgate, Line, only_loopback

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
expect.set_options(timeout=10_000)  # the machine may be busy with other tests
SHOTS = os.environ.get("LOOKGATE_SCREENSHOTS")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-fake-device-for-media-stream=device-count=2,fps=15", "--disable-features=Translate",
]  # fmt: skip
# As strict as a careful page's: nothing inline, nothing but the server's modules and offers.
CSP = (
    "default-src 'none'; script-src 'self' {0}; connect-src 'self' {0}; style-src 'self'; "
    "require-trusted-types-for 'script'"
)
EVENTS = ["success", "failure", "error", "phase", "hint", "cancel", "retry"]
KEEP = """
window.seen = []; window.tracks = []; window.logged = []; window.calls = 0;
for (const name of NAMES)
  document.addEventListener('face-login:' + name, (e) => seen.push([name, e.detail]));
if (navigator.mediaDevices) {
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (c) => {
    window.calls++;
    if (window.refuseWith) throw new DOMException('no', window.refuseWith);
    const stream = await real(c);
    window.tracks.push(...stream.getTracks());
    return stream;
  };
}
""".replace("NAMES", json.dumps(EVENTS))


@dataclass
class Bench:
    browser: Browser
    server: FakeLookgate
    server_url: str
    app_url: str
    app: dict[str, Any]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bench() -> AsyncIterator[Bench]:
    before = aioice.ice.get_host_addresses
    only_loopback()
    fake = FakeLookgate()
    server = TestServer(fake.app(), host="127.0.0.1")
    await server.start_server()
    server_url = str(server.make_url("")).rstrip("/")
    state: dict[str, Any] = {"html": "", "posts": [], "session": None}

    async def page(request: web.Request) -> web.Response:
        return web.Response(
            text=state["html"],
            content_type="text/html",
            headers={"Content-Security-Policy": CSP.format(server_url)},
        )

    async def around(request: web.Request) -> web.Response:
        return web.Response(text=state["around"], content_type="text/html")

    async def session(request: web.Request) -> web.Response:
        state["posts"].append((dict(request.headers), await request.json()))
        return state["session"]() if state["session"] else web.json_response(ticket(server_url))

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/around", around)
    app.router.add_post("/session", session)
    app_server = TestServer(app, host="127.0.0.1")
    await app_server.start_server()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        app_url = str(app_server.make_url("")).rstrip("/")
        yield Bench(browser, fake, server_url, app_url, state)
        await browser.close()
    await fake.close()
    await app_server.close()
    await server.close()
    aioice.ice.get_host_addresses = before


def ticket(server_url: str) -> dict[str, Any]:
    return {
        "server": server_url,
        "session": "s1",
        "ticket": TICKET,
        "ice_servers": [],
        "consent": False,
    }


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def clean(bench: Bench) -> AsyncIterator[None]:
    bench.server.script, bench.server.refuse, bench.server.pongs = None, None, True
    bench.server.line.clear()
    bench.server.lines.clear()
    bench.server.offers.clear()
    bench.server.consent, bench.server.asked = None, []
    bench.app.update(posts=[], session=None)
    yield
    for context in bench.browser.contexts:
        await context.close()
    await bench.server.close()


GIVEN = f'<face-login purpose="login" session="s1" ticket="{TICKET}"></face-login>'
"""A page with one ticket and no way to another."""


async def open_page(
    bench: Bench,
    tag: str = '<face-login purpose="login" session-url="/session"></face-login>',
    *,
    camera: bool = True,
    refuse_with: str = "",
    below: str = "",
    **context: Any,
) -> Page:
    bench.app["html"] = (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width">'
        '<meta name=color-scheme content="light dark">'
        f'<script type=module src="{bench.server_url}{below}/web/face-login.js"></script>{tag}'
    )
    ctx: BrowserContext = await bench.browser.new_context(
        permissions=["camera"] if camera else [],
        **{"viewport": {"width": 420, "height": 700}, **context},
    )
    await ctx.add_init_script(KEEP + f"window.refuseWith = {json.dumps(refuse_with)};")
    page = await ctx.new_page()
    page.set_default_timeout(10_000)
    page.complaints = []  # type: ignore[attr-defined]
    page.on("console", lambda m: page.complaints.append(m.text))  # type: ignore[attr-defined]
    page.on("pageerror", lambda e: page.complaints.append(str(e)))  # type: ignore[attr-defined]
    await page.goto(bench.app_url + "/")
    await until(page, "customElements.get('face-login') !== undefined")
    return page


async def until(page: Page, expression: str) -> None:
    # Page.wait_for_function needs eval, which the page's CSP forbids.
    async with asyncio.timeout(10):
        while not await page.evaluate(expression):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def state_is(page: Page, state: str) -> None:
    await until(page, f"document.querySelector('face-login').state === '{state}'")


async def camera_is_off(page: Page) -> None:
    await until(page, "tracks.length > 0 && tracks.every(t => t.readyState === 'ended')")


async def shot(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=f"{SHOTS}/{name}.png")


async def seen(page: Page, name: str) -> list[Any]:
    return [detail for kind, detail in await page.evaluate("seen") if kind == name]


def says(page: Page) -> Any:
    return page.locator("face-login [role=status]")


async def framing(line: Line) -> None:
    line.say(**renamed(WELCOME))
    line.say("phase", phase="framing")


def renamed(message: dict[str, Any]) -> dict[str, Any]:
    fields = dict(message)
    return {"kind": fields.pop("type"), **fields}


async def gathering(line: Line) -> None:
    await framing(line)
    line.say("phase", phase="gathering")
    line.say("progress", fraction=0.6)


def ending(outcome: str, **fields: Any) -> Any:
    async def script(line: Line) -> None:
        await line.wait_for("hello")
        await gathering(line)
        line.say("phase", phase=outcome)
        line.say("verdict", outcome=outcome, **{"reasons": [], "retry": False, **fields})

    return script
