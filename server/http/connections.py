"""How many HTTP connections there may be, in all and of one address, and which one gives way.

Pure: counts, no sockets and no times. Not here: what a connection is and how long it may take
(listening.py). Source: nginx's `worker_connections`, which closes connections that wait between
two requests before it refuses a new one; RFC 4987 section 3.3 ("recycling the oldest half-open").
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Protocol

DESCRIPTORS_OF_OURS = 64
"""Files, database, pipes and libraries: some 20 in use, measured on a serving process."""


def kept_back(*, sessions: int, addresses: int, backlog: int) -> int:
    """Descriptors that connections must not take, because media and files need them.

    `addresses`: of this machine, because each is a socket of a session's ICE; a session has at most
    two sockets more. `sessions`: those that connect included. `backlog`: connections that are
    accepted before they can be refused.
    """
    return DESCRIPTORS_OF_OURS + backlog + sessions * (addresses + 2)


class Closable(Protocol):
    """What a connection is here."""

    def drop(self) -> None:
        """End now; no request of it is being answered."""


class Connections:
    """The connections of one server.

    One waits while none of its requests is being answered: between two requests, or before the end
    of a head. Where there is no room, the one that has waited longest gives way to a new one. So
    half-sent heads displace each other, and one who sends a whole head is not kept out by them.
    """

    def __init__(self, most: int, most_of_address: int) -> None:
        self.most = most
        self.most_of_address = most_of_address
        self.leaving = False
        """Each ends with its next answer."""
        self._address: dict[Closable, str | None] = {}
        self._of_address: Counter[str | None] = Counter()
        self._waiting: OrderedDict[Closable, None] = OrderedDict()
        """The one that has waited longest first."""

    def __len__(self) -> int:
        """How many there are."""
        return len(self._address)

    def add(self, one: Closable, address: str | None) -> bool:
        """Take a connection in, which waits; False if there is no room and none gives way.

        `address` None: it counts for no address, because its peer is a proxy of ours.
        """
        crowded = address is not None and self._of_address[address] >= self.most_of_address
        if crowded and not self._make_room(address):
            return False
        if len(self) >= self.most and not self._make_room(None):
            return False
        self._address[one] = address
        self._of_address[address] += 1
        self._waiting[one] = None
        return True

    def remove(self, one: Closable) -> None:
        """It ended. One that was not taken in is none of ours."""
        if one not in self._address:
            return
        address = self._address.pop(one)
        self._of_address[address] -= 1
        if not self._of_address[address]:
            del self._of_address[address]
        self._waiting.pop(one, None)

    def wait(self, one: Closable) -> None:
        """Its request was answered."""
        if one in self._address:
            self._waiting[one] = None
            self._waiting.move_to_end(one)

    def begin(self, one: Closable) -> None:
        """Its request is being answered."""
        self._waiting.pop(one, None)

    def _make_room(self, address: str | None) -> bool:
        """Drop one of `address`; None: one of any."""
        for one in self._waiting:
            if address is None or self._address[one] == address:
                self.remove(one)
                one.drop()
                return True
        return False
