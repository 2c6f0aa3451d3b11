"""What is read from requests, against anything that JSON can hold."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import pytest
from aiohttp import encode_basic_auth, web
from aiohttp.test_utils import make_mocked_request
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.reasons import Purpose
from server.http.requests import _basic, address_of, is_session, is_subject, offered, wanted
from server.limits import Buckets
from server.parts import Parts
from server.problems import Problem
from tests.server.http.asking import AUTH, NONCE, Http, code_of
from tests.server.stage import CLIENT, SECRET

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
SESSIONS = st.fixed_dictionaries(
    {},
    optional={
        "purpose": st.sampled_from([*Purpose]).map(str) | JSON,
        "subject": st.from_regex(r"[a-z0-9@.]{1,20}", fullmatch=True) | JSON,
        "nonce": st.from_regex(r"[A-Za-z0-9._~-]{14,20}", fullmatch=True) | JSON,
        "replace": st.booleans() | JSON,
        "challenge": st.sampled_from(["none", "light"]) | JSON,
        "extra": JSON,
    },
)


def _read(read: Any, fields: dict[str, Any]) -> Any:
    try:
        return read(fields)
    except Problem as problem:
        return problem


@given(SESSIONS)
@example({"purpose": "enroll", "subject": "a", "nonce": "n" * 16, "replace": True})
@example({"purpose": "login", "subject": "a", "nonce": "n" * 16, "challenge": "light"})
@example({"purpose": "identify", "nonce": "n" * 16})
def test_a_wish_is_exact_or_refused(fields: dict[str, Any]) -> None:
    found = _read(wanted, fields)
    if isinstance(found, Problem):
        assert found.code == "request_invalid"
        return
    purpose, subject, nonce, replace, challenge = found
    assert fields.keys() <= {"purpose", "subject", "nonce", "replace", "challenge"}
    assert challenge == fields.get("challenge", "none")
    assert challenge in ("none", "light")
    assert (subject is None) == (purpose is Purpose.IDENTIFY)
    assert subject is None or is_subject(subject)
    assert re.fullmatch(r"[A-Za-z0-9._~-]{16,128}", nonce)
    assert not replace or purpose is Purpose.ENROLL


@given(st.dictionaries(st.sampled_from(["type", "sdp", "x"]), st.just("offer") | JSON))
def test_an_offer_is_exact_or_refused(fields: dict[str, Any]) -> None:
    found = _read(offered, fields)
    if isinstance(found, Problem):
        assert found.code == "request_invalid"
    else:
        assert fields == {"type": "offer", "sdp": found}


@given(st.text(max_size=100) | st.text(max_size=60).map(lambda rest: "Basic " + rest))
def test_credentials_are_read_or_empty(header: str) -> None:
    user, _ = _basic(header)
    assert user == "" or re.fullmatch(r"[!-9;-~]{1,64}", user)


@given(st.text(max_size=60))
def test_a_session_id_is_one_of_ours_in_form(text: str) -> None:
    assert not is_session(text) or re.fullmatch(r"[A-Za-z0-9_-]{43}", text)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "request_malformed"),
        (b"{", 400, "request_malformed"),
        (b"[]", 400, "request_malformed"),
        (b"\xff\xfe", 400, "request_malformed"),
        (b'{"a":1,"a":2}', 400, "request_malformed"),
        (b'{"a":NaN}', 400, "request_malformed"),
        (b"[" * 4000, 400, "request_malformed"),
        (b" " * 4097, 413, "request_too_large"),
    ],
)
async def test_wrong_bodies_are_refused(http: Http, body: bytes, status: int, code: str) -> None:
    async with http.post("/v1/sessions", data=body, headers=AUTH) as response:
        assert await code_of(response, status) == code


async def test_a_body_without_a_length_is_bounded_too(http: Http) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    async with http.post("/v1/sessions", data=endless(), headers=AUTH) as response:
        assert await code_of(response, 413) == "request_too_large"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !!!",
        "Bearer x",
        "Basic " + base64.b64encode(f"{CLIENT}:wrong".encode()).decode(),
        "Basic " + base64.b64encode(f"nobody:{SECRET}".encode()).decode(),
        "Basic " + base64.b64encode(f"{CLIENT}{SECRET}".encode()).decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        "Basic " + base64.b64encode(b'{"$gt":""}:x').decode(),
    ],
)
async def test_unknown_client_and_wrong_secret_are_one_answer(http: Http, header: str) -> None:
    wish = {"purpose": "login", "subject": "ann", "nonce": NONCE}
    headers = {"Authorization": header} if header else {}
    async with http.post("/v1/sessions", json=wish, headers=headers) as response:
        assert await code_of(response, 401) == "client_unauthorized"
        assert response.headers["WWW-Authenticate"].startswith("Basic ")


async def test_a_relying_app_has_its_rate(http: Http, parts: Parts) -> None:
    codes = []
    for _ in range(61):
        async with http.get("/v1/sessions/unknown", headers=AUTH) as response:
            codes.append(response.status)
    assert codes == [404] * 60 + [429]


async def test_an_address_has_its_rate_of_wrong_secrets(http: Http, parts: Parts) -> None:
    parts.address_limit = Buckets(0.1, 3)
    codes = []
    for _ in range(5):
        async with http.get(
            "/v1/sessions/x", headers={"Authorization": encode_basic_auth(CLIENT, "wrong")}
        ) as response:
            codes.append(response.status)
    assert codes == [401] * 3 + [429] * 2
    async with http.get("/v1/sessions/x", headers=AUTH) as response:
        assert response.status == 404  # who knows the secret is not held up by who does not


async def test_limits_count_people_behind_a_proxy(http: Http, parts: Parts) -> None:
    def seen(forwarded: str, hops: int) -> str:
        parts.settings = replace(parts.settings, proxy_hops=hops)
        request = make_mocked_request("GET", "/", headers={"X-Forwarded-For": forwarded})
        return address_of(cast(web.Request, request).clone(remote="10.0.0.1"), parts)

    assert seen("6.6.6.6", 0) == "10.0.0.1"
    assert seen("6.6.6.6, 1.2.3.4", 1) == "1.2.3.4"
    assert seen("6.6.6.6, 1.2.3.4, 10.0.0.2", 2) == "1.2.3.4"
    assert seen("2001:db8:1:2:3::4", 1) == "2001:db8:1:2::/64"
    assert seen("::ffff:1.2.3.4", 1) == "1.2.3.4"
    assert seen("nonsense", 1) == "unknown"


async def test_before_ready_and_while_stopping(http: Http, parts: Parts) -> None:
    parts.opened.clear()
    for path in ("/readyz", "/.well-known/jwks.json", "/v1/sessions/x"):
        async with http.get(path, headers=AUTH) as response:
            assert await code_of(response, 503) == "not_ready"
    parts.opened.set()
    parts.stopping = True
    for path in ("/readyz", "/v1/sessions/x"):
        async with http.get(path, headers=AUTH) as response:
            assert await code_of(response, 503) == "server_stopping"
