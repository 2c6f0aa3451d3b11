"""What a session needs of its connection. The real one is server/rtc/connection.py.

Protocols only: a test's connection obeys them without a network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from pipeline.frame import Frame
from server.frames.convert import Decoded


class Pictures(Protocol):
    """The newest picture; as server/rtc/slot.py."""

    @property
    def dropped(self) -> int:
        """Pictures that a newer one replaced before they were taken."""

    async def peek(self) -> Decoded | Frame:
        """Wait until there is one; it stays. Raises SlotClosed when there can be none."""

    def take(self) -> Decoded | Frame:
        """Take the newest one, which must be there."""


class Connection(Protocol):
    """One peer's connection, from its answered offer to its end."""

    @property
    def frames(self) -> Pictures: ...

    @property
    def channel_open(self) -> asyncio.Event:
        """Set when messages can be sent."""

    @property
    def closed(self) -> asyncio.Event:
        """Set when the connection has ended or failed, whoever ended it."""

    @property
    def times_s(self) -> Mapping[str, float]:
        """When it came how far, monotonic seconds, for the log; "offer" is the first."""

    def undecoded(self) -> Mapping[str, int]:
        """Frames that brought no picture, by reason."""

    def overflow(self) -> int:
        """Datagrams that were dropped because the peer sent too much."""

    def send(self, text: str) -> bool:
        """Send a message; False if nobody can hear it."""

    async def flush(self, timeout_s: float) -> bool:
        """Wait until the peer has all messages; False if it has not in time."""

    async def close(self) -> None:
        """End it; returns when it has ended. May be called again."""
