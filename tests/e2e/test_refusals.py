"""Every refusal of HTTP is readable by a page of another origin, in a real Chromium.

The browser reads what CORS lets it read (Fetch standard section 3.2): a code that a page cannot
read here would be "the server cannot be reached" to the person. Real server, store and sockets;
nobody behind the offers. Not here: what each refusal is for (tests/server/http).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession, web
from playwright.async_api import Page

from server.http import listening, middleware, requests, routes
from server.http.connections import Connections
from server.http.requests import PARTS
from server.limits import Buckets
from server.parts import Parts
from server.problems import KINDS
from server.rtc.lines import CODES
from server.session.occupancy import Holder
from server.store.port import Broken, Unavailable
from server.store.tries import IN_ALL
from tests.e2e.site import CHROMIUM, ROOT, browser
from tests.pipeline.observations import Camera
from tests.server.http.asking import AUTH, NONCE
from tests.server.stage import (
    CLIENT,
    change_client,
    close_parts,
    enrolled,
    failed,
    make_parts,
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]
HERE = "127.0.0.1"
HTTP = web.AppKey("http", ClientSession)
SDP = ROOT / "tests" / "vectors" / "sdp"
GOOD_SDP = (SDP / "chromium.sdp").read_bytes().decode()
FETCH = """async ([url, init]) => {
  try {
    const answer = await fetch(url, init);
    return [answer.status, await answer.json(), answer.headers.get('Retry-After')];
  } catch (error) {
    return [0, {error: {code: String(error), retry: false}}, null];
  }
}"""


@dataclass
class World:
    """A page of one origin, a server of another, and what may be changed about it."""

    page: Page
    parts: Parts
    server: str
    app: str
    patch: pytest.MonkeyPatch = field(default_factory=pytest.MonkeyPatch)

    async def ask(self, path: str, method: str = "GET", **init: Any) -> tuple[int, str]:
        """Status and code of a refusal, as the page reads them."""
        url = path if path.startswith("http") else self.server + path
        given = [url, {"method": method, **init}]
        status, body, retry_after = await self.page.evaluate(FETCH, given)
        if "error" not in body:
            return status, ""
        later = status in (429, 503) and body["error"]["retry"]
        assert bool(retry_after) == later, "Retry-After is not readable"
        return status, body["error"]["code"]

    async def open(self, **fields: Any) -> dict[str, Any]:
        """A session, as the backend gets it."""
        body = {"purpose": "login", "subject": "ann", "nonce": NONCE, **fields}
        made: dict[str, Any] = await self.page.evaluate(
            "async ([url, init]) => (await (await fetch(url, init)).json())",
            [f"{self.app}/backend", {"method": "POST", "body": json.dumps(body)}],
        )
        return made

    async def offer(
        self,
        sdp: str = "v=0",
        *,
        made: dict[str, Any] | None = None,
        body: str | None = None,
        server: str = "",
        **headers: str,
    ) -> tuple[int, str]:
        """What a page's offer ends with."""
        made = made or await self.open()
        given = {"Authorization": f"Bearer {made['ticket']}", "Content-Type": "application/json"}
        return await self.ask(
            f"{server}/v1/sessions/{made['session']}/offer",
            "POST",
            headers=given | {name.replace("_", "-"): text for name, text in headers.items()},
            body=json.dumps({"type": "offer", "sdp": sdp}) if body is None else body,
        )

    async def create(self, **fields: Any) -> tuple[int, str]:
        """What a page gets that does the backend's work itself."""
        body = json.dumps({"purpose": "login", "subject": "ann", "nonce": NONCE, **fields})
        return await self.ask("/v1/sessions", "POST", headers=AUTH, body=body)

    def fail(self, error: Exception) -> None:
        """The store's next reads of sessions fail."""

        async def failing(*_: object) -> Any:
            raise error

        self.patch.setattr(type(self.parts.store.sessions), "get", failing)


Provoke = Callable[[World], Awaitable[tuple[int, str]]]


async def _used(world: World) -> tuple[int, str]:
    made = await world.open()
    assert await world.offer(GOOD_SDP, made=made) == (200, "")
    return await world.offer(GOOD_SDP, made=made)


async def _beside(world: World, *holders: Holder) -> tuple[int, str]:
    """An offer while these have places."""
    occupancy, now_s = world.parts.opening.admission.occupancy, world.parts.clock()
    places = [occupancy.enter(holder, now_s) for holder in holders]
    try:
        return await world.offer(GOOD_SDP)
    finally:
        for place in places:
            place.give_back()


def _busy(world: World) -> Awaitable[tuple[int, str]]:
    most = world.parts.settings.max_sessions
    return _beside(world, *(Holder(CLIENT, f"person{n}", "10.0.0.1") for n in range(most)))


def _everywhere(world: World) -> Awaitable[tuple[int, str]]:
    room = replace(world.parts.opening.admission.occupancy.room, subject_addresses=1)
    world.patch.setattr(world.parts.opening.admission.occupancy, "room", room)
    return _beside(world, Holder(CLIENT, "ann", "10.0.0.1"))


async def _failed(world: World) -> tuple[int, str]:
    made = await world.open(subject="eve")
    for _ in range(5):
        await failed(world.parts, "eve")
    return await world.offer(GOOD_SDP, made=made)


async def _changed(world: World) -> tuple[int, str]:
    """Somebody writes the database, and has not the master key."""
    clients = world.parts.store.clients
    made, was = await world.open(), await clients.get(CLIENT)
    await clients.change(was, replace(was, origins=(*was.origins, "https://evil.example")))
    return await world.offer(made=made)


async def _disabled(world: World) -> tuple[int, str]:
    clock: Any = world.parts.clock
    for _ in range(IN_ALL):
        await failed(world.parts, "eve")
        clock.s += 1000.0  # longer than the longest wait
    return await world.offer(GOOD_SDP, made=await world.open(subject="eve"))


async def _slow(world: World) -> tuple[int, str]:
    """Something on the way holds the end of the body back."""
    world.patch.setattr(requests, "BODY_S", 0.2)
    port = int(world.server.rpartition(":")[2])

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(HERE, port)
        answers = asyncio.create_task(_copy(back, writer))
        posting = False
        while data := await reader.read(65536):
            posting = posting or data.startswith(b"POST")
            forth.write(data[:-1] if posting else data)
        forth.close()
        await answers

    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async with await asyncio.start_server(relay, HERE, 0) as dam:
        server = f"http://{HERE}:{dam.sockets[0].getsockname()[1]}"
        return await world.offer(server=server)


async def _crowded(world: World) -> tuple[int, str]:
    """A server that has no connection to spare."""
    runner = web.AppRunner(_app(world.parts))
    await runner.setup()
    site = listening.Site(runner, HERE, 0, connections=Connections(0, 0), proxied=False)
    await site.start()
    try:
        return await world.ask(f"http://{HERE}:{runner.addresses[0][1]}/healthz")
    finally:
        await runner.cleanup()


async def _limited(world: World) -> tuple[int, str]:
    world.parts.rates.buckets["address"] = Buckets(0.01, 1.0)
    await world.parts.rates.take(("address", HERE))
    return await world.offer()


async def _unasked(world: World) -> tuple[int, str]:
    """A page of before that asks nobody for a consent."""
    return await world.offer(GOOD_SDP, made=await world.open(purpose="enroll"))


async def _elsewhere(world: World) -> tuple[int, str]:
    await change_client(world.parts, origins=("https://shop.example",))
    return await world.offer()


async def _unopened(world: World) -> tuple[int, str]:
    made = await world.open()
    world.parts.opened.clear()
    return await world.offer(made=made)


async def _stopping(world: World) -> tuple[int, str]:
    made = await world.open()
    world.parts.peers.stopping = True
    return await world.offer(made=made)


def _failing(error: Exception) -> Provoke:
    async def provoke(world: World) -> tuple[int, str]:
        made = await world.open()
        world.fail(error)
        return await world.offer(made=made)

    return provoke


def _sdp(name: str) -> Provoke:
    return lambda world: world.offer((SDP / "faults" / f"{name}.sdp").read_bytes().decode())


FAULTS: dict[str, str] = json.loads((SDP / "faults" / "expected.json").read_text())
PROVOKE: dict[str, Provoke] = {
    "request_malformed": lambda world: world.offer(body="{"),
    "request_invalid": lambda world: world.offer(body='{"type": "offer"}'),
    "request_too_large": lambda world: world.offer("x" * 200_000),
    "request_too_slow": _slow,
    "request_encoded": lambda world: world.offer(Content_Encoding="gzip"),
    "request_bad": lambda world: world.ask("/" + "x" * 9000),
    "not_found": lambda world: world.offer(server=world.server + "/below"),
    "method_not_allowed": lambda world: world.ask("/v1/sessions/x/offer"),
    "client_unauthorized": lambda world: world.ask("/v1/sessions", "POST", body="{}"),
    "metrics_forbidden": lambda world: world.ask("/metrics"),
    "origin_not_allowed": _elsewhere,
    "session_unknown": lambda world: world.ask("/v1/sessions/x", headers=AUTH),
    "subject_enrolled": lambda world: world.create(purpose="enroll", subject="bob"),
    "consent_needed": _unasked,
    "ticket_invalid": lambda world: world.offer(made={"session": "x", "ticket": "x" * 43}),
    "ticket_used": _used,
    "too_many_requests": _limited,
    "too_many_connections": _crowded,
    "too_many_failures": _failed,
    "face_disabled": _disabled,
    "client_changed": _changed,
    "too_many_sessions": _everywhere,
    "busy": _busy,
    "store_unavailable": _failing(Unavailable()),
    "store_broken": _failing(Broken("the database", "x")),
    "server_stopping": _stopping,
    "not_ready": _unopened,
    "internal": _failing(RuntimeError("s3cret")),
    "sdp_too_large": lambda world: world.offer("v=0\r\n" + "a=x\r\n" * 14_000),
} | {code: _sdp(name) for name, code in FAULTS.items()}


def _app(parts: Parts) -> web.Application:
    app = web.Application(middlewares=[listening.begun, middleware.headers, middleware.errors])
    app[PARTS] = parts
    routes.add(app)
    return app


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def page() -> AsyncIterator[Page]:
    async with browser() as context:
        yield context.pages[0]


@pytest_asyncio.fixture(loop_scope="module")
async def world(page: Page, tmp_path: Path) -> AsyncIterator[World]:
    parts, _ = await make_parts(tmp_path, Camera(), rtc_addresses=HERE, max_sessions="2")
    await enrolled(parts, "bob", 1)
    runner = web.AppRunner(_app(parts), shutdown_timeout=0.1)
    await runner.setup()
    await listening.Site(runner, HERE, 0, connections=Connections(50, 50), proxied=False).start()
    server = f"http://{HERE}:{runner.addresses[0][1]}"

    async def backend(request: web.Request) -> web.Response:
        async with request.app[HTTP].post(
            f"{server}/v1/sessions", data=await request.read(), headers=AUTH
        ) as answer:
            return web.Response(body=await answer.read(), content_type="application/json")

    app = web.Application()
    app.router.add_get(
        "/", lambda _: web.Response(text="<!doctype html>", content_type="text/html")
    )
    app.router.add_post("/backend", backend)
    async with ClientSession() as http:
        app[HTTP] = http
        app_runner = web.AppRunner(app, shutdown_timeout=0.1)
        await app_runner.setup()
        await web.TCPSite(app_runner, HERE, 0).start()
        url = f"http://{HERE}:{app_runner.addresses[0][1]}"
        await change_client(parts, origins=(url,))
        await page.goto(url)
        found = World(page, parts, server, url)
        yield found
        found.patch.undo()
        await app_runner.cleanup()
    await runner.cleanup()
    await close_parts(parts)


@pytest.mark.parametrize("code", sorted(PROVOKE))
async def test_a_page_of_another_origin_reads_the_refusal(world: World, code: str) -> None:
    kind = KINDS.get(code)
    assert await PROVOKE[code](world) == (kind.status if kind else 400, code)


ELSEWHERE = [
    path.read_text("utf-8")
    for folder in ("http/oidc", "http/login", "http/invite", "oidc")
    for path in sorted((ROOT / "tests" / "server" / folder).glob("test_*.py"))
]
"""OpenID Connect has its own pages and answers, and tests of them."""


async def test_every_code_of_the_protocol_is_tried() -> None:
    codes = set(KINDS) | set(CODES)
    assert set(PROVOKE) <= codes
    untold = {
        code for code in codes - set(PROVOKE) if not any(f'"{code}"' in text for text in ELSEWHERE)
    }
    assert untold == set()
