"""Apache's mod_auth_openidc and LemonLDAP::NG before a protected page: passkey, face, and in.

Their settings are those of docs/relying-apps.md. Both are Debian's, run here in the foreground with
a folder and a port of their own.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import jwt
import pytest
from playwright.async_api import expect

from server.keys.keyring import OVERLAP, SETTLE_S
from server.keys.signing_key import make_key
from server.parts import utc_now
from server.store.keys import RS256
from server.store.relying import RelyingParty
from tests.e2e.site import CHROMIUM, until
from tests.e2e.test_login_page import Stand, films, stand, visitor
from tests.peers.oidc.apps import has_passkey, log_in, open_folder, own, pasted, started
from tests.peers.tools import free_port, tool

__all__ = ["films", "stand"]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.oidc,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]
MODULES = Path("/usr/lib/apache2/modules")
APACHE = """
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/run/apache.pid
DefaultRuntimeDir {folder}/run
ErrorLog {folder}/run/error.log
LogLevel warn auth_openidc:info
Mutex pthread
DocumentRoot {folder}/pages
DirectoryIndex index.html
Header set X-Person expr=%{{REMOTE_USER}}
Header set X-Token "%{{OIDC_id_token}}e"
OIDCPassIDTokenAs claims serialized
Include {folder}/lookgate.conf
"""
LOADED = "mpm_event authn_core authz_core authz_user dir env headers alias auth_openidc"
SHARE = Path("/usr/share/lemonldap-ng")


@asynccontextmanager
async def apache(stand: Stand, port: int) -> AsyncIterator[str]:
    """Its address."""
    program = tool("apache2")
    if not (MODULES / "mod_auth_openidc.so").exists():
        pytest.skip("libapache2-mod-auth-openidc is not installed here")
    app = f"http://localhost:{port}"
    with open_folder() as folder:
        for name in ("run", "pages", "pages/secure"):
            (folder / name).mkdir()
            own(folder / name)
        (folder / "pages" / "secure" / "index.html").write_text("<h1>protected</h1>")
        (folder / "lookgate.conf").write_text(pasted("apache.conf", stand, app))
        lines = [f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED.split()]
        conf = folder / "apache.conf"
        conf.write_text("\n".join(lines) + APACHE.format(folder=folder, port=port))
        command = [program, "-f", str(conf), "-DFOREGROUND"]
        async with started(command, folder, port):
            yield app


async def _kids(stand: Stand) -> list[str]:
    async with aiohttp.ClientSession() as http:
        where = f"{stand.site.server}/.well-known/jwks.json"
        async with http.get(where) as answer:
            return [key["kid"] for key in (await answer.json())["keys"]]


async def rotated_key(stand: Stand) -> str:
    """The `kid` of a new key, as of a rotation that was so long ago that it signs."""
    made_at = utc_now() - timedelta(seconds=SETTLE_S + 1)
    record = make_key(stand.admin.vault, made_at, RS256)
    await stand.admin.store.keys.add(record, retire_others_at=utc_now() + OVERLAP)

    async def published() -> bool:
        return record.kid in await _kids(stand)

    await until(published, 30)
    return record.kid


async def test_apache_and_a_key_that_is_rotated_between_two_logins(
    stand: Stand, films: dict[str, Path]
) -> None:
    port = free_port()
    relying = RelyingParty("Apache", (f"http://localhost:{port}/secure/callback",))
    async with apache(stand, port) as app:
        signed = []
        for rotated in (False, True):
            if rotated:
                kid = await rotated_key(stand)
            async with visitor(films["owner"]) as page:
                await has_passkey(stand, page, relying)
                await log_in(page, f"{app}/secure/", f"{app}/secure/")
                await expect(page.locator("h1")).to_have_text("protected")
                person, token = await page.evaluate(
                    "async () => { const {headers} = await fetch(location.href);"
                    " return [headers.get('x-person'), headers.get('x-token')] }"
                )
            assert person == "ann"
            signed.append(jwt.get_unverified_header(token)["kid"])
        assert signed[0] != signed[1]
        assert signed[1] == kid


@asynccontextmanager
async def lemonldap(stand: Stand, port: int) -> AsyncIterator[str]:
    """The address of its portal."""
    program = tool("plackup")
    if not (SHARE / "portal").exists():
        pytest.skip("liblemonldap-ng-portal-perl is not installed here")
    app = f"http://localhost:{port}"
    with open_folder() as folder:
        for name in ("conf", "sessions", "sessions/lock", "psessions", "psessions/lock", "cache"):
            (folder / name).mkdir()
            own(folder / name)
        settings = json.loads(pasted("lemonldap.json", stand, app))
        async with aiohttp.ClientSession() as http:
            where = f"{stand.site.server}/.well-known/openid-configuration"
            async with http.get(where) as answer:
                settings["oidcOPMetaDataJSON"] = {"lookgate": await answer.text()}
        # None of our keys: it reads them when it starts.
        settings["oidcOPMetaDataJWKS"] = {"lookgate": '{"keys": []}'}
        (folder / "conf" / "lmConf-1.json").write_text(
            json.dumps({**_own(folder, app), **settings})
        )
        (folder / "lemonldap-ng.ini").write_text(
            "[all]\nlogLevel = notice\ncheckTime = 1\n[configuration]\ntype = File\n"
            f"dirName = {folder}/conf\nlocalStorage = Cache::FileCache\n"
            "localStorageOptions = { 'namespace' => 'conf', 'cache_root' => "
            f"'{folder}/cache' }}\n[portal]\nstaticPrefix = /static\n"
            f"templateDir = {SHARE}/portal/templates\nlanguages = en\n"
        )
        start = folder / "portal.psgi"
        start.write_text(
            f"$ENV{{LLNG_DEFAULTCONFFILE}} = '{folder}/lemonldap-ng.ini';\n"
            "require Lemonldap::NG::Portal;\nLemonldap::NG::Portal->run({});\n"
        )
        command = [program, "--host", "127.0.0.1", "--port", str(port), str(start)]
        async with started(command, folder, port):
            yield app


def _own(folder: Path, app: str) -> dict[str, object]:
    """What a LemonLDAP::NG has that speaks with nobody yet."""
    files = "Apache::Session::File"
    places = {"Directory": f"{folder}/sessions", "LockDirectory": f"{folder}/sessions/lock"}
    lasting = {"Directory": f"{folder}/psessions", "LockDirectory": f"{folder}/psessions/lock"}
    return {
        "cfgNum": 1,
        "cfgDate": 1,
        "cfgVersion": "2.16.1",
        "cookieName": "lemonldap",
        "domain": "localhost",
        "portal": f"{app}/",
        "portalSkin": "bootstrap",
        "securedCookie": 0,
        "key": secrets.token_hex(16),
        "globalStorage": files,
        "globalStorageOptions": places,
        "persistentStorage": files,
        "persistentStorageOptions": lasting,
        "localSessionStorage": "Cache::FileCache",
        "localSessionStorageOptions": {"cache_root": f"{folder}/cache", "namespace": "sessions"},
        "exportedVars": {},
        "macros": {},
        "groups": {},
        "locationRules": {"auth.example": {"default": "accept"}},
        "exportedHeaders": {},
        "whatToTrace": "uid",
        "passwordDB": "Null",
        "registerDB": "Null",
        "requireToken": 0,
        "portalCheckLogins": 0,
        "skipRenewConfirmation": 1,
        "timeout": 72000,
    }


async def test_lemonldap(stand: Stand, films: dict[str, Path]) -> None:
    port = free_port()
    back = f"http://localhost:{port}/?openidconnectcallback=1"
    relying = RelyingParty("LemonLDAP", (back,), pkce="nonce")
    async with lemonldap(stand, port) as app, visitor(films["owner"]) as page:
        await has_passkey(stand, page, relying)
        await log_in(page, f"{app}/", f"{app}/**")
        await expect(page.locator("body")).to_contain_text("Connected as ann", timeout=20_000)
