"""A database on SecantusDB that a test may also reach with the driver."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.server.conformance.backends import MongoBackend
from tests.server.conformance.secantus import Secantus


@pytest.fixture(autouse=True)
def told_here() -> Iterator[None]:
    """What was left open is told at the end of its test, not in some later one."""
    yield
    gc.collect()


@pytest.fixture
async def mongo(secantus: Secantus) -> AsyncIterator[MongoBackend]:
    made = MongoBackend(secantus.url)
    yield made
    await made.destroy()
