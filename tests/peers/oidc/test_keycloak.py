"""Keycloak as a broker whose identity provider we are: passkey, face, and its account page is open.

Its distribution comes from Maven Central into build/, at the digest that stands here. It runs by
`kc.sh start-dev` with a realm that is imported.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
import urllib.request
from pathlib import Path

import pytest
from playwright.async_api import expect

from server.store.relying import RelyingParty
from tests.e2e.site import CHROMIUM, ROOT
from tests.e2e.test_login_page import Stand, films, stand, visitor
from tests.peers.oidc.apps import (
    has_passkey,
    has_profile,
    open_folder,
    pasted,
    started,
    through_login,
)
from tests.peers.tools import free_port, tool

__all__ = ["films", "stand"]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.oidc,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]
VERSION = "26.7.3"
SHA256 = "77657f30b7e90d70f727712ce1c967f430fd6a5e9f458d32d8c6df0635345f47"
NAME = f"keycloak-quarkus-dist-{VERSION}.tar.gz"
WHERE = f"https://repo.maven.apache.org/maven2/org/keycloak/keycloak-quarkus-dist/{VERSION}/{NAME}"
BUILT = ROOT / "build" / "peers" / f"keycloak-{VERSION}"
FETCH_S = 150.0
REALM = "staff"
START_S = 240.0
"""It builds itself before it starts."""


@pytest.fixture(scope="module")
def keycloak() -> Path:
    """Its folder; a skip where it cannot be had."""
    tool("java")
    if not BUILT.exists():
        BUILT.parent.mkdir(parents=True, exist_ok=True)
        archive = BUILT.parent / NAME
        try:
            with (
                urllib.request.urlopen(WHERE, timeout=FETCH_S) as answer,
                archive.open("wb") as out,
            ):
                shutil.copyfileobj(answer, out)
        except OSError as error:
            pytest.skip(f"Keycloak cannot be fetched: {error}")
        with archive.open("rb") as found:
            assert hashlib.file_digest(found, "sha256").hexdigest() == SHA256
        with tarfile.open(archive) as packed:
            packed.extractall(BUILT.parent, filter="data")
        archive.unlink()
    return BUILT


async def test_keycloak(stand: Stand, films: dict[str, Path], keycloak: Path) -> None:
    port, management = free_port(), free_port()
    app = f"http://localhost:{port}"
    relying = RelyingParty("Keycloak", (f"{app}/realms/{REALM}/broker/lookgate/endpoint",))
    with open_folder() as folder:
        home = folder / "keycloak"
        shutil.copytree(keycloak, home, symlinks=True)
        realm = {
            "realm": REALM,
            "enabled": True,
            "sslRequired": "none",
            "identityProviders": [json.loads(pasted("keycloak.json", stand, app))],
        }
        (home / "data" / "import").mkdir(parents=True)
        (home / "data" / "import" / "realm.json").write_text(json.dumps(realm))
        command = [str(home / "bin" / "kc.sh"), "start-dev", "--import-realm"]
        command += ["--http-host=127.0.0.1", f"--http-port={port}", "--cache=local"]
        command += [f"--http-management-port={management}"]
        async with (
            started(command, folder, port, root=True, start_s=START_S, JAVA_OPTS_APPEND="-Xmx512m"),
            visitor(films["owner"]) as page,
        ):
            await has_profile(stand)
            await has_passkey(stand, page, relying)
            await page.goto(f"{app}/realms/{REALM}/account/")
            await page.click("#social-lookgate")
            await through_login(page, f"{app}/realms/{REALM}/**")
            await page.wait_for_url(f"{app}/realms/{REALM}/account/**")
            await expect(page.locator("body")).to_contain_text("Ann Example", timeout=20_000)
