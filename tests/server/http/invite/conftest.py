"""A server whose client has people and the page of invitations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.parts import Parts
from server.store.relying import RelyingParty
from tests.server.http.login.conftest import clock, http, parts, unhurried
from tests.server.oidc.asking import REDIRECT
from tests.server.stage import Clock, change_client, close_parts

__all__ = ["clock", "http", "parts"]
RELYING = RelyingParty("Shop", (REDIRECT,), ("https://shop.example/hello",), ways=("key", "otp"))


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[tuple[Parts, Clock]]:
    parts, clock = await unhurried(tmp_path)
    await change_client(parts, relying=RELYING)
    yield parts, clock
    await close_parts(parts)
