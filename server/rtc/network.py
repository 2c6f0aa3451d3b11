"""Where a connection listens: bind addresses and port range, which aioice does not have.

Not here: the list of what is patched (stack.py). Source: aioice 0.13 and its issues 47 and 112.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from aioice import ice


@dataclass(frozen=True, slots=True)
class Network:
    """Where a connection may listen."""

    addresses: tuple[str, ...] = ()
    """Addresses to bind; none: all of this machine but loopback."""
    ports: tuple[int, int] | None = None
    """First and last UDP port; None: what the system gives."""
    loopback: bool = False
    """With no `addresses`: 127.0.0.1 as well, for a peer on this machine."""


_ANYWHERE = Network()
_network: ContextVar[Network] = ContextVar("lookgate_rtc_network", default=_ANYWHERE)


@contextlib.contextmanager
def listening(chosen: Network) -> Iterator[None]:
    """Candidates gathered inside, and by tasks started inside, keep to `chosen`."""
    token = _network.set(chosen)
    try:
        yield
    finally:
        _network.reset(token)


_host_addresses_of_stack = ice.get_host_addresses


def host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    """The addresses that candidates are gathered on, as aioice asks for them."""
    chosen = _network.get()
    if chosen.addresses:
        return [a for a in chosen.addresses if (use_ipv6 if ":" in a else use_ipv4)]
    found = list(_host_addresses_of_stack(use_ipv4, use_ipv6))
    return ["127.0.0.1", *found] if chosen.loopback or not found else found


def asyncio_of_ice() -> ModuleType:
    """The asyncio module as aioice.ice is to see it: its loop opens sockets in the port range."""
    seen = ModuleType("asyncio")
    vars(seen).update({**vars(asyncio), "get_running_loop": _running_loop})
    return seen


def _running_loop() -> Any:
    loop = asyncio.get_running_loop()
    return loop if _network.get().ports is None else PortRangeLoop(loop)


class PortRangeLoop:
    """The three things that aioice.ice 0.13 wants of a loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.create_future = loop.create_future
        self.run_in_executor = loop.run_in_executor
        self._loop = loop

    async def create_datagram_endpoint(
        self, factory: Any, local_addr: tuple[str, int], **more: Any
    ) -> Any:
        """A socket on a free port of the range. Raises OSError if there is none."""
        ports = _network.get().ports
        if ports is None or local_addr[1] != 0:
            return await self._loop.create_datagram_endpoint(factory, local_addr=local_addr, **more)
        # Not in order: a port that was just closed may still get its old peer's packets.
        for port in random.sample(range(ports[0], ports[1] + 1), ports[1] - ports[0] + 1):
            with contextlib.suppress(OSError):
                return await self._loop.create_datagram_endpoint(
                    factory, local_addr=(local_addr[0], port), **more
                )
        raise OSError("no free port in the range")
