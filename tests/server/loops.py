"""For a conftest.py: its tests run on the event loop that serves, not on asyncio's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from server import event_loop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """As pytest-asyncio asks for them: a name is what a test's name shows."""
    return {"serving": event_loop.factory() or asyncio.new_event_loop}
