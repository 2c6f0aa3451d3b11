"""The listening socket and its connections: deadlines, caps, and answers outside of any handler.

aiohttp limits no time and no number by itself, answers what is no HTTP with the sender's bytes,
and inflates bodies before anybody asked for them. Not here: who gives way (connections.py), what
is done around a request (middleware.py). Source: RFC 9112 section 9.5 (time-outs);
`aiohttp.web_protocol` 3.14.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import hdrs, web

from server.http.addresses import counted
from server.http.answers import answer, dress, plain
from server.http.connections import Connections
from server.problems import Problem

BACKLOG = 128
"""Connections that the system accepts for us in one turn of the event loop, before any is seen."""
MAX_RECEIVED_BYTES = 512 * 1024
"""What a connection may send for one request, lingering included: four times the largest body
(requests.py). More is not even read, because reading costs the event loop a second a gigabyte."""
LINGER_S = 5.0
"""How long a body that nobody wants is read, so that its sender can read the refusal."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds that a connection may take."""

    head_s: float = 10.0
    """From its beginning, or from a request's first byte, to the end of the request's head."""
    request_s: float = 40.0
    """From the head to the last byte of the answer. A body is due in 10 s (requests.py)."""
    idle_s: float = 75.0
    """Between two requests, as nginx does."""


BEHIND_PROXY = Deadlines(idle_s=3600.0)
"""A proxy closes connections by itself; where we do first, it loses a request now and then."""


class HttpConnection(web.RequestHandler):
    """One connection, with an end in sight at any time."""

    __slots__ = ("_alarm", "_connections", "_deadlines", "_received", "_waits", "proxied")

    def __init__(
        self, server: web.Server, connections: Connections, deadlines: Deadlines, *, proxied: bool
    ) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            auto_decompress=False,
            access_log=None,  # type: ignore[arg-type]
            keepalive_timeout=2.0 * deadlines.idle_s,  # ours come before it
            lingering_time=LINGER_S,
        )
        self.proxied = proxied
        self._connections = connections
        self._deadlines = deadlines
        self._received = 0
        self._waits = False
        """Between two requests."""
        self._alarm: asyncio.TimerHandle | None = None

    # uvloop's transports are asyncio.Transport by what they do, but none of its subclasses.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it in, or refuse it before it was read."""
        address = None
        if not self.proxied:
            peer = transport.get_extra_info("peername")
            address = counted(str(peer[0])) if peer else None
        if not self._connections.add(self, address):
            logger.warning("connection refused", extra={"connections": len(self._connections)})
            transport.write(_REFUSED)
            transport.close()
            return
        super().connection_made(transport)
        self._due(self._deadlines.head_s)

    def connection_lost(self, exc: BaseException | None) -> None:
        """It ended, whoever ended it."""
        self._due(None)
        self._connections.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        self._received += len(data)
        if self._received > MAX_RECEIVED_BYTES:
            self.drop()
            return
        if data and self._waits:
            self._waits = False
            self._due(self._deadlines.head_s)
        super().data_received(data)

    def begin(self) -> None:
        """A head is there, and its request is being answered."""
        self._waits = False
        self._connections.begin(self)
        self._due(self._deadlines.request_s)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer: aiohttp's own refusals in our shape, and all with our headers."""
        if isinstance(resp, web.HTTPException) and resp.status >= 400:
            resp = plain(resp)
        dress(resp)
        if self._connections.leaving:
            resp.force_close()
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._received = 0
            self._waits = True
            self._connections.wait(self)
            self._due(self._deadlines.idle_s)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP (400), or what came past all our handlers (500)."""
        if status >= 500:
            logger.error("bug beside a request", exc_info=exc)
        response = answer(Problem("internal" if status >= 500 else "request_bad"))
        response.force_close()
        return response

    def drop(self) -> None:
        """End now."""
        self._due(None)
        if self.transport is not None:
            self.transport.abort()

    def _due(self, seconds: float | None) -> None:
        """Drop it in so many seconds; None: not any more."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = None
        if seconds is not None and self.transport is not None:
            self._alarm = asyncio.get_running_loop().call_later(seconds, self.drop)


def _whole(response: web.Response) -> bytes:
    """An answer as bytes, for a connection that is not read."""
    dress(response)
    assert isinstance(response.body, bytes), "error answers are short texts"
    response.headers[hdrs.CONTENT_LENGTH] = str(len(response.body))
    response.headers[hdrs.CONNECTION] = "close"
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + response.body


_REFUSED = _whole(answer(Problem("too_many_connections", retry_after_s=2.0)))


@web.middleware
async def begun(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Tell the connection that its request has begun; the outermost middleware."""
    connection = request.protocol
    if isinstance(connection, HttpConnection):
        connection.begin()
    return await handler(request)


class Site(web.BaseSite):
    """A TCP port that is listened on within limits."""

    def __init__(
        self,
        runner: web.BaseRunner,
        host: str,
        port: int,
        *,
        connections: Connections,
        proxied: bool,
        deadlines: Deadlines | None = None,
        inherited: Sequence[socket.socket] = (),
    ) -> None:
        """`proxied`: the peers are proxies of ours, so no address has a cap.

        `inherited` sockets listen already, for several processes; host and port are theirs.
        """
        super().__init__(runner)
        self._inherited = tuple(inherited)
        self._servers: list[asyncio.AbstractServer] = []
        self._host = host
        self._port = port
        self._connections = connections
        self._proxied = proxied
        self._deadlines = deadlines or (BEHIND_PROXY if proxied else Deadlines())

    @property
    def name(self) -> str:
        """Where it was told to listen."""
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        await super().start()
        server = self._runner.server
        assert server is not None, "BaseSite has asked"

        def made() -> Any:
            return HttpConnection(server, self._connections, self._deadlines, proxied=self._proxied)

        loop = asyncio.get_running_loop()
        if not self._inherited:
            self._server = await loop.create_server(made, self._host, self._port, backlog=BACKLOG)
            return
        for one in self._inherited:
            self._servers.append(await loop.create_server(made, sock=one, backlog=BACKLOG))
        self._server = self._servers[0]

    @property
    def listening(self) -> bool:
        """Whether connections are taken."""
        return self._server is not None and self._server.is_serving()

    async def stop(self) -> None:
        """Take no more connections; those that are open stay. Inherited sockets are closed here,
        and the other processes take what waits in them."""
        for server in self._servers:
            server.close()
        if self in self._runner.sites:
            await super().stop()

    def leave(self) -> None:
        """Other processes go on: whoever asks here once more is sent to them by a closed
        connection, and loses nothing, because the answer says so (RFC 9112 section 9.6)."""
        self._connections.leaving = True
