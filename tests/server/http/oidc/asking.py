"""An app and its browser: what they send, over HTTP, to a server with one relying app."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import encode_basic_auth

from server.oidc.login import finish
from server.parts import Parts
from tests.server.http.asking import Http
from tests.server.oidc.asking import REDIRECT, RELYING, VERIFIER, asked
from tests.server.stage import CLIENT, SECRET, change_client

BASIC = {"Authorization": encode_basic_auth(CLIENT, SECRET)}


async def register(parts: Parts, **changes: Any) -> None:
    """The one app speaks OpenID Connect from now on."""
    await change_client(parts, relying=replace(RELYING, **changes))


def begin(http: Http, **changes: str | None) -> Any:
    """A browser comes to /authorize."""
    return http.get("/authorize", params=asked(**changes), allow_redirects=False)


def answer_in(url: str) -> dict[str, str]:
    """What a redirect to the app says."""
    assert url.startswith(REDIRECT + "&")
    return {name: value for name, value in parse_qsl(urlsplit(url).query) if name != "a"}


async def code_of(http: Http, parts: Parts, **changes: str | None) -> str:
    """A browser's login that ends well; the code that the app gets."""
    async with begin(http, **changes) as response:
        assert response.status == 303, await response.text()
        login_id = response.headers["Location"].rpartition("/login/")[2]
    login = await parts.store.logins.get(login_id, parts.now())
    location = await finish(
        parts.store,
        login,
        client=await parts.store.clients.get(CLIENT),
        subject="ann",
        shown=("key", "face"),
        auth_time=parts.now(),
        liveness=["passive"],
        issuer=parts.settings.public_url,
        now=parts.now(),
    )
    return answer_in(location.href)["code"]


def form(code: str, **changes: str) -> dict[str, str]:
    """The form of /token."""
    good = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    }
    return good | changes


async def tokens(http: Http, parts: Parts, **changes: str | None) -> dict[str, Any]:
    """A whole login; what /token says."""
    code = await code_of(http, parts, **changes)
    async with http.post("/token", data=form(code), headers=BASIC) as response:
        assert response.status == 200, await response.text()
        said: dict[str, Any] = await response.json()
        return said


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
