"""What the tests of relying apps share: settings as docs/relying-apps.md shows them, a process that
is started and stopped, and a person's way through the login page.

Not here: the provider and the browser (tests/e2e/test_login_page.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.async_api import Page, expect

from server.people.sealed_people import seal_profile
from server.store.oidc.profiles import Profile
from server.store.relying import RelyingParty
from tests.e2e.site import until
from tests.e2e.test_login_page import APP, BACK_MS, CLIENT, Stand
from tests.peers.tools import unprivileged

SETTINGS = Path(__file__).with_name("settings")
START_S = 90.0
STOP_S = 15.0


def pasted(name: str, stand: Stand, app: str) -> str:
    """A file of settings with this test's addresses and client in place of the page's."""
    text = (SETTINGS / name).read_text("utf-8")
    for shown, here in (
        ("https://login.example", stand.site.server),
        ("https://app.example", app),
        ("my-app", CLIENT),
        ("THE-SECRET", stand.site.secret()),
    ):
        text = text.replace(shown, here)
    return text


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that a program may read which does not run as we do."""
    with tempfile.TemporaryDirectory(prefix="lookgate-app-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def own(folder: Path) -> None:
    """Give a folder to the user that `started` runs programs as."""
    if as_whom := unprivileged():
        os.chown(folder, as_whom["user"], as_whom["group"])  # type: ignore[arg-type]


@asynccontextmanager
async def started(
    command: Sequence[str],
    folder: Path,
    port: int,
    *,
    root: bool = False,
    start_s: float = START_S,
    **environ: str,
) -> AsyncIterator[Path]:
    """A program that opens `port`, stopped at the end; its log. Not as root, but for `root`."""
    log = folder / "program.log"
    given = {"PATH": os.environ["PATH"], "HOME": str(folder), **environ}
    as_whom: dict[str, Any] = {} if root else unprivileged()
    with log.open("wb") as out:
        running = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=given,
            stdout=out,
            stderr=out,
            start_new_session=True,
            **as_whom,
        )

    async def answers() -> bool:
        said = await asyncio.to_thread(log.read_text, "utf-8", "replace")
        assert running.returncode is None, said[-3000:]
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return True
        return False

    try:
        await until(answers, start_s)
        yield log
    finally:
        # With its children: some leave them behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(running.wait(), STOP_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        await running.wait()


async def has_passkey(
    stand: Stand, page: Page, relying: RelyingParty, *, origin: str | None = None
) -> None:
    """ann has a passkey in this browser, and the app is registered, its pages at `origin`."""
    if origin is not None:
        was = await stand.admin.store.clients.get(CLIENT)
        await stand.admin.set_origins(CLIENT, [*was.origins, origin])
    here = replace(relying, redirect_uris=(APP, *relying.redirect_uris))
    await stand.begin(page, here, nonce="n" * 16)
    await stand.register(page)


async def has_profile(stand: Stand) -> None:
    """An operator wrote down ann's name and address."""
    vault = stand.admin.vault
    said = {"name": "Ann Example", "email": "ann@app.example", "email_verified": True}
    sealed = seal_profile(vault, CLIENT, "ann", json.dumps(said).encode())
    await stand.admin.store.profiles.put(Profile(CLIENT, "ann", sealed, vault.key_id))


async def log_in(page: Page, url: str, back: str) -> None:
    """From a page of the app through passkey and face to an address that `back` matches."""
    await page.goto(url)
    await through_login(page, back)


async def through_login(page: Page, back: str) -> None:
    """The browser was sent to the login page."""
    await expect(page.locator("h1")).to_contain_text("Log in to")
    await page.click("#passkey")
    await page.wait_for_url(back, timeout=BACK_MS)
