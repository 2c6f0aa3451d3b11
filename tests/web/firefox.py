"""The distribution's Firefox, driven over WebDriver BiDi: pages, scripts, cookies.

Playwright drives a Firefox of its own only, and geckodriver is not packaged; Firefox speaks BiDi by
itself, over a WebSocket on loopback. Not here: what is tested.
Source: W3C, WebDriver BiDi (session, browsingContext, script, storage).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox") or ""
START_S = 60.0
ANSWER_S = 30.0
PREFS: Mapping[str, Any] = {
    "app.normandy.enabled": False,
    "app.update.auto": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.proxy.type": 0,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
}
"""It asks nobody but the test."""


class Firefox:
    """A browser that was started, and one page of it."""

    def __init__(self, line: aiohttp.ClientWebSocketResponse) -> None:
        self._line = line
        self._numbers = itertools.count(1)
        self._page = ""

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """One command and its result; events are left out."""
        number = next(self._numbers)
        await self._line.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(ANSWER_S):
            while True:
                said: dict[str, Any] = await self._line.receive_json()
                if said.get("id") == number:
                    assert said["type"] == "success", said
                    result: dict[str, Any] = said["result"]
                    return result

    async def begin(self) -> None:
        """A session that takes the test's certificate."""
        always: dict[str, Any] = {"acceptInsecureCerts": True}
        await self.ask("session.new", capabilities={"alwaysMatch": always})
        self._page = str((await self.ask("browsingContext.create", type="tab"))["context"])

    async def goto(self, url: str) -> None:
        """Load a page."""
        await self.ask("browsingContext.navigate", context=self._page, url=url, wait="complete")

    async def evaluate(self, script: str) -> Any:
        """What a promise of the page gives: a text, a number or nothing."""
        said = await self.ask(
            "script.evaluate", expression=script, target={"context": self._page}, awaitPromise=True
        )
        assert said["type"] == "success", said
        return said["result"].get("value")

    async def cookies(self, origin: str) -> list[dict[str, Any]]:
        """Those that were kept under a page of this origin."""
        partition = {"type": "storageKey", "sourceOrigin": origin}
        found = await self.ask("storage.getCookies", partition=partition)
        kept: list[dict[str, Any]] = found["cookies"]
        return kept


@asynccontextmanager
async def firefox(*hosts: str) -> AsyncIterator[Firefox]:
    """A fresh one, in which these names are this machine."""
    folder = Path(tempfile.mkdtemp(prefix="lookgate-firefox-"))
    prefs = {**PREFS, "network.dns.localDomains": ",".join(hosts)}
    told = {True: "true", False: "false"}
    (folder / "user.js").write_text(
        "".join(
            f'user_pref("{name}", {told[value] if isinstance(value, bool) else repr(value)});\n'
            for name, value in prefs.items()
        )
    )
    process = await asyncio.create_subprocess_exec(
        *(FIREFOX, "--headless", "--no-remote", "--profile", str(folder)),
        *("--remote-debugging-port", "0", "about:blank"),
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "MOZ_DISABLE_CONTENT_SANDBOX": "1"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    reading: asyncio.Task[bytes] | None = None
    try:
        assert process.stderr is not None
        async with asyncio.timeout(START_S):
            while not (found := re.search(rb"listening on (ws://\S+)", await _line(process))):
                pass
        reading = asyncio.create_task(process.stderr.read())  # or the pipe fills
        url = found[1].decode() + "/session"
        async with aiohttp.ClientSession() as http, http.ws_connect(url, max_msg_size=0) as line:
            browser = Firefox(line)
            await browser.begin()
            yield browser
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if reading is not None:
            await reading
        shutil.rmtree(folder, ignore_errors=True)


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stderr is not None
    line = await process.stderr.readline()
    assert line, "Firefox ended"
    return line
