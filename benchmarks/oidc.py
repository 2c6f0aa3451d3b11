"""How long the OpenID provider takes to answer, face and page left out.

    python -m benchmarks.oidc [--requests 400]

A server on loopback with a SQLite store of its own, and a relying app in a process of its own that
asks `/authorize`, then exchanges codes at `/token`: one request after the other, then twenty at
once. A login is ended as the login page ends it. The rates are taken off. "At once" includes the
wait for one's turn, because one process serves. Then logins are begun and abandoned, and swept.
Not here: clicks and faces (login.py).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import multiprocessing
import resource
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
from aiohttp import encode_basic_auth, web

from pipeline.frame import Frame
from pipeline.observation import Ask, Observation
from server import event_loop
from server.app import application, build
from server.limits import OwnRates
from server.oidc.authorize import Request
from server.oidc.login import LASTS, begin, finish
from server.parts import Parts
from server.settings.load import load
from server.store.port import KEPT_AFTER_EXPIRY, Client
from server.store.relying import RelyingParty

APP, SECRET, REDIRECT = "app", "s" * 43, "https://app.example/cb"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode()[:43]
ASKED = {
    "client_id": APP,
    "redirect_uri": REDIRECT,
    "response_type": "code",
    "scope": "openid",
    "state": "s" * 20,
    "nonce": "n" * 20,
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
AT_ONCE = (1, 20)


def _nobody(frame: Frame, ask: Ask) -> Observation:
    raise AssertionError("nobody shows a face here")


@asynccontextmanager
async def serving(folder: Path, port: int) -> AsyncIterator[Parts]:
    """A server with one relying app."""
    url = f"http://127.0.0.1:{port}"
    settings = load(
        {"HOME": str(folder), "LOOKGATE_DATA_DIR": str(folder), "LOOKGATE_PUBLIC_URL": url}
    )
    parts = build(settings, _nobody)
    parts.rates = OwnRates(client_rate=1e6, offer_rate=1e6, clock=time.monotonic)
    runner = web.AppRunner(application(parts), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await parts.opened.wait()
        client = Client(
            client_id=APP,
            secret_hash=hashlib.sha256(SECRET.encode()).digest(),
            origins=(),
            policy="standard",
            created_at=parts.now(),
            relying=RelyingParty("App", (REDIRECT,)),
        )
        await parts.clients.add(client)
        yield parts
    finally:
        await runner.cleanup()


async def codes(parts: Parts, count: int) -> list[str]:
    """So many logins that ended well."""
    client, found = await parts.store.clients.get(APP), []
    asked = Request(APP, REDIRECT, "query", ("openid",), nonce="n" * 20, code_challenge=CHALLENGE)
    for _ in range(count):
        login = begin(asked, parts.now()).login
        await parts.store.logins.add(login)
        location = await finish(
            parts.store,
            login,
            client=client,
            subject="ann",
            shown=("key", "face"),
            auth_time=parts.now(),
            liveness=["passive"],
            issuer=parts.settings.public_url,
            now=parts.now(),
        )
        found.append(dict(parse_qsl(urlsplit(location.href).query))["code"])
    return found


def app(url: str, kind: str, at_once: int, given: Sequence[str], told: object) -> None:
    """In a process of its own: ask once for each of `given`; milliseconds of each answer."""

    async def ask() -> list[float]:
        took: list[float] = []
        left = list(given)
        headers = {"Authorization": encode_basic_auth(APP, SECRET)}
        connector = aiohttp.TCPConnector(limit=at_once)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def one() -> None:
                while left:
                    code = left.pop()
                    form = {"grant_type": "authorization_code", "code": code,
                            "redirect_uri": REDIRECT, "code_verifier": VERIFIER}  # fmt: skip
                    began_s = time.perf_counter()
                    if kind == "authorize":
                        answer = session.get(
                            f"{url}/authorize?{urlencode(ASKED)}", allow_redirects=False
                        )
                    else:
                        answer = session.post(f"{url}/token", data=form, headers=headers)
                    async with answer as response:
                        await response.read()
                        good = 303 if kind == "authorize" else 200
                        if response.status != good:
                            raise AssertionError(f"{kind} was answered {response.status}")
                    took.append(1000 * (time.perf_counter() - began_s))

            await asyncio.gather(*(one() for _ in range(at_once)))
        return took

    told.put(asyncio.run(ask()))  # type: ignore[attr-defined]


async def measured(requests: int, folder: Path) -> list[tuple[str, int, list[float], float]]:
    """Endpoint, how many at once, milliseconds of each answer, CPU ms of the server for each."""
    context, rows = multiprocessing.get_context("spawn"), []
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with serving(folder, port) as parts:
        url = parts.settings.public_url
        for kind in ("authorize", "token"):
            for at_once in AT_ONCE:
                # The first ones open connections and fill caches.
                for count, keep in ((2 * at_once + 20, False), (requests, True)):
                    given = await codes(parts, count) if kind == "token" else [""] * count
                    told = context.Queue()
                    asking = context.Process(target=app, args=(url, kind, at_once, given, told))
                    asking.start()
                    cpu_s = time.process_time()
                    took = await asyncio.to_thread(told.get, True, 60)
                    cpu_ms = 1000 * (time.process_time() - cpu_s) / count
                    await asyncio.to_thread(asking.join, 10)
                    if keep:
                        rows.append((kind, at_once, took, cpu_ms))
    return rows


async def abandoned(rounds: int, logins: int, folder: Path) -> list[tuple[int, float]]:
    """Of each round, in which so many logins are begun over HTTP and left alone: how many rows the
    sweep removed once their time was over, and resident MB of the server behind it."""
    found = []
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with serving(folder, port) as parts, aiohttp.ClientSession() as browser:
        url = f"{parts.settings.public_url}/authorize?{urlencode(ASKED)}"
        for _ in range(rounds):
            for _ in range(logins):
                async with browser.get(url, allow_redirects=False) as response:
                    if response.status != 303:
                        raise AssertionError(f"authorize was answered {response.status}")
            removed = await parts.store.sweep(parts.now() + LASTS + 2 * KEPT_AFTER_EXPIRY)
            found.append((removed, resident_mb()))
    return found


def resident_mb() -> float:
    """Of this process (proc(5), statm)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=400, help="of each row")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = event_loop.run(measured(given.requests, Path(folder)))
    with tempfile.TemporaryDirectory() as folder:
        left = event_loop.run(abandoned(5, 1000, Path(folder)))
    print("| | at once | p50 ms | p95 ms | server, CPU ms |\n|---|---|---|---|---|")
    for kind, at_once, took, cpu_ms in rows:
        p95 = quantiles(took, n=20)[-1]
        print(f"| `/{kind}` | {at_once} | {median(took):.1f} | {p95:.1f} | {cpu_ms:.1f} |")
    for removed, resident_mb in left:
        print(f"1000 logins begun and abandoned: {removed} swept, {resident_mb:.1f} MB resident")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
