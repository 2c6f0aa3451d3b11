"""Connections are tested on the loop that they run on."""

from __future__ import annotations

from tests.server.loops import pytest_asyncio_loop_factories  # noqa: F401
