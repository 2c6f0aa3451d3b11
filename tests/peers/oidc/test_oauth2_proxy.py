"""oauth2-proxy before a static page: passkey, face, and the page is open.

Go builds it from the module proxy, at the sums of tests/peers/oidc/oauth2-proxy. It takes nobody
without an e-mail address, so ann's profile has one.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from playwright.async_api import expect

from server.store.relying import RelyingParty
from tests.e2e.site import CHROMIUM, ROOT
from tests.e2e.test_login_page import Stand, films, stand, visitor
from tests.peers.oidc.apps import has_passkey, has_profile, log_in, open_folder, pasted, started
from tests.peers.tools import free_port, tool

__all__ = ["films", "stand"]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.oidc,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]
SOURCE = Path(__file__).with_name("oauth2-proxy")
BUILT = ROOT / "build" / "peers" / "oauth2-proxy"
BUILD_S = 270.0
PROXY = "github.com/oauth2-proxy/oauth2-proxy/v7"


@pytest.fixture(scope="module")
def proxy() -> Path:
    """The program; a skip where it cannot be built."""
    go = tool("go")
    environ = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0"}
    BUILT.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [go, "build", "-trimpath", "-o", str(BUILT), PROXY],
        cwd=SOURCE,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_S,
    )
    if done.returncode != 0:
        pytest.skip(f"oauth2-proxy cannot be built: {done.stderr.strip()[-300:]}")
    return BUILT


async def test_oauth2_proxy(stand: Stand, films: dict[str, Path], proxy: Path) -> None:
    port = free_port()
    app = f"http://localhost:{port}"
    relying = RelyingParty("oauth2-proxy", (f"{app}/oauth2/callback",))
    with open_folder() as folder:
        (folder / "pages").mkdir()
        (folder / "pages" / "index.html").write_text("<h1>protected</h1>")
        conf = folder / "oauth2-proxy.cfg"
        conf.write_text(pasted("oauth2-proxy.cfg", stand, app))
        command = [str(proxy), f"--config={conf}", f"--http-address=127.0.0.1:{port}"]
        # Both are for a test without TLS.
        command += [f"--upstream=file://{folder}/pages/#/", "--cookie-secure=false"]
        async with (
            started(command, folder, port, root=True),
            visitor(films["owner"]) as page,
        ):
            await has_profile(stand)
            await has_passkey(stand, page, relying)
            await log_in(page, f"{app}/", f"{app}/")
            await expect(page.locator("h1")).to_have_text("protected")
            said = await page.goto(f"{app}/oauth2/userinfo")
            assert said is not None
            assert (await said.json())["email"] == "ann@app.example"
