"""The event loop under what serves: uvloop's where it is installed, asyncio's own elsewhere.

Not here: what runs on it (app.py, processes/). Source: docs/decisions/uvloop.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes a loop; None is asyncio's own choice."""
    try:
        import uvloop
    except ImportError:  # it has no wheel for Windows, nor for PyPy
        return None
    return uvloop.new_event_loop


def run(serving: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`."""
    with asyncio.Runner(loop_factory=factory()) as runner:
        return runner.run(serving)
