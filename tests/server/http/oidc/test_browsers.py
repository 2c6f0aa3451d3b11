"""/authorize and /logout: where browsers end, and what the pages hold that redirect nobody."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from server.http.oidc.reading import MAX_FORM_BYTES
from server.limits import Buckets
from server.oidc.authorize import request_of
from server.parts import Parts
from server.store.port import Unavailable
from tests.server.http.asking import Http
from tests.server.http.oidc.asking import BASIC, answer_in, begin, register, tokens
from tests.server.oidc.asking import REDIRECT, asked
from tests.server.stage import CLIENT

BYE = "https://shop.example/bye"


async def page_of(response: Any, status: int) -> str:
    """The code on a page that redirects nobody, frames in nowhere and runs nothing."""
    text: str = await response.text()
    assert (response.status, response.content_type) == (status, "text/html"), text
    assert "Location" not in response.headers
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "same-origin"
    assert "<script" not in text
    (code,) = re.findall("<code>(.*?)</code>", text)
    return str(code)


async def test_a_login_begins_in_this_browser(http: Http, parts: Parts) -> None:
    await register(parts)
    async with begin(http, login_hint="ann") as response:
        assert response.status == 303
        assert response.headers["Cache-Control"] == "no-store"
        where = response.headers["Location"]
        (cookie,) = response.headers.getall("Set-Cookie")
    issuer = parts.settings.public_url
    assert where.startswith(f"{issuer}/login/")
    login = await parts.store.logins.get(where.rpartition("/")[2], parts.now())
    assert request_of(login.request).login_hint == "ann"
    assert (login.client_id, login.state, login.subject) == (CLIENT, "who", None)
    name, _, rest = cookie.partition("=")
    assert name == f"login-{login.login_id[:8]}"  # this server is told that it has no TLS
    value, *flags = rest.split("; ")
    assert hashlib.sha256(value.encode()).digest() == login.cookie_hash
    assert set(flags) == {"HttpOnly", "Max-Age=600", "Path=/", "SameSite=Lax"}


async def test_with_tls_the_cookie_is_of_this_host_alone(http: Http, parts: Parts) -> None:
    await register(parts)
    parts.settings = replace(parts.settings, public_url="https://login.example")
    async with begin(http) as response:
        (cookie,) = response.headers.getall("Set-Cookie")
    assert cookie.startswith("__Host-login-")
    assert "; Secure" in cookie
    assert "Domain" not in cookie


async def test_a_form_begins_a_login_as_well(http: Http, parts: Parts) -> None:
    await register(parts)
    async with http.post("/authorize", data=asked(), allow_redirects=False) as response:
        assert response.status == 303
        assert "/login/" in response.headers["Location"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": "nobody"}, "oidc_client_unknown"),
        ({"client_id": None}, "oidc_client_unknown"),
        ({"client_id": "a b"}, "oidc_client_unknown"),
        ({"client_id": "\0"}, "oidc_client_unknown"),
        ({"redirect_uri": None}, "oidc_redirect_uri"),
        ({"redirect_uri": "https://evil.example/cb"}, "oidc_redirect_uri"),
        ({"redirect_uri": "https://shop.example/cb/../x?a=1"}, "oidc_redirect_uri"),
        ({"redirect_uri": REDIRECT + "#a"}, "oidc_redirect_uri"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "oidc_request_uri"),
    ],
)
async def test_nobody_is_redirected_to_a_stranger(
    http: Http, parts: Parts, changes: dict[str, str | None], code: str
) -> None:
    await register(parts)
    async with begin(http) as response:
        assert response.status == 303
    async with begin(http, **changes) as response:
        assert await page_of(response, 400) == code
    data = asked(**changes)
    async with http.post("/authorize", data=data, allow_redirects=False) as response:
        assert await page_of(response, 400) == code
    assert parts.metrics.oidc.value("authorize", code) == 2
    assert parts.metrics.oidc.value("authorize", "ok") == 1


async def test_a_refusal_is_in_the_persons_language(http: Http, parts: Parts) -> None:
    for accepts, text in (("de-DE,de;q=0.9", "Unbekannte App"), ("fr", "Unknown app")):
        headers = {"Accept-Language": accepts}
        async with http.get("/authorize", headers=headers) as response:
            assert text in await response.text()
            assert await page_of(response, 400) == "oidc_client_unknown"


async def test_an_app_without_openid_connect_is_unknown(http: Http, parts: Parts) -> None:
    async with begin(http) as response:
        assert await page_of(response, 400) == "oidc_client_unknown"


@pytest.mark.parametrize("twice", ["state=b", "client_id=shop", "redirect_uri=x", "unknown=1"])
async def test_a_parameter_that_comes_twice_redirects_nobody(
    http: Http, parts: Parts, twice: str
) -> None:
    await register(parts)
    name, _, value = twice.partition("=")
    pairs = [*asked(unknown="1").items(), (name, value)]
    async with http.get("/authorize", params=pairs, allow_redirects=False) as response:
        assert await page_of(response, 400) == "oidc_parameter_twice"


async def test_text_that_is_no_utf_8_or_too_much_is_no_request(http: Http, parts: Parts) -> None:
    await register(parts)
    text = "&".join(f"{n}={n}" for n in range(200))
    for query in ("client_id=%ff", text):
        async with http.get(f"/authorize?{query}") as response:
            assert await page_of(response, 400) == "request_invalid"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for data, headers, status, code in (
        (b"client_id=%ff", form, 400, "request_malformed"),
        (b"client_id=\xff", form, 400, "request_malformed"),
        (b'{"client_id": "shop"}', {"Content-Type": "application/json"}, 400, "request_malformed"),
        (b"a=" + b"b" * MAX_FORM_BYTES, form, 413, "request_too_large"),
    ):
        async with http.post("/authorize", data=data, headers=headers) as response:
            assert await page_of(response, status) == code


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "email"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "https://shop.example/r"}, "request_uri_not_supported"),
        ({"id_token_hint": "x.y.z"}, "invalid_request"),
    ],
)
async def test_all_else_goes_back_with_state_and_iss(
    http: Http, parts: Parts, changes: dict[str, str | None], error: str
) -> None:
    await register(parts)
    async with begin(http, **changes) as response:
        assert response.status == 303
        assert "Set-Cookie" not in response.headers
        said = answer_in(response.headers["Location"])
    assert said.pop("error_description")
    assert said == {"error": error, "state": "a state", "iss": parts.settings.public_url}
    assert parts.metrics.oidc.value("authorize", error) == 1


async def test_a_hint_says_who_may_log_in(http: Http, parts: Parts) -> None:
    await register(parts)
    hint = (await tokens(http, parts))["id_token"]
    async with begin(http, id_token_hint=hint) as response:
        login_id = response.headers["Location"].rpartition("/")[2]
    login = await parts.store.logins.get(login_id, parts.now())
    assert request_of(login.request).expected_sub == "ann"


async def test_a_state_breaks_out_of_no_header_and_no_page(http: Http, parts: Parts) -> None:
    await register(parts)
    evil = "x\r\nSet-Cookie: a=b\r\n\r\n\"><script>alert(1)</script>&'"
    async with begin(http, state=evil, prompt="none") as response:
        assert "Set-Cookie" not in response.headers
        assert answer_in(response.headers["Location"])["state"] == evil
    async with begin(http, state=evil, prompt="none", response_mode="form_post") as response:
        assert (response.status, response.content_type) == (200, "text/html")
        text = await response.text()
    fields = dict(re.findall(r'name="([^"]*)" value="([^"]*)"', text))
    assert unescape(fields["state"]) == evil
    assert fields["error"] == "login_required"
    assert re.findall(r'action="([^"]*)"', text) == [REDIRECT]
    assert re.findall(r"<script>(.*?)</script>", text) == ["document.forms[0].submit()"]
    policy = response.headers["Content-Security-Policy"]
    assert "form-action" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "'unsafe" not in policy


async def test_a_pushed_request_begins_one_login(http: Http, parts: Parts) -> None:
    await register(parts)
    async with http.post("/par", data=asked(state="pushed"), headers=BASIC) as response:
        assert response.status == 201, await response.text()
        uri = (await response.json())["request_uri"]
    params = {"client_id": CLIENT, "request_uri": uri, "redirect_uri": "https://evil.example/"}
    async with http.get("/authorize", params=params, allow_redirects=False) as response:
        assert response.status == 303
        login_id = response.headers["Location"].rpartition("/")[2]
    login = await parts.store.logins.get(login_id, parts.now())
    assert request_of(login.request).state == "pushed"
    assert request_of(login.request).redirect_uri == REDIRECT
    async with http.get("/authorize", params=params, allow_redirects=False) as response:
        assert await page_of(response, 400) == "oidc_request_uri"


async def test_too_many_of_one_address_wait(http: Http, parts: Parts) -> None:
    await register(parts)
    parts.rates.buckets["address"] = Buckets(0.1, 1)  # type: ignore[attr-defined]
    async with begin(http) as response:
        assert response.status == 303
    async with begin(http) as response:
        assert await page_of(response, 429) == "too_many_requests"
        assert int(response.headers["Retry-After"]) > 0


async def test_while_the_store_is_away_there_is_a_page(
    http: Http, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(parts)

    async def down(_: str) -> None:
        raise Unavailable("locked")

    with monkeypatch.context() as away:
        away.setattr(parts.store.clients, "get", down)
        async with begin(http) as response:
            assert await page_of(response, 503) == "store_unavailable"
        async with http.get("/logout", params={"client_id": CLIENT}) as response:
            assert await page_of(response, 503) == "store_unavailable"
        async with http.post("/token", data={"code": "x"}, headers=BASIC) as response:
            assert response.status == 503
            assert (await response.json())["error"] == "temporarily_unavailable"
            assert "Retry-After" in response.headers
    async with begin(http) as response:
        assert response.status == 303


async def test_logout_says_that_nothing_is_kept(http: Http, parts: Parts) -> None:
    await register(parts)
    for method in ("GET", "POST"):
        data = {"state": "a"} if method == "POST" else None
        async with http.request(method, "/logout", data=data) as response:
            assert response.status == 200
            assert "logged out" in await response.text()
            (cookie,) = response.headers.getall("Set-Cookie")
            assert cookie.startswith("lookgate-people=; ")
            assert "Max-Age=0" in cookie
            assert response.headers["X-Frame-Options"] == "DENY"


async def test_logout_goes_back_to_what_is_registered(http: Http, parts: Parts) -> None:
    await register(parts, post_logout_uris=(BYE,))
    hint = (await tokens(http, parts))["id_token"]
    good = {"post_logout_redirect_uri": BYE, "state": "s"}
    for named in ({"id_token_hint": hint}, {"client_id": CLIENT}):
        async with http.get("/logout", params=good | named, allow_redirects=False) as response:
            assert response.status == 303
            assert response.headers["Location"] == BYE + "?state=s"
        async with http.post("/logout", data=good | named, allow_redirects=False) as response:
            assert response.status == 303
    evil = {"post_logout_redirect_uri": "https://evil.example/"}
    for bad in (
        evil | {"client_id": CLIENT},
        evil | {"id_token_hint": hint},
        good,
        good | {"client_id": "nobody"},
        good | {"id_token_hint": hint, "client_id": "nobody"},
        good | {"id_token_hint": hint[:-3] + "AAA"},
    ):
        async with http.get("/logout", params=bad, allow_redirects=False) as response:
            assert await page_of(response, 400) == "oidc_logout"
