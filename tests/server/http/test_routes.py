"""The HTTP interface against docs/protocol.md, bad input included."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import encode_basic_auth, web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from pipeline.policy import POLICIES
from pipeline.reasons import Purpose
from pipeline.tape.reader import open_tape
from pipeline.template import Gallery
from server import problems
from server.http import routes
from server.parts import Parts
from server.people.shelf import Shelf
from server.rtc import connection
from server.session.recorder import Recorder
from server.store.port import Client, Unavailable
from server.tools.caller.rtc_caller import Caller
from tests.pipeline.observations import Camera
from tests.server.stage import (
    CLIENT,
    ORIGIN,
    SECRET,
    Clock,
    claimed,
    close_parts,
    enrolled,
    make_parts,
)

AUTH = {"Authorization": encode_basic_auth(CLIENT, SECRET)}
NONCE = "nonce-nonce-nonce-1"
Http = TestClient[web.Request, web.Application]


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    found, _ = await make_parts(
        tmp_path, Camera(), rtc_addresses="127.0.0.1", max_sessions="2", offer_rate="50"
    )
    connection.prepare(connection.RtcSettings())
    yield found
    for peer in list(found.peers):
        peer.stop()
    if found.tasks:
        await asyncio.wait(found.tasks, timeout=5)
    await close_parts(found)


@pytest.fixture
async def http(parts: Parts) -> AsyncIterator[Http]:
    app = web.Application(middlewares=[routes.headers, problems.middleware])
    app[routes.PARTS] = parts
    routes.add(app)
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.fixture
async def offer() -> AsyncIterator[str]:
    """A good offer; nobody is behind it."""
    caller = await Caller.offer(iter(()), on_message=lambda _: None)
    yield caller.offer_sdp
    await caller.close()


async def _code(response: Any, status: int) -> str:
    body = await response.json()
    assert response.status == status, body
    assert set(body["error"]) == {"code", "text", "retry"}
    return str(body["error"]["code"])


async def _create(http: Http, **fields: Any) -> dict[str, Any]:
    wish = {"purpose": "login", "subject": "ann", "nonce": NONCE, **fields}
    async with http.post("/v1/sessions", json=wish, headers=AUTH) as response:
        assert response.status == 201, await response.text()
        assert response.headers["Cache-Control"] == "no-store"
        found: dict[str, Any] = await response.json()
        return found


def _offer(http: Http, made: dict[str, Any], sdp: str, **headers: str) -> Any:
    given = {"Authorization": f"Bearer {made['ticket']}", "Origin": ORIGIN, **headers}
    given = {name: value for name, value in given.items() if value}
    return http.post(
        f"/v1/sessions/{made['session']}/offer",
        json={"type": "offer", "sdp": sdp},
        headers=given,
    )


# Sessions


async def test_a_session_is_made_and_shown(http: Http, parts: Parts) -> None:
    made = await _create(http)
    assert set(made) == {"session", "ticket", "expires_at", "ice_servers"}
    assert made["ice_servers"] == []
    expires = datetime.fromisoformat(made["expires_at"])
    assert expires - parts.now() == timedelta(seconds=60)
    record = await parts.store.session(made["session"])
    assert record.ticket_hash == hashlib.sha256(made["ticket"].encode()).digest()
    assert made["ticket"] not in repr(record)
    async with http.get(f"/v1/sessions/{made['session']}", headers=AUTH) as response:
        shown = await response.json()
    assert shown == {
        "session": made["session"],
        "purpose": "login",
        "subject": "ann",
        "state": "new",
        "reasons": [],
        "created_at": "2026-01-01T12:00:00.000Z",
        "finished_at": None,
    }


async def test_a_ticket_nobody_came_with_is_shown_as_expired(http: Http, parts: Parts) -> None:
    made = await _create(http)
    clock: Any = parts.clock
    clock.s += 61
    async with http.get(f"/v1/sessions/{made['session']}", headers=AUTH) as response:
        assert (await response.json())["state"] == "expired"


async def test_turn_credentials_are_coturns(http: Http, parts: Parts) -> None:
    from dataclasses import replace

    parts.settings = replace(
        parts.settings,
        stun_url="stun:t:3478",
        turn_urls=("turn:t:3478?transport=udp",),
        turn_secret="0123456789abcdef",
    )
    stun, turn = (await _create(http))["ice_servers"]
    assert stun == {"urls": ["stun:t:3478"]}
    until, _, name = turn["username"].partition(":")
    assert 60 < int(until) - parts.now().timestamp() < 120
    assert name
    mac = hmac.new(b"0123456789abcdef", turn["username"].encode(), hashlib.sha1).digest()
    assert turn["credential"] == base64.b64encode(mac).decode()


@pytest.mark.parametrize(
    "fields",
    [
        {"purpose": "logon"},
        {"purpose": None},
        {"purpose": ["login"]},
        {"subject": ""},
        {"subject": "a b"},
        {"subject": "a" * 129},
        {"subject": 7},
        {"subject": None},
        {"subject": "ann\n"},
        {"purpose": "identify"},
        {"nonce": "short"},
        {"nonce": "n" * 129},
        {"nonce": 5},
        {"replace": 1},
        {"replace": True},
        {"extra": 1},
    ],
)
async def test_wrong_fields_are_refused(http: Http, fields: dict[str, Any]) -> None:
    wish = {"purpose": "login", "subject": "ann", "nonce": NONCE, **fields}
    async with http.post("/v1/sessions", json=wish, headers=AUTH) as response:
        assert await _code(response, 400) == "request_invalid"


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
        assert await _code(response, status) == code


async def test_a_body_without_a_length_is_bounded_too(http: Http) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    async with http.post("/v1/sessions", data=endless(), headers=AUTH) as response:
        assert await _code(response, 413) == "request_too_large"


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
        assert await _code(response, 401) == "client_unauthorized"
        assert response.headers["WWW-Authenticate"].startswith("Basic ")


async def test_foreign_and_unknown_sessions_are_one_answer(http: Http, parts: Parts) -> None:
    made = await _create(http)
    other = "o" * 43
    await parts.store.add_client(
        Client("other", hashlib.sha256(other.encode()).digest(), (), "standard", parts.now())
    )
    for session in (made["session"], "unknown", "u" * 43, "%ED%A0%80", "%00", "$ne"):
        async with http.get(
            URL(f"/v1/sessions/{session}", encoded=True),
            headers={"Authorization": encode_basic_auth("other", other)},
        ) as response:
            assert await _code(response, 404) == "session_unknown"


async def test_enrolling_twice_needs_replace(http: Http, parts: Parts) -> None:
    await enrolled(parts, "ann", 1)
    wish = {"purpose": "enroll", "subject": "ann", "nonce": NONCE}
    async with http.post("/v1/sessions", json=wish, headers=AUTH) as response:
        assert await _code(response, 409) == "subject_enrolled"
    await _create(http, purpose="enroll", replace=True)
    await _create(http, purpose="enroll", subject="bob")


async def test_a_login_of_an_unknown_subject_is_like_any_other(http: Http, parts: Parts) -> None:
    await enrolled(parts, "ann", 1)
    known, unknown = await _create(http), await _create(http, subject="nobody")
    assert {k: len(v) for k, v in known.items()} == {k: len(v) for k, v in unknown.items()}


async def test_a_subjects_recordings_are_forgotten_too(
    http: Http, parts: Parts, tmp_path: Path
) -> None:
    parts.shelf = Shelf(tmp_path / "tapes", 30.0)
    parts.shelf.open()
    for subject in ("ann", "bob"):
        record = await claimed(parts, "login", subject)
        session = {
            "purpose": Purpose.LOGIN,
            "policy": POLICIES["standard"],
            "gallery": Gallery.of([]),
            "model_id": parts.model_id,
            "started_s": parts.clock(),
        }
        found = Recorder.of(parts, record, session)
        assert found is not None
        found.close()
    assert len(list(parts.shelf.folder.glob("*/*"))) == 2
    async with http.delete("/v1/subjects/ann", headers=AUTH) as response:
        assert response.status == 200
    (left,) = parts.shelf.folder.glob("*/*")
    assert open_tape(left).header["subject"] == "bob"


async def test_a_subject_is_forgotten(http: Http, parts: Parts) -> None:
    await enrolled(parts, "ann@example.org", 1)
    for removed in (1, 0):
        async with http.delete("/v1/subjects/ann%40example.org", headers=AUTH) as response:
            assert await response.json() == {"removed": removed}
    async with http.delete("/v1/subjects/a%20b", headers=AUTH) as response:
        assert await _code(response, 400) == "request_invalid"


# Limits


async def test_after_five_failures_no_login_but_everything_else(http: Http, parts: Parts) -> None:
    await enrolled(parts, "ann", 1)
    before = await _create(http)
    for _ in range(5):
        await parts.store.add_failure(CLIENT, "ann", parts.now())
    wish = {"purpose": "login", "subject": "ann", "nonce": NONCE}
    async with http.post("/v1/sessions", json=wish, headers=AUTH) as response:
        assert await _code(response, 429) == "too_many_failures"
        assert response.headers["Retry-After"] == "30"
    await _create(http, subject="bob")
    await _create(http, purpose="enroll", replace=True)
    # A ticket from before does not pass the lock, and is not burnt.
    caller = await Caller.offer(iter(()), on_message=lambda _: None)
    async with _offer(http, before, caller.offer_sdp) as response:
        assert await _code(response, 429) == "too_many_failures"
    clock: Any = parts.clock
    clock.s += 30
    await _create(http)
    async with _offer(http, before, caller.offer_sdp) as response:
        assert response.status == 200
    await caller.close()


async def test_a_relying_app_has_its_rate(http: Http, parts: Parts) -> None:
    codes = []
    for _ in range(61):
        async with http.get("/v1/sessions/unknown", headers=AUTH) as response:
            codes.append(response.status)
    assert codes == [404] * 60 + [429]


async def test_an_address_has_its_rate_of_wrong_secrets(http: Http, parts: Parts) -> None:
    from server.limits import Buckets

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


# Offers


async def test_an_offer_is_answered_once(http: Http, parts: Parts, offer: str) -> None:
    made = await _create(http)
    async with _offer(http, made, offer) as response:
        body = await response.json()
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert response.headers["Vary"] == "Origin"
    assert set(body) == {"type", "sdp"}
    assert body["type"] == "answer"
    assert parts.inference.reserved == 1
    async with _offer(http, made, offer) as response:
        assert await _code(response, 409) == "ticket_used"
    assert parts.inference.reserved == 1


async def test_of_many_offers_with_one_ticket_one_is_answered(
    http: Http, parts: Parts, offer: str
) -> None:
    made = await _create(http)

    async def one() -> int:
        async with _offer(http, made, offer) as response:
            return int(response.status)

    statuses = await asyncio.gather(*(one() for _ in range(12)))
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 409, 503}
    assert parts.inference.reserved == 1


async def test_wrong_tickets(http: Http, parts: Parts, offer: str) -> None:
    made, other = await _create(http), await _create(http)
    for ticket in ("", "x", "x" * 43, other["ticket"], made["ticket"] + "x", made["session"]):
        header = f"Bearer {ticket}" if ticket else "Basic eDp5"
        async with _offer(http, made, offer, Authorization=header) as response:
            assert await _code(response, 401) == "ticket_invalid"
    async with _offer(http, {**made, "session": "unknown"}, offer, Origin="") as response:
        assert await _code(response, 401) == "ticket_invalid"
    clock: Any = parts.clock
    clock.s += 60
    async with _offer(http, made, offer) as response:
        assert await _code(response, 401) == "ticket_invalid"
    assert parts.inference.reserved == 0


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://shop.example", ORIGIN + ":444", ORIGIN + "/"]
)
async def test_wrong_origins(http: Http, offer: str, origin: str) -> None:
    made = await _create(http)
    async with _offer(http, made, offer, Origin=origin) as response:
        assert await _code(response, 403) == "origin_not_allowed"
        assert "Access-Control-Allow-Origin" not in response.headers
    async with http.options(
        f"/v1/sessions/{made['session']}/offer", headers={"Origin": origin}
    ) as response:
        assert await _code(response, 403) == "origin_not_allowed"
    async with _offer(http, made, offer) as response:  # the ticket is still good
        assert response.status == 200


async def test_no_origin_is_a_setting(http: Http, parts: Parts, offer: str) -> None:
    from dataclasses import replace

    made = await _create(http)
    parts.settings = replace(parts.settings, allow_no_origin=False)
    async with _offer(http, made, offer, Origin="") as response:
        assert await _code(response, 403) == "origin_not_allowed"
    parts.settings = replace(parts.settings, allow_no_origin=True)
    async with _offer(http, made, offer, Origin="") as response:
        assert response.status == 200
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_a_browser_may_ask_before(http: Http) -> None:
    made = await _create(http)
    async with http.options(
        f"/v1/sessions/{made['session']}/offer",
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    ) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "authorization" in response.headers["Access-Control-Allow-Headers"]


async def test_a_page_may_read_its_refusals(http: Http) -> None:
    made = await _create(http)
    async with _offer(http, made, "v=0") as response:
        assert response.status == 400
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN


BAD_SDP = {
    "empty": "",
    "garbage": "hello",
    "huge": "v=0\r\n" + "a=x\r\n" * 10000,
    "no media": "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n",
    "200 media": "v=0\r\n" + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 200,
    "audio only": "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n",
}


@pytest.mark.parametrize("name", BAD_SDP)
async def test_a_malformed_offer_burns_no_ticket(
    http: Http, parts: Parts, offer: str, name: str
) -> None:
    made = await _create(http)
    async with _offer(http, made, BAD_SDP[name]) as response:
        assert (await _code(response, 400)).startswith("sdp_")
    async with _offer(http, made, offer) as response:
        assert response.status == 200


async def test_an_offer_without_fingerprint_is_refused(http: Http, offer: str) -> None:
    made = await _create(http)
    lines = [line for line in offer.splitlines() if "fingerprint" not in line]
    async with _offer(http, made, "\r\n".join(lines) + "\r\n") as response:
        assert await _code(response, 400) == "sdp_no_fingerprint"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"type": "answer", "sdp": ""}, 400, "request_invalid"),
        ({"type": "offer"}, 400, "request_invalid"),
        ({"type": "offer", "sdp": 5}, 400, "request_invalid"),
        ({"type": "offer", "sdp": "", "more": 1}, 400, "request_invalid"),
        ([], 400, "request_malformed"),
        ({"type": "offer", "sdp": "x" * 200_000}, 413, "request_too_large"),
    ],
)
async def test_wrong_offer_bodies(
    http: Http, parts: Parts, body: Any, status: int, code: str
) -> None:
    made = await _create(http)
    headers = {"Authorization": f"Bearer {made['ticket']}"}
    url = f"/v1/sessions/{made['session']}/offer"
    async with http.post(url, data=json.dumps(body), headers=headers) as response:
        assert await _code(response, status) == code


async def test_more_sessions_than_admitted(http: Http, parts: Parts, offer: str) -> None:
    made = [await _create(http) for _ in range(3)]
    for one in made[:2]:
        async with _offer(http, one, offer) as response:
            assert response.status == 200
    async with _offer(http, made[2], offer) as response:
        assert await _code(response, 503) == "busy"
        assert response.headers["Retry-After"] == "2"
        assert (await response.json())["error"]["retry"] is True
    next(iter(parts.peers)).stop()
    async with asyncio.timeout(5):
        while parts.inference.reserved == 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    async with _offer(http, made[2], offer) as response:  # the ticket was not burnt
        assert response.status == 200


async def test_what_fails_after_the_claim_gives_everything_back(
    http: Http, parts: Parts, offer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await _create(http)

    async def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("aiortc says no")

    monkeypatch.setattr(connection.Connection, "accept", broken)
    async with _offer(http, made, offer) as response:
        assert await _code(response, 500) == "internal"
        assert "aiortc" not in await response.text()
    assert parts.inference.reserved == 0
    assert (await parts.store.session(made["session"])).state == "expired"


async def test_a_removed_client_has_no_sessions(http: Http, parts: Parts, offer: str) -> None:
    made = await _create(http)
    await parts.store.remove_client(CLIENT)
    async with _offer(http, made, offer, Origin="") as response:
        assert await _code(response, 401) == "ticket_invalid"


# The rest


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/sessions", 405, "method_not_allowed"),
        ("PUT", "/healthz", 405, "method_not_allowed"),
        ("GET", "/", 404, "not_found"),
        ("GET", "/web/nothing.js", 404, "not_found"),
        ("GET", "/web/__init__.py", 404, "not_found"),
        ("GET", "/web/..%2Fserver%2Fapp.py", 404, "not_found"),
        ("GET", "/web/tsconfig.json", 404, "not_found"),
        ("GET", "/web/demo/app.py", 404, "not_found"),
    ],
)
async def test_nothing_else_is_there(
    http: Http, method: str, path: str, status: int, code: str
) -> None:
    async with http.request(method, URL(path, encoded=True)) as response:
        assert await _code(response, status) == code


async def test_the_widget_may_be_loaded_by_any_page(http: Http) -> None:
    async with http.get("/web/face-login.js") as response:
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "javascript" in response.headers["Content-Type"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_keys_are_published(http: Http) -> None:
    async with http.get("/.well-known/jwks.json") as response:
        (key,) = (await response.json())["keys"]
    assert key["alg"] == "ES256"
    assert "d" not in key


async def test_metrics_are_for_this_machine_or_for_the_token(http: Http, parts: Parts) -> None:
    from dataclasses import replace

    async with http.get("/metrics") as response:
        assert response.status == 200
        assert "lookgate_sessions_active 0" in await response.text()
    async with http.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}) as response:
        assert await _code(response, 403) == "metrics_forbidden"
    parts.settings = replace(parts.settings, metrics_token="m" * 16)
    async with http.get("/metrics") as response:
        assert await _code(response, 403) == "metrics_forbidden"
    headers = {"Authorization": f"Bearer {'m' * 16}", "X-Forwarded-For": "1.2.3.4"}
    async with http.get("/metrics", headers=headers) as response:
        assert response.status == 200


async def test_a_store_that_is_down_is_told_and_recovers(
    http: Http, parts: Parts, monkeypatch: pytest.MonkeyPatch, offer: str
) -> None:
    made = await _create(http)

    async def down(*args: Any, **kwargs: Any) -> Any:
        raise Unavailable

    with monkeypatch.context() as broken:
        for verb in ("client", "session", "add_session", "claim_session", "ping"):
            broken.setattr(parts.store, verb, down)
        wish = {"purpose": "login", "subject": "ann", "nonce": NONCE}
        async with http.post("/v1/sessions", json=wish, headers=AUTH) as response:
            assert await _code(response, 503) == "store_unavailable"
            assert (await response.json())["error"]["retry"] is True
        async with _offer(http, made, offer) as response:
            assert await _code(response, 503) == "store_unavailable"
        async with http.get("/readyz") as response:
            assert await _code(response, 503) == "store_unavailable"
        async with http.get("/healthz") as response:
            assert response.status == 200
    async with http.get("/readyz") as response:
        assert response.status == 200
    async with _offer(http, made, offer) as response:
        assert response.status == 200


async def test_before_ready_and_while_stopping(http: Http, parts: Parts) -> None:
    parts.opened.clear()
    for path in ("/readyz", "/.well-known/jwks.json", "/v1/sessions/x"):
        async with http.get(path, headers=AUTH) as response:
            assert await _code(response, 503) == "not_ready"
    parts.opened.set()
    parts.stopping = True
    for path in ("/readyz", "/v1/sessions/x"):
        async with http.get(path, headers=AUTH) as response:
            assert await _code(response, 503) == "server_stopping"


async def test_limits_count_people_behind_a_proxy(http: Http, parts: Parts) -> None:
    from dataclasses import replace
    from typing import cast

    from aiohttp.test_utils import make_mocked_request

    from server.http.requests import address_of

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


async def test_the_clock_of_a_gate_is_used(parts: Parts) -> None:
    assert isinstance(parts.clock, Clock)
