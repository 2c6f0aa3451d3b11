"""A peer's connection without a network: what was said is kept. `make check` reads it with mypy."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from pipeline.frame import Frame
from server.rtc.connection import Connection as RealConnection
from server.rtc.slot import LatestSlot
from server.session.connection import Connection


@dataclass
class FakeConnection:
    """Its page acknowledges everything and closes when all was said, unless it `stays`."""

    frames: LatestSlot[Frame] = field(default_factory=LatestSlot)
    channel_open: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    times_s: dict[str, float] = field(default_factory=dict)
    sent: list[dict[str, Any]] = field(default_factory=list)
    closings: int = 0
    overflown: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    stays: bool = False

    def send(self, text: str) -> bool:
        if self.closed.is_set():
            return False
        self.sent.append(json.loads(text))
        return True

    def overflow(self) -> int:
        return self.overflown

    def undecoded(self) -> dict[str, int]:
        return dict(self.skipped)

    async def flush(self, timeout_s: float) -> bool:
        if not self.stays:
            self.closed.set()
        return True

    async def close(self) -> None:
        self.closings += 1
        self.frames.close()
        self.closed.set()

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Messages of one type."""
        return [message for message in self.sent if message["type"] == kind]

    @property
    def verdict(self) -> dict[str, Any]:
        """The one verdict, which is the last message."""
        (found,) = self.of("verdict")
        assert self.sent[-1] is found
        return found


def obeys(real: RealConnection, fake: FakeConnection) -> tuple[Connection, Connection]:
    """For mypy: both are what a peer needs."""
    return real, fake
