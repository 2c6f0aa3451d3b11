"""How long the login page's requests take, and whether they take longer for a name that is known.

    python -m benchmarks.login_page [--names 200]

The server of benchmarks/oidc.py, and a client in the same process. Half of the names have a
template and a passkey. Known and unknown ones come in turn, so that both see the same load; "apart"
is the median difference of neighbours, with a 95 % interval by bootstrap. The camera's part is in
login.py.
"""

from __future__ import annotations

import argparse
import base64
import secrets
import socket
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import numpy as np

from benchmarks.oidc import APP, ASKED, REDIRECT, serving
from server import event_loop
from server.factors.passkey import read_assertion, verify_assertion
from server.keys.token import base64url
from server.oidc.authorize import checked
from server.oidc.login import begin, cookie_name
from server.parts import Parts
from server.store.oidc.authenticators import PASSKEY, Authenticator
from server.store.relying import RelyingParty
from tests.pipeline.observations import template
from tests.server.factors.authenticator import Passkey

RELYING = RelyingParty("App", (REDIRECT,), ways=("key", "otp"))


async def enrolled(parts: Parts, subject: str) -> Passkey:
    """Somebody with a template and a passkey."""
    record = await parts.protection.seal(
        template(1),
        client_id=APP,
        subject=subject,
        template_id=secrets.token_hex(8),
        created_at=parts.now(),
    )
    await parts.store.templates.put(record, replace=True)
    await parts.protection.settle(record)
    key = Passkey(secrets.token_bytes(32), "127.0.0.1")
    at = parts.now()
    await parts.store.authenticators.add(
        Authenticator(
            base64url(key.key_id),
            APP,
            subject,
            key.user_handle,
            key.cose(),
            PASSKEY,
            0,
            at,
            None,
            "",
        )
    )
    return key


class Page:
    """The script of one login's page."""

    def __init__(self, parts: Parts, http: aiohttp.ClientSession) -> None:
        self.parts, self.http = parts, http

    async def open(self) -> None:
        """A login begins, and its page comes."""
        one = begin(checked(ASKED, APP, RELYING), self.parts.now())
        await self.parts.store.logins.add(one.login)
        self.url = f"{self.parts.settings.public_url}/login/{one.login.login_id}"
        cookie = f"{cookie_name(one.login.login_id, secure=False)}={one.cookie}"
        self.headers = {"Origin": self.parts.settings.public_url, "Cookie": cookie}

    async def ask(self, what: str, body: dict[str, Any]) -> tuple[float, dict[str, Any]]:
        """Milliseconds and the answer."""
        began_s = time.perf_counter()
        async with self.http.post(f"{self.url}/{what}", json=body, headers=self.headers) as found:
            said = await found.json()
            if found.status != 200:
                raise AssertionError(f"{what} was answered {found.status}")
        return 1000 * (time.perf_counter() - began_s), said


async def measured(names: int, folder: Path) -> None:
    """Print both tables."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with (
        serving(folder, port) as parts,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        was = await parts.clients.get(APP)
        await parts.clients.change(was, replace(was, relying=RELYING))
        keys = [await enrolled(parts, f"person{n}") for n in range(names)]
        page = Page(parts, http)
        took: dict[tuple[str, bool], list[float]] = {}
        for n in range(names):
            for known in (True, False) if n % 2 else (False, True):
                await page.open()
                name = f"person{n}" if known else f"nobody{n}"
                for what, body in (("who", {"name": name}), ("key-options", {}), ("face", {})):
                    ms, _ = await page.ask(what, body)
                    took.setdefault((what, known), []).append(ms)
        print("| request | known, p50 ms | unknown, p50 ms | apart, ms [95 %] |\n|---|---|---|---|")
        for what in ("who", "key-options", "face"):
            known_ms, unknown_ms = took[what, True], took[what, False]
            apart = np.subtract(known_ms, unknown_ms)
            drawn = np.random.default_rng(0).choice(apart, (4000, len(apart)))
            low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
            print(
                f"| `{what}` | {median(known_ms):.2f} | {median(unknown_ms):.2f}"
                f" | {np.median(apart):+.3f} [{low:+.3f}, {high:+.3f}] |"
            )
        await _keys(page, keys)


async def _keys(page: Page, keys: list[Passkey]) -> None:
    origin, whole, alone = page.parts.settings.public_url, [], []
    for key in keys:
        await page.open()
        _, said = await page.ask("key-options", {})
        challenge = base64.urlsafe_b64decode(said["options"]["challenge"] + "=")
        answer = key.sign(challenge, origin)
        began_s = time.perf_counter()
        verify_assertion(
            read_assertion(answer),
            expected_challenge=challenge,
            expected_origin=origin,
            expected_rp_id="127.0.0.1",
            expected_user_handle=key.user_handle,
            public_key=key.cose(),
            sign_count=0,
        )
        alone.append(1000 * (time.perf_counter() - began_s))
        ms, _ = await page.ask("key", {"kind": "passkey", **answer})
        whole.append(ms)
    for what, ms_of in (("signature verified", alone), ("the request `key`", whole)):
        p95 = float(np.quantile(ms_of, 0.95))
        print(f"{what}: p50 {median(ms_of):.2f} ms, p95 {p95:.2f} ms, n {len(ms_of)}")


def main() -> int:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--names", type=int, default=200, help="known, and as many unknown")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        event_loop.run(measured(given.names, Path(folder)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
