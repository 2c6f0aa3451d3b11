"""The relying app's half of the HTTP interface against docs/protocol.md, bad input included."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp import encode_basic_auth
from yarl import URL

from server.parts import Parts
from server.store.port import Client
from server.tools.caller.rtc_caller import Caller
from tests.server.http.asking import AUTH, NONCE, Http, code_of, create, post_offer
from tests.server.stage import add_client, enrolled, failed


async def test_a_session_is_made_and_shown(http: Http, parts: Parts) -> None:
    made = await create(http)
    assert set(made) == {"session", "ticket", "expires_at", "ice_servers", "consent"}
    assert made["ice_servers"] == []
    expires = datetime.fromisoformat(made["expires_at"])
    assert expires - parts.now() == timedelta(seconds=60)
    record = await parts.store.sessions.get(made["session"])
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
        "duplicate": False,
        "created_at": "2026-01-01T12:00:00.000Z",
        "finished_at": None,
    }


async def test_a_ticket_nobody_came_with_is_shown_as_expired(http: Http, parts: Parts) -> None:
    made = await create(http)
    clock: Any = parts.clock
    clock.s += 61
    async with http.get(f"/v1/sessions/{made['session']}", headers=AUTH) as response:
        assert (await response.json())["state"] == "expired"


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
        assert await code_of(response, 400) == "request_invalid"


async def test_foreign_and_unknown_sessions_are_one_answer(http: Http, parts: Parts) -> None:
    made = await create(http)
    other = "o" * 43
    digest = hashlib.sha256(other.encode()).digest()
    await add_client(parts, Client("other", digest, (), "standard", parts.now()))
    for session in (made["session"], "unknown", "u" * 43, "%ED%A0%80", "%00", "$ne"):
        async with http.get(
            URL(f"/v1/sessions/{session}", encoded=True),
            headers={"Authorization": encode_basic_auth("other", other)},
        ) as response:
            assert await code_of(response, 404) == "session_unknown"


async def test_enrolling_twice_needs_replace(http: Http, parts: Parts) -> None:
    await enrolled(parts, "ann", 1)
    wish = {"purpose": "enroll", "subject": "ann", "nonce": NONCE}
    async with http.post("/v1/sessions", json=wish, headers=AUTH) as response:
        assert await code_of(response, 409) == "subject_enrolled"
    await create(http, purpose="enroll", replace=True)
    await create(http, purpose="enroll", subject="bob")


async def test_a_login_of_an_unknown_subject_is_like_any_other(http: Http, parts: Parts) -> None:
    await enrolled(parts, "ann", 1)
    known, unknown = await create(http), await create(http, subject="nobody")
    assert {k: len(str(v)) for k, v in known.items()} == {
        k: len(str(v)) for k, v in unknown.items()
    }


async def test_after_five_failures_no_offer_for_a_login_but_everything_else(
    http: Http, parts: Parts
) -> None:
    """A session may be made: only the offer says whether its device is known."""
    await enrolled(parts, "ann", 1)
    for _ in range(5):
        await failed(parts, "ann")
    made = await create(http)
    await create(http, subject="bob")
    await create(http, purpose="enroll", replace=True)
    # The ticket does not pass the lock, and is not burnt.
    caller = await Caller.offer(iter(()), on_message=lambda _: None)
    async with post_offer(http, made, caller.offer_sdp) as response:
        assert await code_of(response, 429) == "too_many_failures"
        assert response.headers["Retry-After"] == "30"
    clock: Any = parts.clock
    clock.s += 30
    async with post_offer(http, made, caller.offer_sdp) as response:
        assert response.status == 200
    await caller.close()


async def test_after_fifty_failures_the_face_is_switched_off(http: Http, parts: Parts) -> None:
    clock: Any = parts.clock
    await enrolled(parts, "ann", 1)
    for _ in range(50):
        clock.s += 901
        await failed(parts, "ann")
    clock.s += 1e6
    made, caller = await create(http), await Caller.offer(iter(()), on_message=lambda _: None)
    async with post_offer(http, made, caller.offer_sdp) as response:
        assert await code_of(response, 403) == "face_disabled"
        assert "Retry-After" not in response.headers
    await caller.close()
