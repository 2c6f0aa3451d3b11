"""A known device in real browsers, where the server is another site than the page.

Its cookie is a third party's there, kept apart for each site (CHIPS), and it still gives its person
a counter of their own. The page runs the widget's modules; the server is the real one, and the
verdict before it is written into its store. Source: docs/protocol.md, "Known devices".
"""

from __future__ import annotations

import datetime
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.async_api import async_playwright

from server.http import middleware, routes
from server.http.requests import PARTS
from server.parts import Parts
from server.people.devices import cookie_name
from server.store.tries import IN_A_ROW, Kind
from tests.pipeline.observations import Camera
from tests.server.http.asking import AUTH, NONCE
from tests.server.stage import (
    CLIENT,
    change_client,
    claimed,
    close_parts,
    enrolled,
    failed,
    make_parts,
)
from tests.web.firefox import FIREFOX, firefox
from tests.web.pages import CHROMIUM, FLAGS

WIDGET = Path(__file__).parents[2] / "web" / "widget"
SHOP, OTHER, FACE = "shop.example", "other.example", "face.example"
NAME = cookie_name(CLIENT, "ann", secure=True)
PAGE = """<!doctype html><title>page</title><script type="module" src="/page.js"></script>"""
MODULE = """
import { keepDevice } from '/widget/device.js';
import { Connection } from '/widget/connection.js';
const plain = window.fetch.bind(window);
let tell = () => undefined;
window.fetch = async (...asked) => {
  const answer = await plain(...asked);
  tell(answer.status);
  return answer;
};
const status = () => new Promise((resolve) => { tell = resolve; });
window.keep = (base, word) => { const told = status(); keepDevice(base, word); return told; };
window.offer = (ticket) => {
  const told = status(), stream = document.createElement('canvas').captureStream(1);
  const ends = { onmessage() {}, onfault() {} };
  new Connection({ ticket, stream, track: stream.getVideoTracks()[0], hello: {}, ...ends }).open();
  return told;
};
"""
LOADED = """(async () => {
  while (!window.offer) await new Promise((go) => setTimeout(go, 20));
})()"""


def certificate(folder: Path) -> ssl.SSLContext:
    """For the three names, by nobody."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    names = [x509.DNSName(host) for host in (SHOP, OTHER, FACE)]
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "both.pem"
    path.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, *plain))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


@dataclass
class Site:
    """A server and two relying apps' pages, all of other sites."""

    parts: Parts
    server: str
    shop: str
    other: str

    async def ticket(self) -> dict[str, Any]:
        """Of a new login of ann's, as her page gets it."""
        wish = {"purpose": "login", "subject": "ann", "nonce": NONCE}
        port = self.server.rpartition(":")[2]
        async with (
            aiohttp.ClientSession() as http,
            http.post(
                f"https://127.0.0.1:{port}/v1/sessions", json=wish, headers=AUTH, ssl=False
            ) as answer,
        ):
            made: dict[str, Any] = await answer.json()
        return {**made, "server": self.server}

    async def counted(self, kind: Kind) -> list[int]:
        """What each counter of ann's of this kind has."""
        held = await self.parts.store.tries.of_subject(CLIENT, "ann")
        return [one.tally.n for one in held if one.counter.kind is kind]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    tls, port = certificate(tmp_path), unused_port()
    app = TestServer(_pages(), scheme="https", host="127.0.0.1")
    await app.start_server(ssl=tls)
    server = f"https://{FACE}:{port}"
    told: dict[str, Any] = {"public_url": server, "rtc_addresses": "127.0.0.1", "max_sessions": "4"}
    parts, _ = await make_parts(tmp_path, Camera(), **told)
    there = web.Application(middlewares=[middleware.headers, middleware.errors])
    there[PARTS] = parts
    routes.add(there)
    face = TestServer(there, scheme="https", host="127.0.0.1", port=port)
    await face.start_server(ssl=tls)
    made = Site(parts, server, f"https://{SHOP}:{app.port}", f"https://{OTHER}:{app.port}")
    await change_client(parts, origins=(made.shop, made.other))
    await enrolled(parts, "ann", 1)
    yield made
    await close_parts(parts)
    await app.close()
    await face.close()


def _pages() -> web.Application:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def module(_: web.Request) -> web.Response:
        return web.Response(text=MODULE, content_type="text/javascript")

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/page.js", module)
    app.router.add_static("/widget", WIDGET)
    return app


class Browser(Protocol):
    """What both can do."""

    async def goto(self, url: str) -> Any: ...

    async def evaluate(self, script: str) -> Any: ...


async def has_its_own_counter(site: Site, browser: Browser) -> None:
    """From the verdict's word to a login while strangers have locked the person."""
    parts = site.parts
    won = await claimed(parts, "login", "ann")
    await parts.store.endings.accept(won.session_id, at=parts.now(), subject="ann")
    told = json.dumps(
        [f"{site.server}/v1/sessions/{won.session_id}", parts.opening.lockout.word(won)]
    )
    await browser.goto(site.shop)
    await browser.evaluate(LOADED)
    assert await browser.evaluate(f"keep(...{told})") == 204
    await failed(parts, "ann", IN_A_ROW)
    assert await site.counted(Kind.STRANGERS) == [IN_A_ROW]
    for page, status, own in ((site.other, 429, 0), (site.shop, 200, 1)):
        await browser.goto(page)
        await browser.evaluate(LOADED)
        ticket = json.dumps(await site.ticket())
        assert await browser.evaluate(f"offer({ticket})") == status
        assert await site.counted(Kind.DEVICE) == [own]
    assert await site.counted(Kind.STRANGERS) == [IN_A_ROW]


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")
async def test_chromium_keeps_the_cookie_for_one_site_and_sends_it_there(site: Site) -> None:
    flags = [*FLAGS, "--ignore-certificate-errors", "--test-third-party-cookie-phaseout"]
    names = (
        f"--host-resolver-rules=MAP {SHOP} 127.0.0.1, MAP {OTHER} 127.0.0.1, MAP {FACE} 127.0.0.1"
    )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*flags, names])
        context = await browser.new_context(ignore_https_errors=True)
        await has_its_own_counter(site, await context.new_page())
        kept: list[Any] = [one for one in await context.cookies() if one.get("name") == NAME]
        await browser.close()
    assert [(one["sameSite"], one["secure"], one["httpOnly"]) for one in kept] == [
        ("None", True, True)
    ]
    assert kept[0]["partitionKey"].startswith(f"https://{SHOP}")


@pytest.mark.skipif(not FIREFOX, reason="no Firefox on this machine")
async def test_firefox_keeps_the_cookie_for_one_site_and_sends_it_there(site: Site) -> None:
    async with firefox(SHOP, OTHER, FACE) as browser:
        await has_its_own_counter(site, browser)
        kept = [one for one in await browser.cookies(site.shop) if one["name"] == NAME]
        assert [(one["sameSite"], one["secure"], one["httpOnly"]) for one in kept] == [
            ("none", True, True)
        ]
        assert not [one for one in await browser.cookies(site.other) if one["name"] == NAME]
