"""Being called later, as an event loop does it, so that tests turn the clock themselves.

Not here: who waits for what (peer.py). Source: `asyncio.loop.call_later`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """What `call_later` gives."""

    def cancel(self) -> None:
        """Do not call any more."""


CallLater = Callable[[float, Callable[[], None]], Timer]
"""Calls something in so many seconds."""
