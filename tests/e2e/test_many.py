"""More people than places, and a server that is killed: pages go on by themselves.

Real Chromium, server and nets. The relying app is a page and an endpoint, as a third party has
them. With a scripted server, and what people read meanwhile: tests/web/test_waiting.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import BrowserContext, Page

from models.clips import ClipMissing
from server.tools.caller.attempt import attempt
from tests.e2e import cameras
from tests.e2e.site import (
    CHROMIUM,
    HEAR,
    ROOT,
    START_S,
    Heard,
    browser,
    free_ports,
    hear,
    until,
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]
PEOPLE = ("ann", "ben")
PAGE = """<!doctype html><html lang=en><meta charset=utf-8>
<script type=module src="{server}/web/face-login.js"></script>
<face-login purpose="login" session-url="/session/{person}" auto-start></face-login>"""


@dataclass
class Lookgate:
    """A server with one place, which may be killed and started again on its port."""

    folder: Path
    port: int
    serve: tuple[str, ...] = ()
    """More words of `lookgate serve`."""
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    async def run(self, *arguments: str, stdout: int | None = None) -> asyncio.subprocess.Process:
        """One command."""
        environ = {name: text for name, text in os.environ.items() if "LOOKGATE_" not in name}
        if models := os.environ.get("LOOKGATE_MODELS_DIR"):
            environ["LOOKGATE_MODELS_DIR"] = models
        environ |= {
            "LOOKGATE_PORT": str(self.port),
            "LOOKGATE_DATA_DIR": str(self.folder / "data"),
            "LOOKGATE_RTC_ADDRESSES": "127.0.0.1",
            "LOOKGATE_MAX_SESSIONS": "1",
            "PYTHONPATH": str(ROOT),
        }
        command = (sys.executable, "-m", "server.commands.main", *arguments)
        with (self.folder / "log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *command, cwd=ROOT, env=environ, stdout=stdout or log, stderr=log
            )

    async def start(self) -> None:
        """Serve, without waiting for it."""
        self.process = await self.run("serve", *self.serve)

    async def ready(self) -> bool:
        """Whether it takes offers."""
        assert self.process is not None
        assert self.process.returncode is None, (self.folder / "log").read_text("utf-8")[-2000:]
        with contextlib.suppress(aiohttp.ClientError):
            async with aiohttp.ClientSession() as http, http.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        return False

    async def end(self, how: signal.Signals) -> None:
        """By a signal."""
        assert self.process is not None
        self.process.send_signal(how)
        await asyncio.wait_for(self.process.wait(), 15)

    def with_media(self) -> int:
        """Its one process that receives pictures: the one with a UDP socket."""
        assert self.process is not None
        datagrams = {row.split()[9] for row in Path("/proc/net/udp").read_text().splitlines()[1:]}
        sockets = {f"socket:[{inode}]" for inode in datagrams}
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        (found,) = (pid for pid in map(int, children.split()) if sockets & set(_open_files(pid)))
        return found


def _open_files(pid: int) -> list[str]:
    return [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()]


@dataclass
class App:
    """The relying app: its page, and the endpoint that asks for sessions."""

    server: str
    url: str = ""
    secret: str = ""
    slow: set[str] = field(default_factory=set)
    """Whose sessions ask for a challenge, which a film never answers: they keep their place."""
    asked: list[tuple[str, float]] = field(default_factory=list)
    """Who asked for a session, and when (monotonic seconds)."""

    async def page(self, request: web.Request) -> web.Response:
        person = request.query["person"]
        html = PAGE.format(server=self.server, person=person)
        return web.Response(text=html, content_type="text/html")

    async def session(self, request: web.Request) -> web.Response:
        person = request.match_info["person"]
        self.asked.append((person, time.monotonic()))
        challenge = "light" if person in self.slow else "none"
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.post(
                    f"{self.server}/v1/sessions",
                    json={
                        "purpose": "login",
                        "subject": person,
                        "nonce": "n" * 24,
                        "challenge": challenge,
                    },
                    headers={"Authorization": aiohttp.encode_basic_auth("app", self.secret)},
                ) as answer,
            ):
                return web.json_response(await answer.json(), status=answer.status)
        except aiohttp.ClientError:
            problem = {"code": "lookgate_down", "text": "Not now.", "retry": True}
            return web.json_response({"error": problem}, status=502)


@asynccontextmanager
async def _serving(app: App) -> AsyncIterator[None]:
    routes = web.Application()
    routes.router.add_get("/", app.page)
    routes.router.add_post("/session/{person}", app.session)
    server = TestServer(routes, host="127.0.0.1")
    await server.start_server()
    app.url = str(server.make_url("")).rstrip("/")
    try:
        yield
    finally:
        await server.close()


@dataclass
class World:
    """Server, app, and a browser whose camera shows the person who is ann and ben."""

    lookgate: Lookgate
    app: App
    context: BrowserContext

    async def open(self, person: str) -> Page:
        """A page that starts by itself."""
        page = await self.context.new_page()
        await page.goto(f"{self.app.url}/?person={person}")
        return page


@asynccontextmanager
async def _running(folder: Path, *serve: str) -> AsyncIterator[World]:
    try:
        first = list(itertools.islice(cameras.person("cap12"), 180))
        camera = cameras.mjpeg(cameras.person("cap13"), folder / "camera.mjpeg")
    except ClipMissing as missing:
        pytest.skip(f"recordings cannot be had: {missing}")
    lookgate = Lookgate(folder, free_ports(), serve)
    app = App(lookgate.url)
    async with _serving(app):
        await lookgate.start()
        try:
            await until(lookgate.ready, START_S)
            made = await lookgate.run(
                "client", "add", "app", "--origin", app.url, stdout=asyncio.subprocess.PIPE
            )
            said, _ = await made.communicate()
            (app.secret,) = re.findall(r"secret +(\S+)", said.decode())
            for person in PEOPLE:
                enrolled = await attempt(
                    server_url=lookgate.url,
                    client_id="app",
                    secret=app.secret,
                    purpose="enroll",
                    subject=person,
                    video=cameras.timed(iter(first), cameras.FPS),
                )
                assert enrolled.verdict["outcome"] == "accepted"
            async with browser(camera) as context:
                await context.add_init_script(HEAR)
                yield World(lookgate, app, context)
        finally:
            if lookgate.process is not None and lookgate.process.returncode is None:
                await lookgate.end(signal.SIGTERM)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with _running(tmp_path_factory.mktemp("many")) as world:
        yield world


def _phases(events: Heard) -> list[object]:
    return [detail["phase"] for kind, detail in events if kind == "phase" and detail]


async def test_the_second_of_two_waits_and_gets_in_without_a_click(world: World) -> None:
    world.app.slow = {"ann"}
    world.app.asked.clear()
    ann = await world.open("ann")
    await hear(ann, lambda events: "gathering" in _phases(events))
    ben = await world.open("ben")
    await ben.bring_to_front()
    await hear(ben, lambda events: "waiting" in _phases(events))
    await ann.evaluate("document.querySelector('face-login').cancel()")
    events = await hear(ben, lambda events: "accepted" in _phases(events))
    assert [kind for kind, _ in events if kind in ("success", "failure", "error")] == ["success"]
    assert [person for person, _ in world.app.asked] == ["ann", "ben"]  # one ticket each
    waits = [detail for kind, detail in events if kind == "phase" and detail and "ahead" in detail]
    await ann.close()
    await ben.close()
    assert waits[0]["ahead"] == 0
    assert isinstance(waits[0]["wait_s"], float | int)


async def test_a_killed_server_that_comes_back_is_logged_in_to_without_a_click(
    world: World,
) -> None:
    async def kill() -> None:
        await world.lookgate.end(signal.SIGKILL)
        await world.lookgate.start()

    await _logs_in_anew(world, kill)


async def test_a_killed_process_of_two_is_logged_in_beside_without_a_click(tmp_path: Path) -> None:
    async def kill() -> None:
        os.kill(world.lookgate.with_media(), signal.SIGKILL)

    async with _running(tmp_path, "--processes", "2") as world:
        await _logs_in_anew(world, kill)


async def _logs_in_anew(world: World, kill: Callable[[], Awaitable[None]]) -> None:
    world.app.slow = {"ann"}
    world.app.asked.clear()
    page = await world.open("ann")
    await page.bring_to_front()
    await hear(page, lambda events: "gathering" in _phases(events))
    world.app.slow.clear()
    killed_s = time.monotonic()
    await kill()
    events = await hear(page, lambda events: "accepted" in _phases(events))
    assert [kind for kind, _ in events if kind in ("success", "failure", "error")] == ["success"]
    lost = [detail.get("lost") for kind, detail in events if kind == "phase" and detail]
    assert set(lost) & {"server_silent", "connection_lost"}
    again_s = world.app.asked[1][1]
    assert again_s - killed_s < 5
