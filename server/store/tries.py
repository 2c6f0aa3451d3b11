"""What is counted of tries to log in: counters, what one says, and when the next try is allowed.

A try is taken before a session runs, so that tries at once cannot pass a limit, and is given back
when the session ends in a success or without harm. A try that nobody ever ends stays a failure.
Here: the values and the rules, which are pure, and the port's verbs. Not here: which counters a
session takes (server/session/lockout.py), what counts as a failure (server/session/verdict.py), the
databases (sqlite/tries.py, mongo/tries.py).
Source: NIST SP 800-63B-4 section 3.2.3; OWASP, "device cookies"; docs/decisions/lockout.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """Whose tries a counter counts."""

    STRANGERS = "strangers"
    """Those of a subject with a template, on devices that are not known."""
    DEVICE = "device"
    """Those of a subject on one known device."""
    NAME = "name"
    """Those of subjects without a template: a table of fixed size that forgets."""
    ADDRESS = "address"
    """Those of one address (IPv6: /64) that name nobody or come from a strange device."""
    CLIENT = "client"
    """Those of a relying app that name nobody."""
    CODE = "code"
    """Wrong one-time and recovery codes of a subject, wherever they come from."""


@dataclass(frozen=True, slots=True)
class Counter:
    """Which one. Client, kind and key name it."""

    client_id: str
    kind: Kind
    key: str
    subject: str | None = None
    """With whom it is forgotten."""
    tag: str = ""
    """Whose place in a table it is now; under another tag it begins at 0."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many failures, and what then."""

    in_a_row: int
    """After so many, one try at a time, each after a wait."""
    in_all: int | None
    """After so many since the last success or unlock, none. None: waits only."""
    rolls: bool = False
    """`in_a_row` counts a day from its first failure on, because successes do not end it."""


IN_A_ROW = 5
"""NIST SP 800-63B-4 section 3.2.3, for biometrics."""
IN_ALL = 50
"""From the same place: then another factor is asked for."""
FIRST_S = 30.0
"""The first wait, from the same place."""
LONGEST_S = 900.0
"""Doubling stops here: an owner must be able to come back on the same day."""
DECAY = timedelta(hours=24)
"""Failures in a row are forgotten after so long; those in all never."""
UNDER_WAY = timedelta(seconds=60)
"""No session lasts longer (PEACE_S of server/app.py). A try that was not ended by then failed."""

OF_ADDRESS = 50
"""In a day. An office behind one address has first logins of its own. Measured by nobody: a guess,
between one person and a crowd, so an operator can set another (LOOKGATE_ADDRESS_FAILURES)."""
OF_CLIENT = 500
"""The same of a relying app's `identify`: a door has people whom it does not know
(LOOKGATE_IDENTIFY_FAILURES)."""

Limits = Mapping[Kind, Limit]


def limits_of(*, address: int = OF_ADDRESS, client: int = OF_CLIENT) -> Limits:
    """Of each kind; those of a person are NIST's, and nobody's to change."""
    person = Limit(IN_A_ROW, IN_ALL)
    return {
        Kind.STRANGERS: person,
        Kind.DEVICE: person,
        Kind.NAME: person,
        Kind.CODE: person,
        Kind.ADDRESS: Limit(address, None, rolls=True),
        Kind.CLIENT: Limit(client, None, rolls=True),
    }


LIMITS = limits_of()


@dataclass(frozen=True, slots=True)
class Refused:
    """No try now."""

    wait_s: float
    """Until there may be one, at most LONGEST_S; 0.0 if `disabled`."""
    disabled: bool = False
    """Until somebody unlocks."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What one counter says. All changes give a new one."""

    n: int = 0
    """Failures in a row, tries under way included."""
    total: int = 0
    """The same since the last success or unlock."""
    since: datetime | None = None
    """When `n` began."""
    last: datetime | None = None
    """When the last failure ended."""
    taken: tuple[tuple[str, datetime], ...] = ()
    """Sessions under way, and since when."""

    def at(self, now: datetime, limit: Limit) -> Tally:
        """As it stands then: who never came back failed, and what is old is forgotten.

        A clock that jumps makes no wait longer, because nothing is later than now.
        """
        gone = [at for _, at in self.taken if abs(now - at) >= UNDER_WAY]
        left = tuple(one for one in self.taken if abs(now - one[1]) < UNDER_WAY)
        known = [at for at in (self.last, *gone) if at is not None]
        last = min(max(known), now) if known else None
        since = min(self.since, now) if self.since is not None else None
        n = self.n
        begins = since if limit.rolls else last
        if begins is not None and now - begins >= DECAY:
            n, since = len(left), now if left else None
        return Tally(n, self.total, since, last, left)

    def refusal(self, now: datetime, limit: Limit) -> Refused | None:
        """Why the next try may not begin now; None if it may."""
        now_is = self.at(now, limit)
        under_way = len(now_is.taken)
        if limit.in_all is not None and now_is.total >= limit.in_all:
            if now_is.total - under_way >= limit.in_all:
                return Refused(0.0, disabled=True)
            return Refused(FIRST_S)  # one of those under way may be given back
        if now_is.n < limit.in_a_row:
            return None
        if under_way:
            return Refused(FIRST_S)
        # The exponent is capped so that a large count cannot overflow the float.
        wait_s = min(LONGEST_S, FIRST_S * 2.0 ** min(now_is.n - limit.in_a_row, 16))
        if now_is.last is None:
            return None
        left_s = (now_is.last + timedelta(seconds=wait_s) - now).total_seconds()
        return Refused(left_s) if left_s > 0.0 else None

    def take(self, session_id: str, now: datetime, limit: Limit) -> Tally:
        """One more under way; again for the same session changes nothing."""
        now_is = self.at(now, limit)
        if any(session_id == taken for taken, _ in now_is.taken):
            return now_is
        return replace(
            now_is,
            n=now_is.n + 1,
            total=now_is.total + 1,
            since=now_is.since or now,
            taken=(*now_is.taken, (session_id, now)),
        )

    def fail(self, session_id: str, at: datetime) -> Tally:
        """That one failed."""
        left = self._without(session_id)
        if len(left) == len(self.taken):
            return self
        return replace(self, last=max(at, self.last or at), taken=left)

    def give_back(self, session_id: str) -> Tally:
        """That one is not counted."""
        left = self._without(session_id)
        if len(left) == len(self.taken):
            return self
        n = max(0, self.n - 1)
        return replace(
            self, n=n, total=max(0, self.total - 1), since=self.since if n else None, taken=left
        )

    def succeed(self, session_id: str) -> Tally:
        """That one succeeded: only those under way are left."""
        return replace(self, taken=self._without(session_id)).unlock()

    def unlock(self) -> Tally:
        """Begin anew; those under way may still fail."""
        under_way = len(self.taken)
        return Tally(under_way, under_way, self.since if under_way else None, None, self.taken)

    def _without(self, session_id: str) -> tuple[tuple[str, datetime], ...]:
        return tuple(one for one in self.taken if one[0] != session_id)


def ended(
    tally: Tally, counter_kind: Kind, session_id: str, *, failed: bool | None, at: datetime
) -> Tally:
    """As a session leaves it. `failed`: None for a success, which only a device's own counter
    remembers, because a stranger who succeeds as himself must not reset what others share; and
    that of codes, because only a right code counts as one there."""
    if failed:
        return tally.fail(session_id, at)
    if failed is None and counter_kind in (Kind.DEVICE, Kind.CODE):
        return tally.succeed(session_id)
    return tally.give_back(session_id)


@dataclass(frozen=True, slots=True)
class Held:
    """A counter of a subject, as it is kept."""

    counter: Counter
    tally: Tally
    until: datetime | None
    """Of a device: how long it is known."""


class Tries(Protocol):
    """The counters. Every method may raise Unavailable. Endings of port.py end what is taken."""

    async def take(
        self, session_id: str, counters: Sequence[Counter], now: datetime
    ) -> Refused | None:
        """One try on each of these for a session, or on none of them and why.

        Raises NotFound: no such client, or a device that is not known (any more).
        """

    async def end(
        self, session_id: str, counters: Sequence[Counter], *, failed: bool | None, at: datetime
    ) -> None:
        """End what a session took whose record ends in another way; again changes nothing.
        `failed`: None for a success."""

    async def tally(self, counter: Counter) -> Tally:
        """What it says, as it was written last."""

    async def keep_device(
        self, device: Counter, until: datetime, *, most: int, instead: str | None = None
    ) -> None:
        """The device is known until then, in place of the one with the key `instead`, and `most` of
        its subject at most: the one that is known for the shortest time goes. Raises Conflict (it
        is known already), NotFound: no such client."""

    async def knows_device(self, device: Counter, now: datetime) -> bool:
        """Whether it is known."""

    async def of_subject(self, client_id: str, subject: str) -> Sequence[Held]:
        """All counters of a subject, by kind and key."""

    async def unlock(self, client_id: str, subject: str, *, forget_devices: bool = False) -> int:
        """All counters of a subject begin anew; how many had counted something. Its devices stay
        known, unless they are to be forgotten."""
