"""What apps ask by themselves: good requests first, and each bad one by its own name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from aiohttp import encode_basic_auth

from server.http import requests
from server.http.oidc.reading import MAX_FORM_BYTES
from server.keys.token import TokenError, verify
from server.limits import Buckets
from server.oidc.authorize import request_of
from server.parts import Parts
from server.people.sealed_people import seal_profile
from server.store.oidc.profiles import Profile
from server.store.port import Client
from tests.server.http.asking import Http
from tests.server.http.oidc.asking import BASIC, bearer, code_of, form, register, tokens
from tests.server.oidc.asking import REDIRECT, RELYING, asked
from tests.server.stage import CLIENT, ORIGIN, SECRET, add_client, enrolled

ENDPOINTS = ("/token", "/par", "/introspect", "/revoke")


async def error_of(response: Any, status: int) -> str:
    """The error of RFC 6749 section 5.2."""
    said = await response.json()
    assert response.status == status, said
    assert said.keys() == {"error", "error_description"}
    assert response.headers["Cache-Control"] == "no-store"
    return str(said["error"])


async def test_a_code_becomes_tokens_that_anybody_can_verify(http: Http, parts: Parts) -> None:
    await register(parts)
    for alg in ("RS256", "ES256"):
        await register(parts, id_token_alg=alg)
        said = await tokens(http, parts)
        async with http.get("/.well-known/jwks.json") as response:
            keys = jwt.PyJWKSet.from_dict(await response.json())
        header = jwt.get_unverified_header(said["id_token"])
        assert (header["alg"], header["typ"]) == (alg, "JWT")
        claims = jwt.decode(
            said["id_token"],
            keys[header["kid"]],
            algorithms=[alg],
            audience=CLIENT,
            issuer=parts.settings.public_url,
            options={"verify_exp": False, "verify_iat": False},
        )
        assert (claims["sub"], claims["nonce"], claims["acr"]) == ("ann", "n" * 16, "phr")


async def test_an_id_token_is_no_token_of_a_face(http: Http, parts: Parts) -> None:
    await register(parts, id_token_alg="ES256")
    said = await tokens(http, parts)
    jwks = await parts.keyring.jwks(parts.now())
    expected = {
        "expected_issuer": parts.settings.public_url,
        "expected_audience": CLIENT,
        "expected_nonce": "n" * 16,
        "expected_purpose": "login",
    }
    face = await a_face_token(parts)
    verify(face, jwks=jwks, now=parts.now(), **expected)
    with pytest.raises(TokenError) as caught:
        verify(said["id_token"], jwks=jwks, now=parts.now(), **expected)
    assert caught.value.code == "token_type"
    # And the other way: it opens nothing, and nobody is a client by it.
    for token in (face, said["id_token"]):
        async with http.get("/userinfo", headers=bearer(token)) as response:
            assert await error_of(response, 401) == "invalid_token"
    await register(parts, auth="private_key_jwt", jwks='{"keys": []}')
    assertion = {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": face,
    }
    async with http.post("/token", data=form("x") | assertion) as response:
        assert await error_of(response, 401) == "invalid_client"


async def a_face_token(parts: Parts) -> str:
    return await parts.keyring.mint(
        subject="ann",
        client_id=CLIENT,
        nonce="n" * 16,
        session_id="s" * 43,
        purpose="login",
        acr="passive",
        liveness=["passive"],
        auth_time=parts.now(),
        now=parts.now(),
    )


async def test_credentials_may_be_form_encoded(http: Http, parts: Parts) -> None:
    await register(parts)
    for user, secret in ((CLIENT, SECRET), (quote("shop"), "%73" * 43)):
        code = await code_of(http, parts)
        headers = {"Authorization": encode_basic_auth(user, secret)}
        async with http.post("/token", data=form(code), headers=headers) as response:
            assert response.status == 200


async def test_credentials_that_are_badly_encoded_are_nobodys(http: Http, parts: Parts) -> None:
    await register(parts)
    code = await code_of(http, parts)
    for user, secret in (
        (f"{CLIENT}%", SECRET),
        (f"{CLIENT}%zz", SECRET),
        (f"{CLIENT}%00", SECRET),
        (f"{CLIENT}%0a", SECRET),
        ("%ff", SECRET),
        (CLIENT, "%ff"),
        (CLIENT, SECRET + "%"),
        (CLIENT, SECRET + "%20"),
        (CLIENT, f"+{SECRET}"),
        (quote(CLIENT).replace("s", "%2573"), SECRET),  # twice
        (f"{CLIENT}%3A{SECRET}", ""),
    ):
        headers = {"Authorization": encode_basic_auth(user, secret)}
        async with http.post("/token", data=form(code), headers=headers) as response:
            assert await error_of(response, 401) == "invalid_client", user
    async with http.post("/token", data=form(code), headers=BASIC) as response:
        assert response.status == 200
        assert response.headers["Cache-Control"] == "no-store"


async def test_what_stands_in_an_address_is_no_part_of_a_form(http: Http, parts: Parts) -> None:
    await register(parts, auth="client_secret_post")
    code = await code_of(http, parts)
    named = {"client_id": CLIENT, "client_secret": SECRET}
    async with http.post("/token", params=named, data=form(code)) as response:
        assert await error_of(response, 401) == "invalid_client"
    async with http.post("/token", params={"code": "x"}, data=form(code) | named) as response:
        assert response.status == 200
    evil = {"redirect_uri": "https://evil.example/cb", "client_id": "nobody"}
    async with http.post(
        "/authorize", params=evil, data=asked(), allow_redirects=False
    ) as response:
        assert response.status == 303
        login_id = response.headers["Location"].rpartition("/login/")[2]
    login = await parts.store.logins.get(login_id, parts.now())
    assert request_of(login.request).redirect_uri == REDIRECT
    data = {"client_id": CLIENT}
    async with http.post("/authorize", params=asked(), data=data, allow_redirects=False) as page:
        assert page.status == 400


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_who_is_not_the_client_is_told_the_scheme(
    http: Http, parts: Parts, path: str
) -> None:
    await register(parts)
    good = {"/token": form(await code_of(http, parts)), "/par": asked()}.get(path, {"token": "x"})
    async with http.post(path, data=good, headers=BASIC) as response:
        assert response.status in (200, 201), await response.text()
    wrong = {"Authorization": encode_basic_auth(CLIENT, "wrong")}
    named = {**good, "client_id": CLIENT}
    for headers, data in (
        (wrong, good),
        ({}, named),
        ({}, {**named, "client_secret": SECRET}),  # not its way
        ({"Authorization": encode_basic_auth("nobody", SECRET)}, {**good, "client_id": "nobody"}),
        ({"Authorization": f"Bearer {SECRET}"}, {**good, "client_id": ""}),
    ):
        async with http.post(path, data=data, headers=headers) as response:
            assert await error_of(response, 401) == "invalid_client", headers
            assert response.headers["WWW-Authenticate"].startswith("Basic ")
    async with http.post(path, data={**good, "client_secret": SECRET}, headers=BASIC) as response:
        assert await error_of(response, 400) == "invalid_request"
    two = [("Authorization", BASIC["Authorization"])] * 2
    async with http.post(path, data=good, headers=two) as response:
        assert await error_of(response, 400) == "invalid_request"


async def test_the_operator_reads_which_way_an_app_shows(
    http: Http, parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    await register(parts, auth="client_secret_post")
    for _ in range(2):
        async with http.post("/token", data=form("x"), headers=BASIC) as response:
            assert await error_of(response, 401) == "invalid_client"
    (record,) = [one for one in caplog.records if one.name == "server.http.oidc.reading"]
    assert vars(record)["shows"] == "client_secret_basic"
    assert vars(record)["registered"] == "client_secret_post"
    assert SECRET not in caplog.text


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_a_body_that_is_none_is_refused(http: Http, parts: Parts, path: str) -> None:
    await register(parts)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for data, headers, status in (
        (b"a=1&a=2", kind, 400),
        (b"a=%ff", kind, 400),
        (b'{"code": "x"}', {"Content-Type": "application/json"}, 400),
        (b"a=" + b"b" * MAX_FORM_BYTES, kind, 413),
    ):
        async with http.post(path, data=data, headers=BASIC | headers) as response:
            assert await error_of(response, status) == "invalid_request"
    async with http.get(path) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "POST"


@pytest.mark.parametrize("path", [*ENDPOINTS, "/userinfo"])
async def test_a_body_is_due(
    http: Http, parts: Parts, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "BODY_S", 0.1)
    never = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"token="
        await never.wait()

    headers = BASIC | {"Content-Type": "application/x-www-form-urlencoded"}
    async with http.post(path, data=slow(), headers=headers) as response:
        assert await error_of(response, 408) == "invalid_request"


async def test_wrong_secrets_of_one_address_wait(http: Http, parts: Parts) -> None:
    await register(parts)
    parts.rates.buckets["address"] = Buckets(0.1, 1)  # type: ignore[attr-defined]
    wrong = {"Authorization": encode_basic_auth(CLIENT, "wrong")}
    async with http.post("/token", data=form("x"), headers=wrong) as response:
        assert await error_of(response, 401) == "invalid_client"
    async with http.post("/token", data=form("x"), headers=wrong) as response:
        assert await error_of(response, 429) == "temporarily_unavailable"
        assert int(response.headers["Retry-After"]) > 0
    async with http.post("/token", data=form("x"), headers=BASIC) as response:
        assert await error_of(response, 400) == "invalid_grant"


async def test_strangers_use_up_nothing_of_a_public_client(http: Http, parts: Parts) -> None:
    """Anybody can name one, so its requests count at their address."""
    await register(parts, auth="none")
    parts.rates.buckets["client"] = Buckets(0.1, 1)  # type: ignore[attr-defined]
    parts.rates.buckets["address"] = Buckets(0.1, 3)  # type: ignore[attr-defined]
    named = form("x") | {"client_id": CLIENT}
    for _ in range(3):
        async with http.post("/token", data=named) as response:
            assert await error_of(response, 400) == "invalid_grant"
    async with http.post("/token", data=named) as response:
        assert await error_of(response, 429) == "temporarily_unavailable"
    assert await parts.rates.take(("client", CLIENT)) == 0.0


async def test_of_twenty_at_once_at_most_one_gets_tokens(http: Http, parts: Parts) -> None:
    await register(parts)
    code = await code_of(http, parts)
    parts.rates.buckets["client"] = Buckets(1e6, 10**6)  # type: ignore[attr-defined]

    async def redeem() -> tuple[int, dict[str, Any]]:
        async with http.post("/token", data=form(code), headers=BASIC) as response:
            return response.status, await response.json()

    found = await asyncio.gather(*(redeem() for _ in range(20)))
    won = [said for status, said in found if status == 200]
    assert len(won) <= 1
    assert {said["error"] for status, said in found if status != 200} == {"invalid_grant"}
    for said in won:  # the replay ended it
        async with http.get("/userinfo", headers=bearer(said["access_token"])) as response:
            assert response.status == 401


async def test_a_second_redemption_ends_the_first_token(http: Http, parts: Parts) -> None:
    await register(parts)
    code = await code_of(http, parts)
    async with http.post("/token", data=form(code), headers=BASIC) as response:
        token = (await response.json())["access_token"]
    async with http.get("/userinfo", headers=bearer(token)) as response:
        assert response.status == 200
    async with http.post("/token", data=form(code), headers=BASIC) as response:
        assert await error_of(response, 400) == "invalid_grant"
    async with http.get("/userinfo", headers=bearer(token)) as response:
        assert await error_of(response, 401) == "invalid_token"
        assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


async def test_another_apps_code_is_none(http: Http, parts: Parts) -> None:
    await register(parts)
    known = await parts.store.clients.get(CLIENT)
    await add_client(parts, replace(known, client_id="zoo"))
    code = await code_of(http, parts)
    zoo = {"Authorization": encode_basic_auth("zoo", SECRET)}
    async with http.post("/token", data=form(code), headers=zoo) as response:
        assert await error_of(response, 400) == "invalid_grant"
    async with http.post("/token", data=form(code), headers=BASIC) as response:
        assert response.status == 200


async def test_userinfo_says_what_the_scopes_give(http: Http, parts: Parts) -> None:
    await register(parts)
    await enrolled(parts, "ann", 1)
    none = await tokens(http, parts)
    every = await tokens(http, parts, scope="openid profile email")
    async with http.get("/userinfo", headers=bearer(none["access_token"])) as response:
        assert await response.json() == {"sub": "ann"}
    async with http.get("/userinfo", headers=bearer(every["access_token"])) as response:
        assert await response.json() == {"sub": "ann", "preferred_username": "ann"}
    written = b'{"name": "Ann", "email": "ann@shop.example", "email_verified": true}'
    sealed = seal_profile(parts.vault, CLIENT, "ann", written)
    await parts.store.profiles.put(Profile(CLIENT, "ann", sealed, parts.vault.key_id))
    async with http.post("/userinfo", data={"access_token": every["access_token"]}) as response:
        assert response.status == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert await response.json() == {
            "sub": "ann",
            "preferred_username": "ann",
            "name": "Ann",
            "email": "ann@shop.example",
            "email_verified": True,
        }
    mail = await tokens(http, parts, scope="openid email")
    async with http.get("/userinfo", headers=bearer(mail["access_token"])) as response:
        assert (await response.json()).keys() == {"sub", "email", "email_verified"}
    # The id token says the same, for apps that ask no further.
    for said, names in ((none, set()), (mail, {"email", "email_verified"})):
        claims = jwt.decode(said["id_token"], options={"verify_signature": False})
        assert claims.keys() & {"preferred_username", "name", "email", "email_verified"} == names


async def test_an_app_of_pairwise_subjects_learns_one_name(http: Http, parts: Parts) -> None:
    await register(parts, subject_type="pairwise", pairwise_salt="0f" * 32)
    said = await tokens(http, parts, scope="openid profile")
    sub = jwt.decode(said["id_token"], options={"verify_signature": False})["sub"]
    assert len(sub) == 43
    async with http.get("/userinfo", headers=bearer(said["access_token"])) as response:
        assert await response.json() == {"sub": sub}
    async with http.post(
        "/introspect", data={"token": said["access_token"]}, headers=BASIC
    ) as response:
        assert (await response.json())["sub"] == sub


async def test_userinfo_needs_one_token_that_is_valid(http: Http, parts: Parts) -> None:
    await register(parts)
    token = (await tokens(http, parts))["access_token"]
    async with http.get("/userinfo", headers=bearer(token)) as response:
        assert response.status == 200
    for ask in (
        http.get("/userinfo"),
        http.post("/userinfo"),
        http.get("/userinfo", params={"access_token": token}),
        http.get("/userinfo", headers=BASIC),
    ):
        async with ask as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"] == 'Bearer realm="lookgate"'
    for bad in (token[:-1], token + "a", "é", ""):
        async with http.get("/userinfo", headers=bearer(quote(bad))) as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"].endswith('error="invalid_token"')
    two = {"data": {"access_token": token}, "headers": bearer(token)}
    async with http.post("/userinfo", **two) as response:
        assert await error_of(response, 400) == "invalid_request"
    await parts.store.forget_subject(CLIENT, "ann")
    async with http.get("/userinfo", headers=bearer(token)) as response:
        assert await error_of(response, 401) == "invalid_token"


async def test_a_token_is_introspected_and_revoked_by_its_app(http: Http, parts: Parts) -> None:
    await register(parts)
    token = (await tokens(http, parts))["access_token"]
    asks: dict[str, Any] = {"data": {"token": token}, "headers": BASIC}
    async with http.post("/introspect", **asks) as response:
        assert (await response.json())["active"] is True
    async with http.post("/revoke", **asks) as response:
        assert response.status == 200
        assert await response.read() == b""
    async with http.post("/introspect", **asks) as response:
        assert await response.json() == {"active": False}
    async with http.get("/userinfo", headers=bearer(token)) as response:
        assert await error_of(response, 401) == "invalid_token"


async def test_a_client_that_was_removed_is_none(http: Http, parts: Parts) -> None:
    await register(parts)
    code, token = await code_of(http, parts), (await tokens(http, parts))["access_token"]
    await parts.store.clients.remove(CLIENT)
    async with http.post("/token", data=form(code), headers=BASIC) as response:
        assert await error_of(response, 401) == "invalid_client"
    async with http.get("/userinfo", headers=bearer(token)) as response:
        assert await error_of(response, 401) == "invalid_token"


async def test_pages_of_the_app_may_read_the_answers(http: Http, parts: Parts) -> None:
    """Fetch standard section 3.2: a single-page app is a public client."""
    await register(parts, auth="none")
    code = await code_of(http, parts)
    public = form(code, client_id=CLIENT)
    page, stranger = {"Origin": ORIGIN}, {"Origin": "https://evil.example"}
    async with http.post("/token", data=public, headers=page) as response:
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert response.headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in response.headers
        token = (await response.json())["access_token"]
    async with http.get("/userinfo", headers=bearer(token) | page) as response:
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    async with http.get("/userinfo", headers=bearer(token) | stranger) as response:
        assert "Access-Control-Allow-Origin" not in response.headers
    async with http.post(
        "/revoke", data={"token": token, "client_id": CLIENT}, headers=page
    ) as response:
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    asks = {**page, "Access-Control-Request-Method": "POST"}
    async with http.options("/token", headers=asks) as response:
        assert response.status == 204
        assert "POST" in response.headers["Access-Control-Allow-Methods"]
    async with http.post("/introspect", data={"token": "x", "client_id": CLIENT}) as response:
        assert await error_of(response, 401) == "invalid_client"


async def test_a_row_that_somebody_changed_lets_nobody_in(http: Http, parts: Parts) -> None:
    await register(parts)
    was = await parts.store.clients.get(CLIENT)
    evil: Client = replace(was, relying=replace(RELYING, auth="none"))
    await parts.store.clients.change(was, evil)
    async with http.post("/token", data=form("x", client_id=CLIENT)) as response:
        assert await error_of(response, 503) == "temporarily_unavailable"
    async with http.get("/authorize", params=asked(), allow_redirects=False) as response:
        assert response.status == 503
        assert REDIRECT not in await response.text()
