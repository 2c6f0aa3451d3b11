"""The relying apps that README and docs/integrate.md show: a face gets in and logs in, in Chromium.

The files of web/examples are what the pages show (tests/test_readme.py). Only the two ports are
changed here, because 8000 and 8470 may be taken. The app and Lookgate are two origins.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import expect

from models.clips import ClipMissing
from tests.e2e import cameras
from tests.e2e.site import CHROMIUM, ROOT, agree, browser, first_page, free_ports, start, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]
EXAMPLES = ROOT / "web" / "examples"
BUNDLE = Path(__file__).with_name("bundle.mjs")
START_S = 60.0
VERDICT_MS = 40_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where both run: an empty folder, two ports."""

    folder: Path
    server_port: int
    app_port: int

    def shown(self, text: str) -> str:
        """A text of README, with our ports."""
        return text.replace("8470", str(self.server_port)).replace("8000", str(self.app_port))

    @property
    def environ(self) -> dict[str, str]:
        """Of every process."""
        given = {name: value for name, value in os.environ.items() if "LOOKGATE_" not in name}
        if models := os.environ.get("LOOKGATE_MODELS_DIR"):
            given["LOOKGATE_MODELS_DIR"] = models
        return given | {
            "LOOKGATE_PORT": str(self.server_port),
            "LOOKGATE_DATA_DIR": str(self.folder / "data"),
            "LOOKGATE_RTC_ADDRESSES": "127.0.0.1",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }

    async def lookgate(self, *arguments: str) -> str:
        """What one command says."""
        command = (sys.executable, "-m", "server.commands.main", *arguments)
        process = await asyncio.create_subprocess_exec(
            *command, env=self.environ, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
        assert process.returncode == 0
        return said.decode()


@asynccontextmanager
async def process(
    place: Place, command: Sequence[str], url: str, **environ: str
) -> AsyncIterator[None]:
    """A process that answers at `url`, stopped at the end."""
    log = place.folder / f"{Path(command[0]).name}.log"
    with log.open("ab") as out:
        running = await asyncio.create_subprocess_exec(
            *command,
            cwd=place.folder,
            env=place.environ | environ,
            stdout=out,
            stderr=out,
        )

    async def answers() -> bool:
        assert running.returncode is None, log.read_text("utf-8")[-2000:]
        with contextlib.suppress(aiohttp.ClientError):
            async with aiohttp.ClientSession() as http, http.get(url) as answer:
                return answer.status == 200
        return False

    try:
        await until(answers, START_S)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            running.send_signal(signal.SIGTERM)
        await asyncio.wait_for(running.wait(), 15)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A person before the camera."""
    try:
        images = cameras.person("cap12")
        return cameras.mjpeg(images, tmp_path_factory.mktemp("films") / "person.mjpeg")
    except ClipMissing as missing:
        pytest.skip(f"recordings cannot be had: {missing}")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """A server that runs, and the apps' files."""
    port = free_ports()
    found = Place(tmp_path_factory.mktemp("first-minutes"), port, port + 1)
    for path in EXAMPLES.iterdir():
        (found.folder / path.name).write_text(found.shown(path.read_text("utf-8")), "utf-8")
    (found.folder / "node_modules").symlink_to(ROOT / "node_modules")
    serve = (sys.executable, "-m", "server.commands.main", "serve")
    async with process(found, serve, f"http://localhost:{port}/readyz"):
        yield found


def _app(place: Place, kind: str) -> list[str]:
    """The command that the page gives."""
    if kind == "express":
        return [_node(), "express_app.mjs"]
    if kind in ("aiohttp", "django"):
        return [sys.executable, f"{kind}_app.py"]
    uvicorn = str(Path(sys.executable).with_name("uvicorn"))
    return [uvicorn, "fastapi_app:app", "--port", str(place.app_port)]


def _node() -> str:
    return shutil.which("node") or str(Path(sys.executable).with_name("node"))


async def _page(place: Place, kind: str) -> None:
    """Put a page before the app: the plain one, or one that is built, as its framework's are."""
    shown = place.shown((EXAMPLES / "page.html").read_text("utf-8"))
    if kind in ("react", "vue"):
        source = place.folder / ("react_page.jsx" if kind == "react" else "vue_page.js")
        made = await asyncio.create_subprocess_exec(
            _node(), str(BUNDLE), str(source), stdout=asyncio.subprocess.PIPE
        )
        script, _ = await made.communicate()
        assert made.returncode == 0
        shown = f"<!doctype html><div id=app></div><script type=module>{script.decode()}</script>"
    (place.folder / "page.html").write_text(shown, "utf-8")


@pytest.mark.parametrize("kind", ["fastapi", "express", "aiohttp", "django", "react", "vue"])
async def test_a_face_gets_in_and_logs_in(place: Place, film: Path, kind: str) -> None:
    await _page(place, kind)
    app = f"http://localhost:{place.app_port}"
    said = await place.lookgate("client", "add", "my-app", "--origin", app)
    (secret,) = re.findall(r"secret +(\S+)", said)
    async with (
        process(place, _app(place, kind), app, FACE_SECRET=secret),
        browser(film) as context,
    ):
        page = await first_page(context)
        for purpose in ("enroll", "login"):
            await page.goto(f"{app}/?{purpose}")
            await start(page)
            if purpose == "enroll":
                await agree(page)
            await expect(page).to_have_title("Welcome, alice", timeout=VERDICT_MS)
        # A second face is refused with the server's own words, which the element shows.
        await page.goto(f"{app}/?enroll")
        await start(page)
        status = page.locator("face-login [role=status]")
        await expect(status).not_to_be_empty()
        await page.wait_for_function("document.querySelector('face-login').state === 'failed'")
        # A token of nobody's making lets nobody in.
        refused = await page.evaluate(
            "async () => (await fetch('/face/done', {method: 'POST',"
            " headers: {'Content-Type': 'application/json'},"
            " body: JSON.stringify({token: 'a.b.c'})})).status"
        )
        assert refused == 401
    await place.lookgate("client", "remove", "my-app")
