"""The sockets that a server with several processes listens at: bound once, inherited by all.

Not here: what accepts from them (server/http/listening.py). Source: asyncio's `create_server`,
which binds the same way; socket(7).
"""

from __future__ import annotations

import socket

BACKLOG = 128
"""As of one process (server/http/listening.py); they share the socket and its queue."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen at every address of a host, as one process would. Raises OSError."""
    made: list[socket.socket] = []
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            one = socket.socket(family, socket.SOCK_STREAM)
            made.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind((address[0], made[0].getsockname()[1] or port, *address[2:]))
            one.listen(BACKLOG)
            one.setblocking(False)
    except OSError:
        for one in made:
            one.close()
        raise
    return made


def url_of(listening: socket.socket) -> str:
    """Where a socket listens, with the port that the system chose for port 0."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in str(host) else f"http://{host}:{port}"
