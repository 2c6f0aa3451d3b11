"""Relying apps in JavaScript: Auth.js, express-openid-connect, passport-openidconnect on a server,
oidc-client-ts in the page. Passkey, face, and the app knows who it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from server.store.relying import RelyingParty
from tests.e2e.site import CHROMIUM
from tests.e2e.test_login_page import CLIENT, Stand, films, stand, visitor
from tests.oidc.provider import NPM, node
from tests.peers.oidc.apps import has_passkey, through_login
from tests.peers.tools import free_port

__all__ = ["films", "stand"]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.oidc,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
    pytest.mark.skipif(
        not (NPM / "node_modules").exists(), reason="the packages of tests/oidc/npm are lacking"
    ),
]


@dataclass(frozen=True)
class App:
    """An app of tests/oidc/npm, and how it is registered."""

    name: str
    back: str
    auth: str = "client_secret_basic"
    pkce: str = "required"
    says: str = "/"
    """Where it says whom it knows."""


APPS = [
    App("authjs", "/auth/callback/lookgate", says="/auth/session"),
    App("express-openid-connect", "/callback", pkce="nonce"),
    App("passport", "/cb", auth="client_secret_post", pkce="nonce"),
    App("oidc-client-ts", "/cb", auth="none", says=""),
]


async def _said(page: Page) -> dict[str, Any]:
    """The JSON on the page."""
    await expect(page.locator("pre")).to_contain_text('"sub"')
    found: dict[str, Any] = json.loads(await page.locator("pre").inner_text())
    return found


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.name)
async def test_an_app_knows_who_it_is(
    stand: Stand, films: dict[str, Path], tmp_path: Path, app: App
) -> None:
    port = free_port()
    url = f"http://localhost:{port}"
    given = {"ISSUER": stand.site.server, "CLIENT_ID": CLIENT, "CLIENT_SECRET": stand.site.secret()}
    given |= {f"AUTH_LOOKGATE_{name.rpartition('_')[2]}": value for name, value in given.items()}
    relying = RelyingParty(app.name, (url + app.back,), auth=app.auth, pkce=app.pkce)
    log = tmp_path / "app.log"
    async with (
        node(f"{app.name}.mjs", log, PORT=str(port), **given),
        visitor(films["owner"]) as page,
    ):
        await has_passkey(stand, page, relying, origin=url)
        await page.goto(url)
        if app.name == "authjs":
            await page.click("button[type=submit]")
        await through_login(page, f"{url}/**")
        if app.says:
            await page.wait_for_load_state()
            await page.goto(url + app.says)
        assert (await _said(page))["sub"] == "ann"
