"""The newest thing, and how many were missed on the way. One producer, one consumer, one loop.

No queue: a slow consumer skips, it never lags (a login wants the face of now). Not thread-safe.
Source: the unbounded track queue of aiortc (its issue 554) is what this replaces.
"""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class SlotClosed(Exception):
    """Nothing is in the slot and nothing will come."""


class LatestSlot(Generic[T]):
    """Holds at most one item; a newer one takes its place."""

    def __init__(self) -> None:
        self.dropped = 0
        """Items that were replaced before anyone took them, or came after the end."""
        self._items: list[T] = []
        self._closed = False
        self._changed = asyncio.Event()

    @property
    def closed(self) -> bool:
        """True after `close`; an item may still be there to take."""
        return self._closed

    def put(self, item: T) -> None:
        """Make `item` the newest one; never waits."""
        if self._closed:
            self.dropped += 1
            return
        self.dropped += len(self._items)
        self._items[:] = [item]
        self._changed.set()

    async def get(self) -> T:
        """Take the newest item, waiting for one. Raises SlotClosed when there can be none."""
        await self.peek()
        return self.take()

    async def peek(self) -> T:
        """Wait until there is an item; it stays. Raises SlotClosed when there can be none."""
        while not self._items:
            if self._closed:
                raise SlotClosed
            self._changed.clear()
            await self._changed.wait()
        return self._items[-1]

    def take(self) -> T:
        """Take the newest item, which must be there."""
        return self._items.pop()

    def close(self) -> None:
        """No more items. Whoever waits learns of it; calling it again changes nothing."""
        self._closed = True
        self._changed.set()
