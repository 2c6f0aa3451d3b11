"""What is read from requests, against anything that JSON can hold."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import pytest
from aiohttp import encode_basic_auth, web
from aiohttp.test_utils import make_mocked_request
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.reasons import Purpose
from server.http.fields import is_session, is_subject, offered, wanted
from server.http.requests import (
    address_of,
    basic_of,
    check_origin,
    client_of,
    known_client,
    session_of,
    stored_client,
    ticket_of,
)
from server.limits import Buckets
from server.parts import Parts
from server.problems import Problem
from server.store.sqlite.database import Database
from server.store.sqlite.store import SqliteStore
from tests.server.http.asking import AUTH, NONCE, Http, code_of, create
from tests.server.stage import CLIENT, ORIGIN, SECRET, add_client, claimed

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


def asked(remote: str | None = "10.0.0.1", **headers: str) -> web.Request:
    """A request with these headers; an underscore in a name stands for a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = cast(web.Request, make_mocked_request("GET", "/", headers=named))
    return request.clone(remote=remote) if remote is not None else request


@contextmanager
def refused(code: str) -> Iterator[None]:
    """What is done inside must end in a Problem of this code."""
    with pytest.raises(Problem) as caught:
        yield
    assert caught.value.code == code


@given(SESSIONS)
@example({"purpose": "enroll", "subject": "a", "nonce": "n" * 16, "replace": True})
@example({"purpose": "login", "subject": "a", "nonce": "n" * 16, "replace": True})
@example({"purpose": "identify", "subject": None, "nonce": "n" * 16, "replace": True})
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


GOOD = {"purpose": "login", "subject": "ann@shop.example", "nonce": "n" * 16}


@pytest.mark.parametrize(
    ("changes", "read"),
    [
        ({}, (Purpose.LOGIN, "ann@shop.example", "n" * 16, False, "none")),
        (
            {"nonce": "Az09._~-" * 16},
            (Purpose.LOGIN, GOOD["subject"], "Az09._~-" * 16, False, "none"),
        ),
        ({"challenge": "light"}, (Purpose.LOGIN, GOOD["subject"], "n" * 16, False, "light")),
        (
            {"purpose": "enroll", "replace": True, "subject": "a" * 128},
            (Purpose.ENROLL, "a" * 128, "n" * 16, True, "none"),
        ),
        ({"purpose": "enroll"}, (Purpose.ENROLL, GOOD["subject"], "n" * 16, False, "none")),
        ({"replace": False}, (Purpose.LOGIN, GOOD["subject"], "n" * 16, False, "none")),
        (
            {"purpose": "identify", "subject": None},
            (Purpose.IDENTIFY, None, "n" * 16, False, "none"),
        ),
    ],
)
def test_a_good_wish_is_read(changes: dict[str, Any], read: tuple[Any, ...]) -> None:
    assert wanted(GOOD | changes) == read


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": "logout"},
        {"purpose": None},
        {"subject": None},
        {"subject": ""},
        {"subject": "a" * 129},
        {"subject": "ann smith"},
        {"subject": "ann\n"},
        {"subject": 7},
        {"purpose": "identify"},
        {"nonce": None},
        {"nonce": "n" * 15},
        {"nonce": "n" * 129},
        {"nonce": "n" * 16 + "\n"},
        {"nonce": ["n"] * 16},
        {"replace": True},
        {"purpose": "enroll", "replace": 1},
        {"purpose": "enroll", "replace": "true"},
        {"challenge": "turn"},
        {"challenge": None},
        {"chalenge": "light"},
    ],
)
def test_one_thing_wrong_refuses_the_wish(changes: dict[str, Any]) -> None:
    with refused("request_invalid"):
        wanted(GOOD | changes)


def test_an_offer_is_read_or_refused() -> None:
    assert offered({"type": "offer", "sdp": "v=0"}) == ("v=0", None)
    given = {"text_id": "t", "version": "1", "language": "en", "sha256": "0" * 64}
    assert offered({"type": "offer", "sdp": "v=0", "consent": given}) == ("v=0", given)
    for fields in (
        {},
        {"type": "offer"},
        {"type": "answer", "sdp": "v=0"},
        {"type": "offer", "sdp": None},
        {"type": "offer", "sdp": "v=0", "x": 1},
        {"type": "offer", "consent": given},
        {"type": "offer", "sdp": "v=0", "consent": True},
        {"type": "offer", "sdp": "v=0", "consent": {**given, "at": "now"}},
        {"type": "offer", "sdp": "v=0", "consent": {**given, "version": 1}},
        {"type": "offer", "sdp": "v=0", "consent": {**given, "sha256": "0" * 65}},
    ):
        with refused("request_invalid"):
            offered(fields)


def test_a_session_id_is_one_of_ours() -> None:
    assert is_session("-_" + "a" * 41)
    for text in ("", "a" * 42, "a" * 44, "a" * 42 + "+", "a" * 43 + "\n"):
        assert not is_session(text)


async def test_a_session_is_found_by_its_id_alone(parts: Parts) -> None:
    record = await claimed(parts, "login", "ann")
    assert await session_of(parts, record.session_id) == record
    for other in ("a" * 43, record.session_id[:-1], ""):
        assert await session_of(parts, other) is None


@given(st.dictionaries(st.sampled_from(["type", "sdp", "x"]), st.just("offer") | JSON))
def test_an_offer_is_exact_or_refused(fields: dict[str, Any]) -> None:
    found = _read(offered, fields)
    if isinstance(found, Problem):
        assert found.code == "request_invalid"
    else:
        sdp, given = found
        assert {"consent": None, **fields} == {"type": "offer", "sdp": sdp, "consent": given}


@given(st.text(max_size=100) | st.text(max_size=60).map(lambda rest: "Basic " + rest))
@example(encode_basic_auth("a b", "x"))
@example(encode_basic_auth("ann\n", "x"))
@example(encode_basic_auth("a" * 65, "x"))
def test_credentials_are_read_or_empty(header: str) -> None:
    user, _ = basic_of(header)
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
        (b" " * 4096, 400, "request_malformed"),
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
        "Bearer " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode(),
        "Basic " + base64.b64encode(CLIENT.encode()).decode(),
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


async def test_a_person_takes_no_more_than_a_fifth_of_the_apps_rate(http: Http) -> None:
    wish = {"purpose": "login", "subject": "mallory", "nonce": NONCE}
    codes = []
    for _ in range(100):
        async with http.post("/v1/sessions", json=wish, headers=AUTH) as response:
            codes.append(response.status)
    assert codes == [201] * 12 + [429] * 88
    async with http.get("/v1/subjects/mallory", headers=AUTH) as response:
        assert await code_of(response, 429) == "too_many_requests"
    for n in range(60 - 12):  # what was refused is not counted for the others
        await create(http, subject=f"person{n}")
    for path in ("/v1/sessions/unknown", "/v1/subjects/bob"):
        async with http.get(path, headers=AUTH) as response:
            assert await code_of(response, 429) == "too_many_requests"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "/v1/sessions", 400), ("GET", "/v1/subjects/%20", 400)]
)
async def test_wrong_requests_are_counted_too(
    http: Http, method: str, path: str, status: int
) -> None:
    codes = []
    for _ in range(61):
        async with http.request(method, path, data=b"[]", headers=AUTH) as response:
            codes.append(response.status)
    assert codes == [status] * 60 + [429]


async def test_an_address_has_its_rate_of_wrong_secrets(http: Http, parts: Parts) -> None:
    parts.rates.buckets["address"] = Buckets(0.1, 3)
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
    parts.peers.stopping = True
    async with http.get("/readyz") as response:
        assert await code_of(response, 503) == "server_stopping"
    for path in ("/v1/sessions", "/v1/sessions/x/offer"):
        async with http.post(path, headers=AUTH) as response:
            assert await code_of(response, 503) == "server_stopping"


async def test_while_stopping_keys_and_verdicts_are_still_told(http: Http, parts: Parts) -> None:
    parts.peers.stopping = True
    async with http.get("/.well-known/jwks.json") as response:
        assert response.status == 200
    async with http.get("/v1/sessions/x", headers=AUTH) as response:
        assert await code_of(response, 404) == "session_unknown"


# Credentials


async def test_a_relying_app_is_known_by_its_secret(parts: Parts) -> None:
    client = await client_of(asked(**AUTH), parts)
    assert client.client_id == CLIENT


@pytest.mark.parametrize(
    ("user", "secret"),
    [("my-app", "a-b_c"), ("my%2Dapp", "a%2Db%5Fc"), ("my%2dapp", "a-b%5fc")],
)
async def test_credentials_may_be_form_encoded(parts: Parts, user: str, secret: str) -> None:
    """As OAuth clients do (RFC 6749 section 2.3.1), and raw as everybody else."""
    digest = hashlib.sha256(b"a-b_c").digest()
    known = await parts.store.clients.get(CLIENT)
    await add_client(parts, replace(known, client_id="my-app", secret_hash=digest))
    client = await client_of(asked(Authorization=encode_basic_auth(user, secret)), parts)
    assert client.client_id == "my-app"


@pytest.mark.parametrize("text", ["my%2Dapp", "my%2Dapp%3Aa-b", "my%ff:x", "my%252Dapp:a-b"])
async def test_an_encoding_opens_nothing_else(parts: Parts, text: str) -> None:
    header = "Basic " + base64.b64encode(text.encode()).decode()
    with refused("client_unauthorized"):
        await client_of(asked(Authorization=header), parts)


@pytest.mark.parametrize("user", [CLIENT, "nobody", ""])
@pytest.mark.parametrize("secret", ["", "wrong", SECRET[:-1], SECRET + "s", "no such client"])
async def test_nobody_is_known_by_another_secret(parts: Parts, user: str, secret: str) -> None:
    """Not even an unknown client by what its secret is compared with."""
    request = asked(Authorization=encode_basic_auth(user, secret))
    with refused("client_unauthorized"):
        await client_of(request, parts)


async def test_wrong_secrets_are_counted_for_the_address_and_right_ones_for_the_client(
    parts: Parts,
) -> None:
    async def code(remote: str, **headers: str) -> str:
        try:
            return (await client_of(asked(remote, **headers), parts)).client_id
        except Problem as problem:
            return problem.code

    for limit in ("address", "client"):
        parts.rates.buckets[limit] = Buckets(0.1, 2)
    wrong = {"Authorization": encode_basic_auth(CLIENT, "wrong")}
    codes = [await code("10.0.0.1", **wrong) for _ in range(3)]
    assert codes == ["client_unauthorized"] * 2 + ["too_many_requests"]
    assert await code("10.0.0.2", **wrong) == "client_unauthorized"
    codes = [await code("10.0.0.1", **AUTH) for _ in range(3)]
    assert codes == [CLIENT] * 2 + ["too_many_requests"]


def test_a_ticket_is_a_bearer_of_our_form() -> None:
    ticket = "-_" + "a" * 41
    digest = hashlib.sha256(ticket.encode()).digest()
    for scheme in ("Bearer", "bearer"):
        assert ticket_of(asked(Authorization=f"{scheme} {ticket}")) == digest
    for header in ("", ticket, f"Basic {ticket}", f"Bearer {ticket}a", f"Bearer {ticket[1:]}",
                   f"Bearer {ticket[1:]}+", f"Bearer {ticket} {ticket}", "Bearer"):  # fmt: skip
        with refused("ticket_invalid"):
            ticket_of(asked(Authorization=header) if header else asked())


# Origins


async def test_a_page_of_the_relying_apps_origin_is_allowed(parts: Parts) -> None:
    client = await parts.store.clients.get(CLIENT)
    assert check_origin(asked(Origin=ORIGIN), parts, client) == ORIGIN


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        ORIGIN + ".evil.example",
        ORIGIN + ":8443",
        ORIGIN + "/",
        ORIGIN.replace("https", "http"),
        ORIGIN.upper(),
        "*",
    ],
)
async def test_a_page_of_another_origin_is_refused(
    parts: Parts, origin: str, lenient: bool
) -> None:
    """Wherever requests without an origin are let in, a wrong one is not."""
    parts.settings = replace(parts.settings, allow_no_origin=lenient)
    client = await parts.store.clients.get(CLIENT)
    for known in (client, None):
        with refused("origin_not_allowed"):
            check_origin(asked(Origin=origin), parts, known)


async def test_an_origin_of_no_client_is_refused(parts: Parts) -> None:
    with refused("origin_not_allowed"):
        check_origin(asked(Origin=ORIGIN), parts, None)


async def test_a_request_without_an_origin_needs_the_setting(parts: Parts) -> None:
    client = await parts.store.clients.get(CLIENT)
    parts.settings = replace(parts.settings, allow_no_origin=False)
    with refused("origin_not_allowed"):
        check_origin(asked(), parts, client)
    parts.settings = replace(parts.settings, allow_no_origin=True)
    assert check_origin(asked(), parts, client) is None


# Addresses


@pytest.mark.parametrize(
    ("hops", "remote", "forwarded", "address"),
    [
        (0, "10.0.0.1", None, "10.0.0.1"),
        (0, "10.0.0.1", "6.6.6.6", "10.0.0.1"),
        (1, "10.0.0.1", "6.6.6.6,1.2.3.4", "1.2.3.4"),
        (2, "10.0.0.1", "6.6.6.6,1.2.3.4,10.0.0.2", "1.2.3.4"),
        (2, "10.0.0.1", "1.2.3.4,10.0.0.2", "1.2.3.4"),
        (2, "10.0.0.1", "6.6.6.6", "10.0.0.1"),  # not by way of the proxies
        (1, "10.0.0.1", None, "unknown"),
        (1, "10.0.0.1", "6.6.6.6,", "unknown"),
        (0, "2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
        (0, "2001:db8:1:2::1", None, "2001:db8:1:2::/64"),
        (0, "2001:db8:1:3::1", None, "2001:db8:1:3::/64"),
        (0, "::ffff:1.2.3.4", None, "1.2.3.4"),
        (0, None, None, "unknown"),
    ],
)
async def test_an_address_is_what_the_nearest_trusted_proxy_saw(
    parts: Parts, hops: int, remote: str | None, forwarded: str | None, address: str
) -> None:
    parts.settings = replace(parts.settings, proxy_hops=hops)
    headers = {} if forwarded is None else {"X_Forwarded_For": forwarded}
    assert address_of(asked(remote, **headers), parts) == address


async def test_everybody_behind_a_proxy_that_writes_ports_has_a_limit_of_their_own(
    parts: Parts,
) -> None:
    parts.settings = replace(parts.settings, proxy_hops=1)
    seen = {address_of(asked(X_Forwarded_For=f"192.0.2.{n}:{40000 + n}"), parts) for n in range(40)}
    assert len(seen) == 40


async def test_what_cannot_be_read_is_told_once_and_never_quoted(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    parts.settings = replace(parts.settings, proxy_hops=1)
    for _ in range(3):
        for text in ("", "unknown", "_hidden", "s3cret words", "256.1.1.1"):
            assert address_of(asked(X_Forwarded_For=text), parts) == "unknown"
    parts.settings = replace(parts.settings, proxy_hops=2)
    assert address_of(asked("10.0.0.1", X_Forwarded_For="1.2.3.4"), parts) == "10.0.0.1"
    told = [vars(record)["has"] for record in caplog.records]
    assert told == ["none", "hidden", "no address", "fewer than LOOKGATE_PROXY_HOPS"]
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("changes", [{"origins": ("https://evil.example",)}, {"policy": "weak"}])
async def test_a_row_that_was_changed_in_the_database_is_refused(
    parts: Parts, changes: dict[str, Any]
) -> None:
    was = await parts.store.clients.get(CLIENT)
    async with sqlite(parts).transaction() as db:
        for name, value in changes.items():
            text = json.dumps(value) if name == "origins" else value
            await db.execute_fetchall(
                f"UPDATE clients SET {name} = ? WHERE client_id = ?", (text, CLIENT)
            )
    with pytest.raises(Problem) as caught:
        await known_client(asked(Authorization=encode_basic_auth(CLIENT, SECRET)), parts)
    assert (caught.value.code, caught.value.status) == ("client_changed", 503)
    with pytest.raises(Problem) as caught:
        await stored_client(parts, CLIENT)
    assert caught.value.code == "client_changed"
    with pytest.raises(Problem) as caught:  # strangers learn nothing of it
        await known_client(asked(Authorization=encode_basic_auth(CLIENT, "wrong")), parts)
    assert caught.value.code == "client_unauthorized"
    assert was.seal is not None


async def test_a_secret_that_was_put_into_the_database_opens_nothing(parts: Parts) -> None:
    known = await parts.store.clients.get(CLIENT)
    digest = hashlib.sha256(b"theirs").digest()
    await parts.store.clients.change(known, replace(known, secret_hash=digest))
    with pytest.raises(Problem) as caught:
        await known_client(asked(Authorization=encode_basic_auth(CLIENT, "theirs")), parts)
    assert caught.value.code == "client_changed"


def sqlite(parts: Parts) -> Database:
    store = parts.store
    assert isinstance(store, SqliteStore)
    return store.database
