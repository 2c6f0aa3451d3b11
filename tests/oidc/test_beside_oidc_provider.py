"""The same bad requests to our provider and to npm oidc-provider: what does each answer?

Where the two differ, docs/oidc.md says why. Each row of the list changes one thing in a request
that both take.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

import aiohttp
import pytest

from server.store.relying import RelyingParty
from tests.oidc.provider import HOPS, SECRET, Provider, answer_in, free_port, node
from tests.server.oidc.asking import CHALLENGE, VERIFIER

pytestmark = pytest.mark.oidc
BACK = "http://localhost:9/cb"
APP, OTHER = "an-app", "other-app"
DOCS = Path(__file__).parents[2] / "docs" / "oidc.md"
GOOD = {
    "client_id": APP,
    "redirect_uri": BACK,
    "response_type": "code",
    "scope": "openid",
    "state": "a state",
    "nonce": "n" * 16,
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@dataclass
class Answering:
    """One of the two providers, and a browser."""

    issuer: str
    browser: aiohttp.ClientSession
    walk: Callable[[str, str], Awaitable[str]]
    """A whole login from an address of /authorize; what the app gets."""
    ends: dict[str, str] = field(default_factory=dict)

    async def read(self) -> None:
        """Its own addresses."""
        where = f"{self.issuer}/.well-known/openid-configuration"
        async with self.browser.get(where) as answer:
            self.ends = await answer.json()

    def address(self, changes: dict[str, Any]) -> str:
        """Of /authorize, changed. A list is a parameter that comes so often."""
        given = {name: value for name, value in (GOOD | changes).items() if value is not None}
        return f"{self.ends['authorization_endpoint']}?{urlencode(given, doseq=True)}"

    async def authorize(self, changes: dict[str, Any]) -> str:
        """In a word: `login`, `page` (of an error), or the error that the app is told."""
        async with self.browser.get(self.address(changes), allow_redirects=False) as answer:
            if answer.status == 400:
                return "page"
            assert answer.status == 303, answer.status
            where = answer.headers["Location"]
        if "://" not in where or where.startswith(self.issuer):
            return "login"
        assert where.startswith((f"{BACK}?", f"{BACK}#")), where
        told = answer_in(where.replace("#", "?"))
        assert told["iss"] == self.issuer
        assert told.get("state") == (None if "state" in changes else "a state")
        return told["error"]

    async def code(self) -> str:
        """A good one."""
        return answer_in(await self.walk(self.address({}), BACK))["code"]

    async def token(self, changes: dict[str, Any], client_id: str, secret: str | None) -> str:
        """In a word: status and error of /token."""
        form = {
            "grant_type": "authorization_code",
            "redirect_uri": BACK,
            "code_verifier": VERIFIER,
            **changes,
        }
        form = {name: value for name, value in form.items() if value is not None}
        auth = None
        if secret is not None:
            auth = {"Authorization": aiohttp.encode_basic_auth(client_id, secret)}
        where = self.ends["token_endpoint"]
        async with self.browser.post(where, data=form, headers=auth) as answer:
            said = await answer.json()
            self.last = said.get("access_token")
            return f"{answer.status} {said.get('error', 'tokens')}"

    async def userinfo(self, token: str) -> int:
        """Its status, with an access token."""
        bearer = {"Authorization": f"Bearer {token}"}
        async with self.browser.get(self.ends["userinfo_endpoint"], headers=bearer) as answer:
            return answer.status


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as found:
        yield found


async def _through_their_pages(browser: aiohttp.ClientSession, url: str, back: str) -> str:
    """oidc-provider's pages for development: any name and password, then a consent."""
    filled: dict[str, str] | None = None
    for _ in range(HOPS):
        if url.startswith(back):
            return url
        method = "GET" if filled is None else "POST"
        async with browser.request(method, url, data=filled, allow_redirects=False) as answer:
            page, where = await answer.text(), answer.headers.get("Location")
        if where is not None:
            url, filled = urljoin(url, where), None
            continue
        filled = dict(re.findall(r'name="([^"]*)"\s+value="([^"]*)"', page))
        if 'name="login"' in page:
            filled |= {"login": "ann", "password": "x"}
        (action,) = re.findall(r'<form[^>]*action="([^"]*)"', page)
        url = urljoin(url, html.unescape(action))
    raise AssertionError(f"redirected {HOPS} times")


@pytest.fixture
async def both(
    provider: Provider, browser: aiohttp.ClientSession, tmp_path: Path
) -> AsyncIterator[tuple[Answering, Answering]]:
    """Ours and theirs, each with two clients."""
    clients = []
    for client_id in (APP, OTHER):
        await provider.register(client_id, RelyingParty("App", (BACK,)))
        clients.append(
            {
                "client_id": client_id,
                "client_secret": SECRET,
                "redirect_uris": [BACK],
                "token_endpoint_auth_method": "client_secret_basic",
            }
        )

    async def through_ours(url: str, back: str) -> str:
        return (await provider.walk(url, until=back))[0]

    async def through_theirs(url: str, back: str) -> str:
        return await _through_their_pages(browser, url, back)

    port = free_port()
    issuer = f"http://localhost:{port}"
    log = tmp_path / "provider.log"
    environ = {"ISSUER": issuer, "CLIENTS": json.dumps(clients), "PORT": str(port)}
    async with node("oidc-provider.mjs", log, **environ):
        ours = Answering(provider.issuer, browser, through_ours)
        theirs = Answering(issuer, browser, through_theirs)
        await ours.read()
        await theirs.read()
        yield ours, theirs


@dataclass(frozen=True)
class Row:
    """A bad request, and what the two say to it."""

    name: str
    ours: str
    theirs: str
    changes: dict[str, Any]


def same(name: str, says: str, **changes: Any) -> Row:
    return Row(name, says, says, changes)


def apart(name: str, ours: str, theirs: str, **changes: Any) -> Row:
    return Row(name, ours, theirs, changes)


AUTHORIZE = [
    same("a good request", "login"),
    same("unknown client", "page", client_id="nobody"),
    same("redirect_uri: other host", "page", redirect_uri="http://evil.example:9/cb"),
    same("redirect_uri: other port", "page", redirect_uri="http://localhost:10/cb"),
    same("redirect_uri: longer path", "page", redirect_uri=BACK + "/x"),
    same("redirect_uri: other case", "page", redirect_uri="http://localhost:9/CB"),
    same("redirect_uri: extra query", "page", redirect_uri=BACK + "?a=1"),
    same("redirect_uri: ..", "page", redirect_uri="http://localhost:9/x/../cb"),
    same("redirect_uri: encoded slash", "page", redirect_uri="http://localhost:9%2Fcb"),
    apart("redirect_uri: missing", "page", "login", redirect_uri=None),
    same("client_id: twice", "page", client_id=[APP, OTHER]),
    apart("state: twice", "page", "invalid_request", state=["a state", "another"]),
    same("no PKCE", "invalid_request", code_challenge=None, code_challenge_method=None),
    same("PKCE: plain", "invalid_request", code_challenge_method="plain"),
    same("PKCE: no method", "invalid_request", code_challenge_method=None),
    same("PKCE: no challenge", "invalid_request", code_challenge=None),
    same("PKCE: a short challenge", "invalid_request", code_challenge="abc"),
    same("response_type: token", "unsupported_response_type", response_type="token"),
    apart(
        "response_type: code id_token",
        "unsupported_response_type",
        "invalid_request",
        response_type="code id_token",
    ),
    same("response_type: missing", "invalid_request", response_type=None),
    apart("response_mode: fragment", "invalid_request", "login", response_mode="fragment"),
    apart("scope: no openid", "invalid_scope", "invalid_request", scope="profile"),
    same("scope: unknown", "login", scope="openid nonsense"),
    same("prompt: none", "login_required", prompt="none"),
    same("prompt: none login", "invalid_request", prompt="none login"),
    same("max_age: -1", "invalid_request", max_age="-1"),
    same("request", "request_not_supported", request="e30.e30."),
    same("request_uri", "request_uri_not_supported", request_uri="http://127.0.0.1:1/x"),
    same("registration", "registration_not_supported", registration="{}"),
]
TOKEN = [
    same("/token: a good request", "200 tokens"),
    same("/token: another client's code", "400 invalid_grant", client=OTHER),
    same("/token: a wrong verifier", "400 invalid_grant", code_verifier="x" * 43),
    same("/token: no verifier", "400 invalid_grant", code_verifier=None),
    same("/token: other redirect_uri", "400 invalid_grant", redirect_uri=BACK + "/x"),
    apart("/token: no redirect_uri", "400 invalid_request", "200 tokens", redirect_uri=None),
    same("/token: no code", "400 invalid_request", code=None),
    same("/token: an invented code", "400 invalid_grant", code="x" * 43),
    same("/token: another grant", "400 unsupported_grant_type", grant_type="password"),
    same("/token: a wrong secret", "401 invalid_client", secret="wrong"),
    same("/token: an unknown client", "401 invalid_client", client="nobody"),
    same("/token: no secret", "401 invalid_client", secret=None, client_id=APP),
    same("/token: two authentications", "400 invalid_request", client_id=APP, client_secret=SECRET),
]


async def test_what_each_says(both: tuple[Answering, Answering]) -> None:
    said: dict[str, tuple[str, str]] = {}
    for row in AUTHORIZE:
        ours, theirs = [await one.authorize(row.changes) for one in both]
        said[row.name] = (ours, theirs)
    for row in TOKEN:
        words = []
        for one in both:
            changes = {"code": await one.code(), **row.changes}
            client, secret = changes.pop("client", APP), changes.pop("secret", SECRET)
            words.append(await one.token(changes, client, secret))
        said[row.name] = (words[0], words[1])
    assert said == {row.name: (row.ours, row.theirs) for row in [*AUTHORIZE, *TOKEN]}


async def test_a_code_is_good_once_and_a_second_use_ends_its_token(
    both: tuple[Answering, Answering],
) -> None:
    for one in both:
        code = {"code": await one.code()}
        assert await one.token(code, APP, SECRET) == "200 tokens"
        first = one.last
        assert await one.userinfo(first) == 200
        assert await one.token(code, APP, SECRET) == "400 invalid_grant"
        assert await one.userinfo(first) == 401
        again = {"code": await one.code()}
        words = await asyncio.gather(*(one.token(again, APP, SECRET) for _ in range(20)))
        assert sorted(words) == ["200 tokens"] + ["400 invalid_grant"] * 19


def test_every_difference_has_its_reason() -> None:
    text = DOCS.read_text("utf-8")
    for row in [*AUTHORIZE, *TOKEN]:
        line = f"| {row.name} | {row.ours} | {row.theirs} | "
        assert (line in text) == (row.ours != row.theirs), row.name


def test_the_list_is_no_shorter_than_it_was() -> None:
    assert len(AUTHORIZE) + len(TOKEN) >= 42
