"""How connections are taken: how many at once, how long each may take to say what it wants.

Not here: how long a form may take (guard.py), what is answered (app.py). Without these caps one
caller who sends half a request a thousand times holds every descriptor of the process.
Source: RFC 9112 section 9.5 (a server may close what is slow), aiohttp's `web_protocol`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from web.demo.addresses import UNKNOWN, network_of

_log = logging.getLogger("demo.front")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What one process takes on."""

    connections: int = 400
    """Far below the 1,024 descriptors that a process has by default."""
    connections_of_address: int | None = 200
    """Thirty people of one office, six connections each; None behind a proxy, whose address all
    share."""
    head_s: float = 10.0
    """For a request's head, and for the pause between two requests."""


class Door:
    """Counts who is connected."""

    def __init__(self, caps: Caps) -> None:
        self._caps = caps
        self._inside: Counter[str] = Counter()

    def enter(self, network: str) -> bool:
        """False when there is no place; who was let in must leave."""
        most = self._caps.connections_of_address
        if self._inside.total() >= self._caps.connections:
            _log.warning("too many connections")
            return False
        if most is not None and self._inside[network] >= most:
            _log.warning("too many connections of one address")
            return False
        self._inside[network] += 1
        return True

    def leave(self, network: str) -> None:
        self._inside[network] -= 1
        self._inside += Counter()  # those at zero go


class _Connection(web.RequestHandler):
    """One connection of aiohttp's, if there is a place for it."""

    def __init__(self, server: Any, door: Door, caps: Caps) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            # No access log: it would be the only place that knows when whom had their face looked
            # at.
            access_log=None,  # type: ignore[arg-type]  # as its own runner does
            keepalive_timeout=caps.head_s,  # runs from the first byte on, too
            lingering_time=1.0,  # for a body that nobody asked for
            auto_decompress=False,  # or a small body costs seconds
        )
        self._door = door
        self._network: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        network = network_of(peer[0]) if peer else UNKNOWN
        if not self._door.enter(network):
            assert isinstance(transport, asyncio.Transport)
            transport.abort()
            return
        self._network = network
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._network is not None:
            self._door.leave(self._network)
            self._network = None
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is no HTTP is told so, without its own bytes and without names of what runs here."""
        _log.info("not HTTP", extra={"status": status, "error": type(exc).__name__})
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        response = web.Response(status=status, text="Bad request", headers={"Server": "lantern"})
        response.force_close()
        return response


@asynccontextmanager
async def listening(
    app: web.Application, *, host: str, port: int, caps: Caps
) -> AsyncIterator[int]:
    """Serve the app; gives the port. Raises OSError when it is taken."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        door = Door(caps)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _Connection(runner.server, door, caps), host, port
        )
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
    finally:
        await runner.cleanup()
