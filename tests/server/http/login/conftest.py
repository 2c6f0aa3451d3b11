"""A server with the pages of logins and invitations, and a browser without a memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import DummyCookieJar, web
from aiohttp.test_utils import TestClient, TestServer

from server.http import middleware, routes
from server.http.invite import routes as invite_routes
from server.http.login import routes as login_routes
from server.http.requests import PARTS
from server.limits import Buckets
from server.parts import Parts
from tests.pipeline.observations import Camera
from tests.server.http.asking import Http
from tests.server.stage import Clock, close_parts, enrolled, make_parts


async def unhurried(folder: Path) -> tuple[Parts, Clock]:
    """A server whose rates nobody uses up."""
    parts, clock = await make_parts(folder, Camera(), rtc_addresses="127.0.0.1")
    for noun in ("client", "subject", "address"):
        parts.rates.buckets[noun] = Buckets(1e6, 10**6)  # type: ignore[attr-defined]
    return parts, clock


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[tuple[Parts, Clock]]:
    parts, clock = await unhurried(tmp_path)
    await enrolled(parts, "ann", 1)
    yield parts, clock
    await close_parts(parts)


@pytest.fixture
def parts(made: tuple[Parts, Clock]) -> Parts:
    return made[0]


@pytest.fixture
def clock(made: tuple[Parts, Clock]) -> Clock:
    return made[1]


@pytest.fixture
async def http(parts: Parts) -> AsyncIterator[Http]:
    app = web.Application(middlewares=[middleware.headers, middleware.errors])
    app[PARTS] = parts
    for one in (routes, login_routes, invite_routes):
        one.add(app)
    async with TestClient(TestServer(app), cookie_jar=DummyCookieJar()) as client:
        yield client
