"""JupyterHub with oauthenticator, and idpyoidc, in a Python environment of their own.

Passkey, face, and the app knows who it is.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.async_api import expect

from server.store.relying import RelyingParty
from tests.e2e.site import CHROMIUM, ROOT
from tests.e2e.test_login_page import CLIENT, Stand, films, stand, visitor
from tests.oidc.provider import NODE, NPM
from tests.peers.oidc.apps import has_passkey, log_in, open_folder, pasted, started
from tests.peers.tools import free_port

__all__ = ["films", "stand"]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.oidc,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]
LOCK = Path(__file__).with_name("requirements.lock")
APPS = ROOT / "build" / "peers" / "python-apps"
INSTALL_S = 240.0
PROXY = NPM / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"


@pytest.fixture(scope="module")
def python() -> Path:
    """Of the environment with the packages of requirements.lock, made once for each lock."""
    stamp = APPS / "lock"
    if not stamp.exists() or stamp.read_text() != LOCK.read_text():
        shutil.rmtree(APPS, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(APPS)], check=True, timeout=INSTALL_S)
        command = [str(APPS / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        command += ["--only-binary", ":all:", "--require-hashes", "-r", str(LOCK)]
        done = subprocess.run(
            command, check=False, timeout=INSTALL_S, capture_output=True, text=True
        )
        if done.returncode != 0:
            pytest.skip(f"the packages of {LOCK.name} cannot be had: {done.stderr[-300:]}")
        stamp.write_text(LOCK.read_text())
    return APPS / "bin" / "python"


async def test_jupyterhub(stand: Stand, films: dict[str, Path], python: Path) -> None:
    if not PROXY.exists():
        pytest.skip("the packages of tests/oidc/npm are lacking")
    port, hub_port, api_port = (free_port() for _ in range(3))
    app = f"http://localhost:{port}"
    relying = RelyingParty("JupyterHub", (f"{app}/hub/oauth_callback",))
    with open_folder() as folder:
        own = {
            "JupyterHub.bind_url": f"http://127.0.0.1:{port}",
            "JupyterHub.hub_port": hub_port,
            "JupyterHub.default_url": "/hub/home",
            "JupyterHub.db_url": f"sqlite:///{folder}/jupyterhub.sqlite",
            "JupyterHub.cookie_secret_file": f"{folder}/cookie-secret",
            "JupyterHub.pid_file": f"{folder}/pid",
            "ConfigurableHTTPProxy.api_url": f"http://127.0.0.1:{api_port}",
            "ConfigurableHTTPProxy.command": [NODE, str(PROXY)],
            "ConfigurableHTTPProxy.pid_file": f"{folder}/proxy-pid",
        }
        lines = [f"c.{name} = {value!r}\n" for name, value in own.items()]
        conf = folder / "jupyterhub_config.py"
        conf.write_text(pasted("jupyterhub_config.py", stand, app) + "".join(lines))
        command = [str(python), "-m", "jupyterhub", "-f", str(conf)]
        async with (
            started(command, folder, port, root=True),
            visitor(films["owner"]) as page,
        ):
            await has_passkey(stand, page, relying)
            await page.goto(app)
            await page.get_by_text("Sign in with Lookgate").click()
            await expect(page.locator("h1")).to_contain_text("Log in to")
            await page.click("#passkey")
            await page.wait_for_url(f"{app}/hub/home", timeout=40_000)
            await expect(page.locator("body")).to_contain_text("ann")


async def test_idpyoidc(stand: Stand, films: dict[str, Path], python: Path) -> None:
    port = free_port()
    app = f"http://localhost:{port}"
    relying = RelyingParty("idpyoidc", (f"{app}/cb",))
    given = {"ISSUER": stand.site.server, "CLIENT_ID": CLIENT, "CLIENT_SECRET": stand.site.secret()}
    script = await asyncio.to_thread(Path(__file__).with_name("idpyoidc_app.py").resolve)
    with open_folder() as folder:
        command = [str(python), str(script)]
        async with (
            started(command, folder, port, root=True, PORT=str(port), **given),
            visitor(films["owner"]) as page,
        ):
            await has_passkey(stand, page, relying)
            await log_in(page, app, f"{app}/cb**")
            said = json.loads(await page.locator("pre").inner_text())
            assert (said["sub"], said["acr"]) == ("ann", "phr")
