"""An open store on a file, and the file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.store.sqlite.store import SqliteStore
from tests.server.conformance.records import a_client


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite3"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, wait_s=0.2)
    await store.open()
    await store.clients.add(a_client())
    yield store
    await store.close()
