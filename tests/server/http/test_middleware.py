"""Every failure over HTTP has the one shape."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.http import middleware
from server.keys.vault import VaultError
from server.parts import Parts
from server.problems import KINDS, Problem
from server.readiness import LOOK_S
from server.store.port import Broken, Unavailable
from tests.server.http.asking import AUTH, NONCE, Http, code_of, create, post_offer


async def _bug(request: web.Request) -> web.Response:
    raise RuntimeError("peer data: s3cret")


async def _down(request: web.Request) -> web.Response:
    raise Unavailable("mongodb://user:password@host")


async def _broken(request: web.Request) -> web.Response:
    raise Broken("the database file /data/s3cret", "SQLite: SQLITE_CORRUPT")


async def _locked(request: web.Request) -> web.Response:
    raise VaultError("signing_key_unusable", "No key opens.")


async def _refuse(request: web.Request) -> web.Response:
    raise Problem("too_many_failures", retry_after_s=29.2)


async def _read(request: web.Request) -> web.Response:
    await request.read()
    return web.Response()


async def _ticket(request: web.Request) -> web.Response:
    raise Problem("ticket_invalid")


@pytest.fixture
async def client() -> AsyncIterator[Http]:
    app = web.Application(middlewares=[middleware.errors], client_max_size=100)
    app.router.add_get("/bug", _bug)
    app.router.add_get("/down", _down)
    app.router.add_get("/broken", _broken)
    app.router.add_get("/locked", _locked)
    app.router.add_get("/refuse", _refuse)
    app.router.add_get("/ticket", _ticket)
    app.router.add_post("/read", _read)
    async with TestClient(TestServer(app)) as found:
        yield found


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("POST", "/bug", 405, "method_not_allowed"),
        ("POST", "/read", 413, "request_too_large"),
        ("GET", "/bug", 500, "internal"),
        ("GET", "/down", 503, "store_unavailable"),
        ("GET", "/broken", 503, "store_broken"),
        ("GET", "/locked", 503, "not_ready"),
        ("GET", "/refuse", 429, "too_many_failures"),
        ("GET", "/ticket", 401, "ticket_invalid"),
    ],
)
async def test_one_shape(client: Http, method: str, path: str, status: int, code: str) -> None:
    async with client.request(method, path, data=b"x" * 101) as response:
        assert response.status == status
        assert response.headers["Cache-Control"] == "no-store"
        body = await response.json()
        text = await response.text()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "text", "retry"}
    assert body["error"]["code"] == code
    assert body["error"]["text"] == KINDS[code].text
    assert body["error"]["retry"] is KINDS[code].retry
    assert "s3cret" not in text
    assert "password" not in text
    assert "Traceback" not in text


async def test_headers_that_the_status_asks_for(client: Http) -> None:
    async with client.get("/refuse") as response:
        assert response.headers["Retry-After"] == "30"
    async with client.get("/down") as response:
        assert response.headers["Retry-After"] == "1"
    async with client.post("/bug") as response:
        assert "GET" in response.headers["Allow"]
    async with client.get("/ticket") as response:
        assert response.headers["WWW-Authenticate"].startswith("Bearer ")


async def test_a_store_that_is_down_is_told_and_recovers(
    http: Http, parts: Parts, monkeypatch: pytest.MonkeyPatch, offer: str
) -> None:
    made = await create(http)

    async def down(*args: Any, **kwargs: Any) -> Any:
        raise Unavailable

    with monkeypatch.context() as broken:
        broken.setattr(parts.store, "check", down)
        broken.setattr(parts.store.clients, "get", down)
        for verb in ("get", "add", "claim"):
            broken.setattr(parts.store.sessions, verb, down)
        wish = {"purpose": "login", "subject": "ann", "nonce": NONCE}
        async with http.post("/v1/sessions", json=wish, headers=AUTH) as response:
            assert await code_of(response, 503) == "store_unavailable"
            assert (await response.json())["error"]["retry"] is True
        async with post_offer(http, made, offer) as response:
            assert await code_of(response, 503) == "store_unavailable"
        async with http.get("/readyz") as response:
            assert await code_of(response, 503) == "store_unavailable"
        async with http.get("/healthz") as response:
            assert response.status == 200
    clock: Any = parts.clock
    clock.s += LOOK_S
    async with http.get("/readyz") as response:
        assert response.status == 200
    async with post_offer(http, made, offer) as response:
        assert response.status == 200
