"""Who has a session now, and who may have one more: by person, by address, and by place.

Rates bound how often one asks; places are few and are held for seconds, so they are shared out by
who holds them. Pure: times are arguments, monotonic seconds. Not here: who waits for a place
(admission.py), what the CPUs carry (pressure.py), when a peer counts as gone (presence.py).
Source: this project's own attack, one account that held all places within every rate; "a few
sessions an owner, the newest wins" is how mail servers bound connections (Dovecot,
`mail_max_userip_connections`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from server.problems import Problem
from server.session.presence import Patience
from server.session.pressure import SETTLE_S, Capacity

YOUNG_S = 3.0
"""A session that connects keeps a place for its picture for so long: ICE and DTLS take 0.2 to 1.5 s
on the networks that were measured (docs/benchmarks.md). Later it must find one free."""
HURRIED = Patience(connect_s=5.0, first_frame_s=5.0)
"""Where places run short."""
BUSY_S = 2.0
"""When to ask again: half a login."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a session is."""

    client_id: str
    subject: str | None
    """None: identify, which is anybody's of that address."""
    address: str
    """As limits count it."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many sessions there may be at the same time."""

    showing: int
    """That show a picture, which costs inference."""
    connecting: int
    """That show none yet."""
    subject_addresses: int
    """Addresses at which one subject may have a session."""
    identify: int
    """Without a subject, of one client and address; never all that may show, unless that is one."""


CROWDED = 1.5
"""So many times what the CPUs carry may show a picture of those who were let in: what is carried
sinks while somebody connects, and whose ticket was taken should not be sent away."""


class Place:
    """One session's right to be here, from before its ticket is taken until it is decided."""

    def __init__(
        self, occupancy: Occupancy, holder: Holder, started_s: float, patience: Patience
    ) -> None:
        self.holder = holder
        self.started_s = started_s
        self.young_s = started_s
        """Since when it connects, or one that it takes over from did: beginning anew and anew keeps
        no place."""
        self.patience = patience
        """How long it may take to show a picture."""
        self.showing = False
        self._occupancy = occupancy
        self._replaced = False
        self._given_back = False
        self._when_replaced: Callable[[], None] | None = None

    def take_over(self) -> None:
        """The ticket is ours: end the older sessions of the same person at the same address."""
        self._occupancy.replace(self)

    def show(self) -> bool:
        """The session shows a picture; False: not yet, because all places are taken."""
        if not self.showing:
            self.showing = self._occupancy.may_show()
        return self.showing

    def wanted(self) -> bool:
        """Others wait for a place."""
        return self._occupancy.wanted()

    def when_replaced(self, call: Callable[[], None]) -> None:
        """Call this when a newer session takes over; at once if one has already."""
        self._when_replaced = call
        if self._replaced:
            call()

    def replaced(self) -> None:
        """A newer session has taken over."""
        self._replaced = True
        if self._when_replaced is not None:
            self._when_replaced()

    def give_back(self) -> None:
        """Exactly once: the session needs its place no more."""
        if self._given_back:
            raise AssertionError("a place was given back twice")
        self._given_back = True
        self._occupancy.remove(self)


class Occupancy:
    """The sessions of one server."""

    def __init__(self, room: Room, capacity: Capacity | None = None) -> None:
        """`capacity` None: only `room` bounds it."""
        self.room = room
        self.left: Callable[[Place], None] = lambda place: None
        """Is called with each place that counts no more."""
        self.wanted: Callable[[], bool] = lambda: False
        """Says whether others wait."""
        self._capacity = capacity
        self._places: dict[Place, None] = {}
        """In the order in which they came."""

    def __len__(self) -> int:
        """How many sessions there are."""
        return len(self._places)

    def limit(self) -> int:
        """How many sessions are let in, now."""
        if self._capacity is None:
            return self.room.showing
        return min(self.room.showing, self._capacity.sessions())

    def at_once(self) -> float:
        """How many may begin before what they cost is known; infinite if nothing is measured."""
        return math.inf if self._capacity is None else self._capacity.at_once()

    def ages_s(self, now_s: float) -> list[float]:
        """How long ago each session began."""
        return [now_s - place.started_s for place in self._places]

    def may_show(self) -> bool:
        """Whether one more may show a picture."""
        showing = sum(place.showing for place in self._places)
        return showing < min(self.room.showing, CROWDED * self.limit())

    def enter(self, holder: Holder, now_s: float) -> Place:
        """A place for a session, whose ticket may then be taken.

        Raises Problem too_many_sessions (this person or address has enough) and busy (all have).
        Sessions of others are never touched; older ones of the same holder only by `take_over`.
        """
        if holder.subject is None:
            most = max(1, min(self.room.identify, self.room.showing - 1))
            if sum(place.holder == holder for place in self._places) >= most:
                raise Problem("too_many_sessions", retry_after_s=BUSY_S)
        elif len(self._elsewhere(holder)) >= self.room.subject_addresses:
            raise Problem("too_many_sessions", retry_after_s=BUSY_S)
        # The older ones of the same holder make room for it.
        others = [place for place in self._places if not _gives_way(place.holder, holder)]
        connecting = [place for place in others if not place.showing]
        young = [place for place in connecting if now_s - place.young_s < YOUNG_S]
        showing = len(others) - len(connecting)
        limit = self.limit()
        if showing + len(young) >= limit or len(connecting) >= self.room.connecting:
            raise Problem("busy", retry_after_s=BUSY_S)
        # One that connects slowly, because the CPU is short, is no more known than a new one.
        seen = [place for place in others if place.showing]
        new = len(young) + sum(now_s - place.started_s < SETTLE_S for place in seen)
        if not slow_start(len(others), new, self.at_once()):
            raise Problem("busy", retry_after_s=BUSY_S)
        short = 4 * (showing + len(connecting)) >= 3 * limit
        place = Place(self, holder, now_s, HURRIED if short else Patience())
        older = [one for one in self._places if _gives_way(one.holder, holder) and not one.showing]
        place.young_s = min([now_s, *(one.young_s for one in older)])
        self._places[place] = None
        return place

    def replace(self, newer: Place) -> None:
        """End what came before this one and is the same holder's."""
        if newer not in self._places:
            return  # a still newer one has taken over from this one
        for place in list(self._places):
            if place is newer:
                break
            if _gives_way(place.holder, newer.holder):
                self.remove(place)
                place.replaced()

    def remove(self, place: Place) -> None:
        """It counts no more."""
        if place in self._places:
            del self._places[place]
            self.left(place)

    def _elsewhere(self, holder: Holder) -> set[str]:
        """Other addresses at which this subject has sessions."""
        return {
            place.holder.address
            for place in self._places
            if (place.holder.client_id, place.holder.subject) == (holder.client_id, holder.subject)
            and place.holder.address != holder.address
        }


def slow_start(there: int, new: int, at_once: float) -> bool:
    """Whether one more may begin where so many are, of whom `new` are not yet known to be carried:
    a slow start, as TCP has (RFC 5681 section 3.1)."""
    return new < max(at_once, there - new)


def _gives_way(older: Holder, newer: Holder) -> bool:
    """Whether a session of the one ends when the other begins one."""
    return newer.subject is not None and older == newer
