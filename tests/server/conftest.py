"""A server that speaks MongoDB's protocol, for what must run against one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.conformance.secantus import Secantus


@pytest.fixture(scope="session")
def secantus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secantus]:
    """Shared by all tests; each has a database of its own in it."""
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
