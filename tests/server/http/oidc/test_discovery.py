"""What discovery says, word by word, against what the server does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from server.http.operations import OPERATIONS
from server.http.routes import HANDLERS
from server.oidc.claims import ACRS, CLAIMS
from server.parts import Parts
from tests.server.http.asking import Http
from tests.server.http.oidc.asking import BASIC, answer_in, bearer, begin, register, tokens
from tests.server.oidc.asking import asked
from tests.server.stage import SECRET

OIDC = "/.well-known/openid-configuration"


async def document(http: Http, path: str = OIDC) -> dict[str, Any]:
    async with http.get(path, headers={"Origin": "https://anybody.example"}) as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Cache-Control"] == "public, max-age=300"
        said: dict[str, Any] = await response.json()
        return said


async def test_both_addresses_say_the_same(http: Http, parts: Parts) -> None:
    said = await document(http)
    assert said == await document(http, "/.well-known/oauth-authorization-server")
    assert said["issuer"] == parts.settings.public_url


async def test_every_endpoint_is_there(http: Http, parts: Parts) -> None:
    said, paths = await document(http), {one.path for one in OPERATIONS}
    ends = {name: value for name, value in said.items() if name.endswith(("_endpoint", "_uri"))}
    assert len(ends) == 8
    for value in ends.values():
        assert value.removeprefix(said["issuer"]) in paths
    assert {one.name for one in OPERATIONS} == set(HANDLERS)


@pytest.mark.parametrize("mode", ["query", "form_post", "fragment"])
async def test_response_modes(http: Http, parts: Parts, mode: str) -> None:
    await register(parts)
    known = (await document(http))["response_modes_supported"]
    async with begin(http, response_mode=mode) as response:
        assert ("/login/" in response.headers["Location"]) == (mode in known)


@pytest.mark.parametrize("kind", ["code", "id_token", "code id_token", "token", "none"])
async def test_response_types(http: Http, parts: Parts, kind: str) -> None:
    await register(parts)
    known = (await document(http))["response_types_supported"]
    async with begin(http, response_type=kind) as response:
        assert ("/login/" in response.headers["Location"]) == (kind in known)


@pytest.mark.parametrize("kind", ["authorization_code", "refresh_token", "password", "implicit"])
async def test_grant_types(http: Http, parts: Parts, kind: str) -> None:
    await register(parts)
    known = (await document(http))["grant_types_supported"]
    data = {"grant_type": kind, "code": "x", "redirect_uri": "y"}
    async with http.post("/token", data=data, headers=BASIC) as response:
        error = (await response.json())["error"]
    assert (error == "unsupported_grant_type") == (kind not in known)


@pytest.mark.parametrize("method", ["S256", "plain"])
async def test_challenge_methods(http: Http, parts: Parts, method: str) -> None:
    await register(parts)
    known = (await document(http))["code_challenge_methods_supported"]
    async with begin(http, code_challenge_method=method) as response:
        assert ("/login/" in response.headers["Location"]) == (method in known)


@pytest.mark.parametrize("prompt", ["none", "login", "consent", "select_account", "create"])
async def test_prompts(http: Http, parts: Parts, prompt: str) -> None:
    await register(parts)
    known = (await document(http))["prompt_values_supported"]
    async with begin(http, prompt=prompt) as response:
        where = response.headers["Location"]
    if "/login/" not in where:
        error = answer_in(where)["error"]
        assert error == ("login_required" if prompt in known else "invalid_request")
    else:
        assert prompt in known


async def test_what_is_said_not_to_be_supported_is_refused(http: Http, parts: Parts) -> None:
    await register(parts)
    said = await document(http)
    for name in ("request", "request_uri"):
        assert said[f"{name}_parameter_supported"] is False
        async with begin(http, **{name: "x"}) as response:
            assert answer_in(response.headers["Location"])["error"] == f"{name}_not_supported"
    assert said["claims_parameter_supported"] is False
    async with begin(http, claims="no JSON") as response:
        assert "/login/" in response.headers["Location"]
    assert said["require_pushed_authorization_requests"] is False
    assert said["authorization_response_iss_parameter_supported"] is True
    async with begin(http, prompt="none") as response:
        assert answer_in(response.headers["Location"])["iss"] == said["issuer"]


async def test_ways_to_authenticate(http: Http, parts: Parts) -> None:
    said = await document(http)
    shown: dict[str, dict[str, Any]] = {
        "client_secret_basic": {"headers": BASIC, "data": {}},
        "client_secret_post": {"data": {"client_id": "shop", "client_secret": SECRET}},
        "none": {"data": {"client_id": "shop"}},
    }
    known = set(said["token_endpoint_auth_methods_supported"])
    assert known == {*shown, "private_key_jwt"}  # whose table is test_client_auth.py
    for endpoint in ("introspection", "revocation"):
        for how, asks in shown.items():
            await register(parts, auth=how)
            path = {"introspection": "/introspect", "revocation": "/revoke"}[endpoint]
            data = asks["data"] | {"token": "x"}
            async with http.post(path, data=data, headers=asks.get("headers")) as response:
                named = said[f"{endpoint}_endpoint_auth_methods_supported"]
                assert (response.status == 200) == (how in named), how


async def test_scopes_claims_levels_and_subjects(http: Http, parts: Parts) -> None:
    await register(parts)
    said = await document(http)
    every = " ".join(said["scopes_supported"])
    given = await tokens(http, parts, scope=f"{every} unknown")
    assert given["scope"] == every
    async with http.get("/userinfo", headers=bearer(given["access_token"])) as response:
        assert set(await response.json()) <= set(said["claims_supported"])
    assert said["claims_supported"] == list(CLAIMS)
    assert said["acr_values_supported"] == list(ACRS)
    assert said["subject_types_supported"] == ["public", "pairwise"]
    assert "RS256" in said["id_token_signing_alg_values_supported"]
    async with http.post("/par", data=asked(), headers=BASIC) as response:
        assert response.status == 201


def test_each_row_of_the_foundations_lists_has_its_test() -> None:
    root = Path(__file__).parents[4]
    page = (root / "docs/oidc.md").read_text("utf-8")
    rows = re.findall(r"`(test_\w+)` in `(tests/\S+)` \|", page)
    assert len(rows) > 30
    for name, file in rows:
        assert f"def {name}(" in (root / file).read_text("utf-8"), name
