"""Requests that several tests make, as a relying app and as its page make them."""

from __future__ import annotations

from typing import Any

from aiohttp import encode_basic_auth, web
from aiohttp.test_utils import TestClient

from tests.server.stage import CLIENT, ORIGIN, SECRET

AUTH = {"Authorization": encode_basic_auth(CLIENT, SECRET)}
NONCE = "nonce-nonce-nonce-1"
Http = TestClient[web.Request, web.Application]


async def code_of(response: Any, status: int) -> str:
    """The code of an error answer, which has the one shape and this status."""
    body = await response.json()
    assert response.status == status, body
    assert set(body["error"]) == {"code", "text", "retry"}
    return str(body["error"]["code"])


async def create(http: Http, **fields: Any) -> dict[str, Any]:
    """A session, made as the relying app does."""
    wish = {"purpose": "login", "subject": "ann", "nonce": NONCE, **fields}
    async with http.post("/v1/sessions", json=wish, headers=AUTH) as response:
        assert response.status == 201, await response.text()
        assert response.headers["Cache-Control"] == "no-store"
        found: dict[str, Any] = await response.json()
        return found


def post_offer(http: Http, made: dict[str, Any], sdp: str, **headers: str) -> Any:
    """Post an offer as a page does; an empty header is left out."""
    given = {"Authorization": f"Bearer {made['ticket']}", "Origin": ORIGIN, **headers}
    given = {name: value for name, value in given.items() if value}
    return http.post(
        f"/v1/sessions/{made['session']}/offer",
        json={"type": "offer", "sdp": sdp},
        headers=given,
    )
