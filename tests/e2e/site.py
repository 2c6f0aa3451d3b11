"""`lookgate demo` as a real process on free ports, and real browsers in front of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from playwright.async_api import BrowserContext, Page, async_playwright

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
START_S = 60.0
FLAGS = [
    "--headless=new",
    "--no-sandbox",  # CI runs as root, where Chromium refuses its sandbox
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-features=MediaRouter,OptimizationHints,Translate",
    "--use-fake-ui-for-media-stream",
]


def free_ports() -> int:
    """The first of two neighbouring free TCP ports on loopback."""
    for _ in range(100):
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                two.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return int(port)
    raise AssertionError("no two free ports")


@dataclass
class Site:
    """A running server with its demo app."""

    server: str
    app: str
    data: Path
    log: Path
    process: asyncio.subprocess.Process

    async def active(self) -> int:
        """Sessions with a camera now, as the operator sees them."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.server}/metrics") as answer:
            text = await answer.text()
        (line,) = [row for row in text.splitlines() if row.startswith("lookgate_sessions_active")]
        return int(float(line.split()[-1]))

    async def active_none(self) -> bool:
        """Whether every place is free."""
        return await self.active() == 0

    def secret(self) -> str:
        """The demo client's."""
        (path,) = self.data.rglob("demo-secret")
        return path.read_text("utf-8").strip()


@asynccontextmanager
async def running(folder: Path, **settings: str) -> AsyncIterator[Site]:
    """Start `lookgate demo`; stop it by SIGTERM, which must be enough."""
    port = free_ports()
    data, log = folder / "data", folder / "log.jsonl"
    environ = {name: value for name, value in os.environ.items() if "LOOKGATE_" not in name}
    if models := os.environ.get("LOOKGATE_MODELS_DIR"):
        environ["LOOKGATE_MODELS_DIR"] = models
    environ |= {
        "LOOKGATE_PORT": str(port),
        "LOOKGATE_DATA_DIR": str(data),
        "LOOKGATE_LOG_FORMAT": "json",
        "LOOKGATE_LOG_LEVEL": "debug",
        "LOOKGATE_OFFER_RATE": "100",
        "LOOKGATE_RTC_ADDRESSES": "127.0.0.1",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        **settings,
    }
    command = "from server.commands.main import main; raise SystemExit(main(['demo']))"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", command, cwd=ROOT, env=environ, stdout=out, stderr=out
        )
    site = Site(f"http://localhost:{port}", f"http://localhost:{port + 1}", data, log, process)
    try:
        await until(lambda: _up(site), START_S)
        yield site
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), 15)
            except TimeoutError:
                process.kill()
                await process.wait()
                raise AssertionError("the server did not stop within 15 s") from None


async def _up(site: Site) -> bool:
    assert site.process.returncode is None, site.log.read_text("utf-8")[-2000:]
    async with aiohttp.ClientSession() as http:
        for url in (f"{site.server}/readyz", f"{site.app}/healthz"):
            try:
                async with http.get(url) as answer:
                    if answer.status != 200:
                        return False
            except aiohttp.ClientError:
                return False
    return True


async def until(is_so: Callable[[], Awaitable[bool]], timeout_s: float) -> float:
    """Wait for a condition; how long it took, seconds."""
    began_s = time.monotonic()
    while True:
        if await is_so():
            return time.monotonic() - began_s
        assert time.monotonic() - began_s < timeout_s, "waited in vain"
        await asyncio.sleep(0.1)


@asynccontextmanager
async def browser(camera: Path | None = None, *flags: str) -> AsyncIterator[BrowserContext]:
    """A fresh Chromium whose camera plays a file; without one there is no camera at all."""
    folder = tempfile.mkdtemp(prefix="lookgate-chromium-")
    fake = [
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    ]
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            folder,
            executable_path=CHROMIUM,
            headless=False,
            args=[*FLAGS, *(fake if camera else []), *flags],
            ignore_default_args=["--headless", "--mute-audio"],
            viewport={"width": 900, "height": 900},
        )
        try:
            yield context
        finally:
            with contextlib.suppress(Exception):
                await context.close()
            shutil.rmtree(folder, ignore_errors=True)


HEAR = """
window.heard = [];
for (const name of ['success', 'failure', 'error', 'phase', 'hint', 'cancel'])
  document.addEventListener('face-login:' + name,
    (e) => heard.push([name, JSON.parse(JSON.stringify(e.detail ?? null))]));
"""


async def first_page(context: BrowserContext) -> Page:
    """A page that keeps what the element says in `window.heard`."""
    await context.add_init_script(HEAR)
    return context.pages[0] if context.pages else await context.new_page()


async def heard(page: Page, name: str) -> list[dict[str, object] | None]:
    """Details of the element's events of one name, in order."""
    events = await page.evaluate("window.heard")
    return [detail for kind, detail in events if kind == name]


Heard = list[tuple[str, dict[str, object] | None]]


async def hear(page: Page, enough: Callable[[Heard], bool], timeout_s: float = 40.0) -> Heard:
    """Wait until the element's events are enough. Polled from here: the page's CSP lets nobody
    evaluate strings in it."""

    async def heard_enough() -> bool:
        return enough([(kind, detail) for kind, detail in await page.evaluate("window.heard")])

    await until(heard_enough, timeout_s)
    return [(kind, detail) for kind, detail in await page.evaluate("window.heard")]


async def hear_any(page: Page, *names: str) -> Heard:
    """Wait for the first event of one of these names."""
    return await hear(page, lambda events: any(kind in names for kind, _ in events))


async def hear_hint(page: Page, hint: str, times: int = 1) -> Heard:
    """Wait until a hint came so many times."""
    return await hear(page, lambda events: sum(d == {"hint": hint} for _, d in events) >= times)


async def register(page: Page, site: Site, username: str) -> None:
    """A new account; ends on the enrolment page."""
    await page.goto(f"{site.app}/register")
    for name, value in {
        "name": "Test Person",
        "username": username,
        "email": f"{username}@example.org",
        "phone": "+49 30 1234567",
        "password": PASSWORD,
    }.items():
        await page.fill(f"#{name}", value)
    await page.click("main button.primary")
    await page.wait_for_url("**/enroll")


PASSWORD = "correct horse battery staple"


async def enter_password(page: Page, site: Site, username: str) -> None:
    """The first factor; ends on the page with the element."""
    await page.goto(f"{site.app}/login")
    await page.fill("#username", username)
    await page.fill("#password", PASSWORD)
    await page.click("main button.primary")
    await page.wait_for_selector("face-login")


async def start(page: Page) -> None:
    """Press the element's start button, as a person does."""
    await page.locator("face-login button.primary:visible").click()


async def agree(page: Page) -> None:
    """Read what an enrolment asks, and agree to it."""
    await page.locator("face-login button[part~=agree]").click()


def log_records(site: Site) -> list[dict[str, object]]:
    """The server's log lines that are JSON."""
    records = []
    for line in site.log.read_text("utf-8").splitlines():
        with contextlib.suppress(ValueError):
            records.append(json.loads(line))
    return records
