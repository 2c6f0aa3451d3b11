"""A store with one relying app, as an operator registered it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.store.port import Store
from server.store.sqlite.store import SqliteStore
from tests.server.oidc.asking import an_app


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = SqliteStore(tmp_path / "store.sqlite3")
    await made.open()
    await made.clients.add(an_app())
    yield made
    await made.close()
