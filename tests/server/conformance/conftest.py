"""A fresh, empty database for each test of the suite, of every kind there is."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.store.port import Store
from tests.server.conformance.backends import Backend, MongoBackend, SqliteBackend
from tests.server.conformance.records import a_client

REAL = os.environ.get("MONGODB_URI")
"""A real MongoDB, if there is one; test_backends.py says so if there is none."""


@pytest.fixture(params=["sqlite", "secantusdb", *(["mongodb"] if REAL else [])])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    made: Backend
    if request.param == "sqlite":
        made = SqliteBackend(tmp_path / "data" / "store.sqlite3")
    elif request.param == "secantusdb":
        made = MongoBackend(request.getfixturevalue("secantus").url)
    else:
        assert REAL is not None
        made = MongoBackend(REAL)
    yield made
    await made.destroy()


@pytest.fixture
async def store(backend: Backend) -> Store:
    store = backend.store()
    await store.open()
    return store


@pytest.fixture
async def shop(store: Store) -> Store:
    """An open store that knows the client `shop`."""
    await store.clients.add(a_client())
    return store


@pytest.fixture
async def two(backend: Backend, shop: Store) -> tuple[Store, Store]:
    """Two Store objects on one database: two processes, as far as the database can tell."""
    other = backend.store()
    await other.open()
    return shop, other
