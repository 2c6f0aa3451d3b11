"""A provider for each test, on a port of loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.oidc.provider import Provider, providing


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[Provider]:
    async with providing(tmp_path) as found:
        yield found
