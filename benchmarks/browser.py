"""Logins from a real Chromium: the <face-login> element on a page of the relying app's origin.

The camera is a film that Chromium plays (tests/e2e/cameras.py). Not here: what is made of the
numbers (numbers.py), the relying app's other duties (web/demo).
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from playwright.async_api import BrowserContext, async_playwright

from benchmarks.caller import ROOM_S, Film, starts
from benchmarks.numbers import Call
from benchmarks.serving import CLIENT, Server
from tests.e2e.cameras import mjpeg, person

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
]  # fmt: skip
LOGIN_MS = 40_000
READ_S = 2.0
"""Between a page and its login: nobody presses the button sooner, and its modules have loaded."""
PAGE = """<!doctype html><title>login</title>
<script type="module" src="{server}/web/face-login.js"></script>
<face-login purpose="login" server="{server}" session-url="/session"></face-login>"""
LOGIN = """async () => {
  await customElements.whenDefined('face-login');
  const element = document.querySelector('face-login');
  const began = performance.now();
  const [kind, detail] = await new Promise((done) => {
    for (const kind of ['success', 'failure', 'error'])
      element.addEventListener('face-login:' + kind, (event) => done([kind, event.detail ?? {}]));
    element.start();
  });
  const ended = performance.now();
  const offer = performance.getEntriesByType('resource').find((e) => e.name.endsWith('/offer'));
  return {
    kind, outcome: detail.outcome, reasons: detail.reasons ?? (detail.code ? [detail.code] : []),
    ready: offer && offer.startTime - began, answer: offer && offer.responseEnd - offer.startTime,
    verdict: offer && ended - offer.startTime,
  };
}"""


class NoBrowser(Exception):
    """There is no Chromium on this machine."""


async def logins(server: Server, film: Film, count: int, folder: Path) -> list[Call]:
    """One after the other in one browser, a fresh page each, whose camera begins elsewhere in the
    film. Raises NoBrowser."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise NoBrowser("no chromium on the PATH")
    calls: list[Call] = []
    sessions: list[str] = []
    camera = folder / "camera.mjpeg"
    async with _relying_app(server, film.subject, sessions), async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            str(folder / "profile"),
            executable_path=chromium,
            headless=False,
            args=[*FLAGS, f"--use-file-for-fake-video-capture={camera}"],
            ignore_default_args=["--headless", "--mute-audio"],
        )
        try:
            for start_s in starts(count, film.seconds):
                images = person(film.clip, start_s=film.start_s + start_s, seconds=ROOM_S)
                # Chromium opens the file anew for every page that asks for a camera.
                await asyncio.to_thread(mjpeg, images, camera)
                calls.append(await _login(context, server.origin, sessions))
            return calls
        finally:
            await context.close()


async def _login(context: BrowserContext, origin: str, sessions: list[str]) -> Call:
    page = await context.new_page()
    page.set_default_timeout(LOGIN_MS)
    try:
        await page.goto(origin)
        await asyncio.sleep(READ_S)
        async with asyncio.timeout(LOGIN_MS / 1000):
            told = await page.evaluate(LOGIN)
    except TimeoutError:
        return Call(sessions[-1] if sessions else "", "error", ("browser_timeout",))
    finally:
        await page.close()
    outcome = {"success": "accepted", "error": "error"}.get(told["kind"], told["outcome"])
    return Call(
        sessions[-1][:8],
        outcome,
        tuple(told["reasons"]),
        told["answer"],
        told["verdict"],
        told["ready"],
    )


@asynccontextmanager
async def _relying_app(server: Server, subject: str, sessions: list[str]) -> AsyncIterator[None]:
    """The least that a page needs: itself, and its session from the client's backend."""
    auth = {"Authorization": aiohttp.encode_basic_auth(CLIENT, server.secret)}

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=PAGE.format(server=server.url), content_type="text/html")

    async with aiohttp.ClientSession(headers=auth) as http:

        async def session(request: web.Request) -> web.Response:
            wish = {"purpose": "login", "subject": subject, "nonce": secrets.token_urlsafe(24)}
            async with http.post(f"{server.url}/v1/sessions", json=wish) as answer:
                made = await answer.json()
                sessions.append(str(made.get("session", ""))[:8])
                return web.json_response(made, status=answer.status)

        app = web.Application()
        app.router.add_get("/", page)
        app.router.add_post("/session", session)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", urlsplit(server.origin).port).start()
        try:
            yield
        finally:
            await runner.cleanup()
