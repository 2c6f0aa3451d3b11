"""A fresh, empty database for each test of the suite, of every kind there is."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server.store.port import Store
from tests.server.conformance.backends import Backend, MongoBackend, Secantus, SqliteBackend


@pytest.fixture(scope="session")
def secantus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secantus]:
    """Shared by the suite; each test has a database of its own in it."""
    server = Secantus(tmp_path_factory.mktemp("secantus"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_secantus(tmp_path: Path) -> Iterator[Secantus]:
    """For tests that stop it."""
    server = Secantus(tmp_path / "secantus")
    server.start()
    yield server
    server.stop()


REAL = os.environ.get("MONGODB_URI")
"""A real MongoDB, if there is one; test_mongo.py says so if there is none."""


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
