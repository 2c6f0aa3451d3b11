"""A slow line between a browser and the server: a relay on loopback that lets few bytes through.

The page's answer names the relay in place of the server. Only the way to the server is slow. The
line holds back what comes too fast, as a home router does, and loses what it cannot hold.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from typing import Any

HEADERS = 28
"""Bytes of IP and UDP (RFC 791, RFC 768) that a packet takes on the line beside its own."""
CANDIDATE = re.compile(r"(a=candidate:\S+ 1 udp \d+ 127\.0\.0\.1 )(\d+)( typ host)", re.IGNORECASE)


class SlowLine(asyncio.DatagramProtocol):
    """Bound to a port of its own; the first to send is the browser."""

    def __init__(self, server_port: int, kbps: float, held_s: float = 0.5) -> None:
        """`kbps`: of the line; `held_s`: how long a packet may wait in it."""
        self.dropped = 0
        self._bytes_a_s = kbps * 1000 / 8
        self._most = self._bytes_a_s * held_s
        self._server = ("127.0.0.1", server_port)
        self._browser: tuple[str, int] | None = None
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._own: asyncio.DatagramTransport
        self._far: asyncio.DatagramTransport
        self._task: asyncio.Task[None]

    @classmethod
    async def open(cls, server_port: int, kbps: float) -> SlowLine:
        """Relay to a port of the server."""
        line = cls(server_port, kbps)
        loop = asyncio.get_running_loop()
        line._own, _ = await loop.create_datagram_endpoint(lambda: line, ("127.0.0.1", 0))
        line._far, _ = await loop.create_datagram_endpoint(
            lambda: _Back(line), remote_addr=line._server
        )
        line._task = asyncio.create_task(line._send())
        return line

    @property
    def port(self) -> int:
        """Where the browser sends to."""
        return int(self._own.get_extra_info("sockname")[1])

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._browser = addr
        if self._size + len(data) > self._most:
            self.dropped += 1
            return
        self._waiting.append(data)
        self._size += len(data) + HEADERS

    def back(self, data: bytes) -> None:
        """From the server: at once."""
        if self._browser is not None:
            self._own.sendto(data, self._browser)

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        free_s = loop.time()
        while True:
            if not self._waiting:
                await asyncio.sleep(0.001)
                free_s = max(free_s, loop.time())
                continue
            data = self._waiting.popleft()
            size = len(data) + HEADERS
            free_s += size / self._bytes_a_s
            await asyncio.sleep(max(0.0, free_s - loop.time()))
            self._size -= size
            self._far.sendto(data)

    def close(self) -> None:
        """Nothing passes any more."""
        self._task.cancel()
        self._own.close()
        self._far.close()


class _Back(asyncio.DatagramProtocol):
    def __init__(self, line: SlowLine) -> None:
        self._line = line

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._line.back(data)


async def through(sdp: str, kbps: float) -> tuple[str, SlowLine]:
    """An answer whose candidate is a slow line to the one that it named."""
    found = CANDIDATE.search(sdp)
    assert found is not None, "the answer names no address on loopback"
    line = await SlowLine.open(int(found[2]), kbps)
    return CANDIDATE.sub(lambda m: f"{m[1]}{line.port}{m[3]}", sdp), line
