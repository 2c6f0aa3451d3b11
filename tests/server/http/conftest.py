"""A server's HTTP side in a test: real store and keys, nobody behind the offers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.http import middleware, routes
from server.http.requests import PARTS
from server.parts import Parts
from server.tools.caller.rtc_caller import Caller
from tests.pipeline.observations import Camera
from tests.server.http.asking import Http
from tests.server.loops import pytest_asyncio_loop_factories  # noqa: F401
from tests.server.stage import close_parts, make_parts


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    found, _ = await make_parts(
        tmp_path, Camera(), rtc_addresses="127.0.0.1", max_sessions="2", offer_rate="50"
    )
    yield found
    await close_parts(found)


@pytest.fixture
async def http(parts: Parts) -> AsyncIterator[Http]:
    app = web.Application(middlewares=[middleware.headers, middleware.errors])
    app[PARTS] = parts
    routes.add(app)
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.fixture
async def offer() -> AsyncIterator[str]:
    """A good offer; nobody is behind it."""
    caller = await Caller.offer(iter(()), on_message=lambda _: None)
    yield caller.offer_sdp
    await caller.close()
