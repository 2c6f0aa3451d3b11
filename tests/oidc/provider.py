"""Our provider on a port of loopback, for clients that nobody here wrote; nobody looks at a camera.

Real routes, store and keys. The person stands in for: whoever comes to the login page is finished
in process, as the page does it after passkey and face (tests/e2e/test_login_page.py has those).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urljoin, urlsplit

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from pipeline.nets.embed import Embedder
from server.app import build
from server.http import middleware, routes
from server.http.requests import PARTS
from server.life import open_parts
from server.oidc.login import finish
from server.parts import Parts
from server.store.port import Client
from server.store.relying import RelyingParty
from tests.pipeline.observations import Camera
from tests.server.stage import add_client, close_parts, settings

SECRET = "s3cret-with_both.kinds-0123456789abcdef0123"
"""Its characters tell a client that form-encodes (RFC 6749 section 2.3.1) from one that does not.
"""
NPM = Path(__file__).with_name("npm")
NODE = shutil.which("node") or str(Path(sys.executable).with_name("node"))
HOPS = 20
UP_S = 60.0


def free_port() -> int:
    """One of loopback."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class Provider:
    """A provider that answers at `issuer`."""

    issuer: str
    parts: Parts

    async def register(self, client_id: str, relying: RelyingParty, secret: str = SECRET) -> None:
        """As `lookgate client add` does."""
        client = Client(
            client_id=client_id,
            secret_hash=hashlib.sha256(secret.encode()).digest(),
            origins=(),
            policy="standard",
            created_at=self.parts.now(),
            relying=relying,
        )
        await add_client(self.parts, client)

    async def logged_in(self, url: str) -> str:
        """Where the browser goes from the login page, after ann showed passkey and face."""
        store, now = self.parts.store, self.parts.now()
        login = await store.logins.get(url.rpartition("/login/")[2], now)
        location = await finish(
            store,
            login,
            client=await store.clients.get(login.client_id),
            subject="ann",
            shown=("key", "face"),
            auth_time=now,
            liveness=["passive"],
            issuer=self.issuer,
            now=now,
        )
        assert location.response_mode == "query"
        return location.href

    async def walk(self, url: str, until: str | None = None) -> tuple[str, int, str]:
        """A browser goes to `url` and after every redirect, through the login page, to the last
        page or to an address that begins with `until`: its address, status and text."""
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as browser:
            for _ in range(HOPS):
                if until is not None and url.startswith(until):
                    return url, 0, ""
                async with browser.get(url, allow_redirects=False) as answer:
                    if answer.status not in (301, 302, 303, 307):
                        return url, answer.status, await answer.text()
                    url = urljoin(url, answer.headers["Location"])
                if url.startswith(f"{self.issuer}/login/"):
                    url = await self.logged_in(url)
        raise AssertionError(f"redirected {HOPS} times")


def answer_in(url: str) -> dict[str, str]:
    """The parameters that an address brings."""
    return dict(parse_qsl(urlsplit(url).query))


@asynccontextmanager
async def providing(folder: Path) -> AsyncIterator[Provider]:
    """A provider. Its clocks are real ones, because clients look at theirs."""
    port = free_port()
    issuer = f"http://localhost:{port}"
    here = settings(folder, public_url=issuer, port=str(port), rtc_addresses="127.0.0.1")
    camera = Camera()
    parts = build(here, lambda frame, ask: camera.shot(ask), embedder=Embedder("test", 128))
    await open_parts(parts)
    app = web.Application(middlewares=[middleware.headers, middleware.errors])
    app[PARTS] = parts
    routes.add(app)
    try:
        async with TestServer(app, host="127.0.0.1", port=port):
            yield Provider(issuer, parts)
    finally:
        await close_parts(parts)


@asynccontextmanager
async def node(script: str, log: Path, **environ: str) -> AsyncIterator[None]:
    """A script of tests/oidc/npm that answers at its $PORT, stopped at the end."""
    with log.open("wb") as out:
        running = await asyncio.create_subprocess_exec(
            NODE,
            script,
            cwd=NPM,
            env={"PATH": os.environ["PATH"], **environ},
            stdout=out,
            stderr=out,
        )
    try:
        async with asyncio.timeout(UP_S):
            while not await _answers(int(environ["PORT"])):
                assert running.returncode is None, await asyncio.to_thread(log.read_text, "utf-8")
                await asyncio.sleep(0.05)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            running.send_signal(signal.SIGTERM)
        await asyncio.wait_for(running.wait(), 15)


async def _answers(port: int) -> bool:
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True
    return False
