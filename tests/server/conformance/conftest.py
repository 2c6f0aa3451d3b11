"""A fresh, empty database for each test of the suite, of every kind there is.

`--store ferretdb` (tests/conftest.py) runs it against FerretDB alone, as `make test-peers` does.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.store.port import Store
from tests.peers.ferretdb_server import ferretdb
from tests.server.conformance.backends import Backend, FerretBackend, MongoBackend, SqliteBackend
from tests.server.conformance.records import a_client

__all__ = ["ferretdb"]

REAL = os.environ.get("MONGODB_URI")
"""A real MongoDB, if there is one; test_backends.py says so if there is none."""


LACKS = {
    "test_no_end_of_a_try_is_lost",
    "test_of_fifty_claims_one_wins",
    "test_of_fifty_endings_one_counts",
    "test_of_fifty_ends_one_counts",
    "test_of_fifty_moves_one_wins_and_its_code_is_the_one",
    "test_of_fifty_redemptions_one_wins",
    "test_of_fifty_tries_at_once_five_run_and_the_others_are_refused",
    "test_of_fifty_uses_of_a_count_one_wins",
    "test_of_fifty_with_one_name_one_is_the_first",
    "test_of_fifty_with_one_password_one_wins",
    "test_of_fifty_with_one_recovery_code_one_wins",
    "test_of_ten_recovery_codes_at_once_all_count",
    "test_of_twenty_changes_of_a_part_one_wins",
    "test_of_twenty_changes_one_wins",
    "test_of_twenty_who_seal_anew_one_wins",
    "test_of_two_logins_at_once_one_moves_it_and_it_counts",
    "test_racing_writers_lose_no_change_to_a_follower",
    "test_rotations_at_once_leave_one_that_signs",
}
"""What FerretDB 1.24 does not hold, each looked into: its update reads a document, changes it and
writes it back, and another update in between is lost."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Which databases take part."""
    if "backend" in metafunc.fixturenames:
        peer = metafunc.config.getoption("store")
        usual = ["sqlite", "secantusdb", *(["mongodb"] if REAL else [])]
        metafunc.parametrize("backend", [peer] if peer else usual, indirect=True)


@pytest.fixture
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    made: Backend
    if request.param == "sqlite":
        made = SqliteBackend(tmp_path / "data" / "store.sqlite3")
    elif request.param == "secantusdb":
        made = MongoBackend(request.getfixturevalue("secantus").url)
    elif request.param == "ferretdb":
        if request.node.originalname in LACKS:
            pytest.skip("FerretDB 1.24 lets several updates at once match one state")
        made = FerretBackend(request.getfixturevalue("ferretdb").url)
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
