"""Who waits for a place, and who is next: in turn by relying app, then by address.

A flood of one app or of one address stands behind its own first, and where the line is full, it is
the last of the longest that leaves. Pure: times are arguments, monotonic seconds. Not here: who may
have a place (occupancy.py), waiting itself and its HTTP (admission.py, server/http/offers.py).
Source: fair queueing, one queue for each source, served in turn (RFC 970, "On Packet Switches With
Infinite Storage"), on two levels.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from server.problems import Problem
from server.session.occupancy import BUSY_S, Holder, Room

AGAIN_S = 1.0
"""When to ask again, for somebody in line. Nobody is called while between two questions, so
short."""
GRACE_S = 5.0
"""Later by so much somebody still keeps the rank: a slow network, a page in the background."""


@dataclass(slots=True, eq=False)
class Waiting:
    """One session in line."""

    session_id: str
    holder: Holder
    number: int
    """Those who came earlier have lower ones."""
    since_s: float
    until_s: float
    """The rank is lost then; infinite while the question is held."""

    @property
    def present(self) -> bool:
        """The question is held, so a place can be given at once."""
        return self.until_s == math.inf


class Line:
    """The line of one server."""

    def __init__(self, most: int, room: Room) -> None:
        """`most`: sessions in line; of one person and one address as many as `room` says."""
        self._most = most
        self._room = room
        self._waiting: dict[str, Waiting] = {}
        self._turns: dict[Hashable, int] = {}
        """When an app, or an app's address, comes to its turn: lower is sooner."""
        self._number = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def find(self, session_id: str) -> Waiting | None:
        """The session in line, if it is there."""
        return self._waiting.get(session_id)

    def join(
        self, session_id: str, holder: Holder, now_s: float
    ) -> tuple[Waiting | None, list[Waiting]]:
        """Come, or come again; also those who had to leave for it.

        None: the line is full. A newer session of the same person at the same address takes the
        older one's rank. Raises Problem too_many_sessions.
        """
        if (found := self._waiting.get(session_id)) is not None:
            return found, []
        older = next(
            (
                one
                for one in self._waiting.values()
                if one.holder == holder and holder.subject is not None
            ),
            None,
        )
        if older is None:
            self._check(holder)
        else:
            del self._waiting[older.session_id]
        self._number += 1
        number = self._number if older is None else older.number
        since_s = now_s if older is None else older.since_s
        mine = Waiting(session_id, holder, number, since_s, now_s + AGAIN_S + GRACE_S)
        self._waiting[session_id] = mine
        for key in _keys(holder):
            self._turns.setdefault(key, self._number)
        left = [] if older is None else [older]
        if len(self._waiting) > self._most:
            last = self.order()[-1]
            self.leave(last)
            if last is mine:
                return None, left
            left.append(last)
        return mine, left

    def leave(self, one: Waiting) -> None:
        """It waits no more, and loses its rank."""
        if self._waiting.get(one.session_id) is one:
            del self._waiting[one.session_id]
            kept = {key for other in self._waiting.values() for key in _keys(other.holder)}
            for key in set(_keys(one.holder)) - kept:
                self._turns.pop(key, None)

    def serve(self, one: Waiting) -> None:
        """It got a place: its app and its address come last among theirs."""
        self._number += 1
        for key in _keys(one.holder):
            self._turns[key] = self._number
        self.leave(one)

    def expire(self, now_s: float) -> list[Waiting]:
        """Who did not ask again in time is gone."""
        gone = [one for one in self._waiting.values() if one.until_s <= now_s]
        for one in gone:
            self.leave(one)
        return gone

    def order(self) -> list[Waiting]:
        """All who wait, the next one first."""
        apps: dict[str, dict[str, list[Waiting]]] = {}
        for one in sorted(self._waiting.values(), key=lambda one: one.number):
            addresses = apps.setdefault(one.holder.client_id, {})
            addresses.setdefault(one.holder.address, []).append(one)
        return self._in_turn(
            {
                client: self._in_turn({(client, address): q for address, q in addresses.items()})
                for client, addresses in apps.items()
            }
        )

    def ahead(self, one: Waiting) -> int:
        """How many are served before."""
        return self.order().index(one)

    def _in_turn(self, queues: dict[Hashable, list[Waiting]]) -> list[Waiting]:
        """One of each queue, then the second of each, and so on."""
        ranked = [
            (rank, self._turns[key], one.number, one)
            for key, queue in queues.items()
            for rank, one in enumerate(queue)
        ]
        return [one for *_, one in sorted(ranked, key=lambda row: row[:3])]

    def _check(self, holder: Holder) -> None:
        same = [
            one.holder
            for one in self._waiting.values()
            if (one.holder.client_id, one.holder.subject) == (holder.client_id, holder.subject)
        ]
        if holder.subject is None:
            enough = same.count(holder) >= self._room.identify
        else:
            enough = len(same) >= self._room.subject_addresses
        if enough:
            raise Problem("too_many_sessions", retry_after_s=BUSY_S)


def _keys(holder: Holder) -> Iterable[Hashable]:
    return (holder.client_id, (holder.client_id, holder.address))
