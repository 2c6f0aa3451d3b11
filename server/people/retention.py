"""What is erased because its time is over: templates that nobody uses, sessions, tapes.

A client has periods of its own (`lookgate client retention`). A template goes with everything else
of its person, as when they ask for it, so that there is one way out (forgetting.py). Nothing is
erased by a clock that jumped. Not here: when this runs (server/life.py, `lookgate gc`), the records
(server/store/retention.py). Source: GDPR art. 5(1)(e), docs/privacy.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pipeline.refusal import Refusal
from server.people.shelf import Shelf
from server.store.port import KEPT_AFTER_EXPIRY, NotFound, Store
from server.store.retention import ClockStand, Periods

JUMP = timedelta(days=1)
"""From one look at the clock to the next, an hour later while a server runs, it goes no further."""
DOUBT = timedelta(days=3)
"""After a jump, or when all servers were off for longer than JUMP, nothing is erased until the
clock has gone on evenly for so long: a weekend, in which somebody can read the log."""

logger = logging.getLogger(__name__)

Forget = Callable[[str, str], Awaitable[object]]
"""Removes everything of a client's subject."""


class ClockDoubted(Refusal):
    """The wall clock jumped, so nothing is erased."""

    def __init__(self, stand: ClockStand) -> None:
        super().__init__(
            "clock_doubted",
            "The clock stands more than a day from where it was last believed"
            f" ({stand.believed_at:%F %T} UTC), so nothing is erased. If it is right, say so:"
            " `lookgate gc --clock-is-right`. Else set it.",
        )


@dataclass(frozen=True, slots=True)
class Due:
    """What is over its time, or was erased, of one client."""

    client_id: str
    subjects: tuple[str, ...] = ()
    """Whose template nobody used."""
    sessions: int = 0
    tapes: tuple[Path, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.subjects or self.sessions or self.tapes)


def looked(stand: ClockStand | None, now: datetime) -> tuple[ClockStand, bool]:
    """The clock's stand after one more look, and whether erasures may go by it."""
    if stand is None or abs(now - stand.believed_at) <= JUMP:
        return ClockStand(now), True
    since, seen = stand.doubted_since, stand.seen_at
    even = since is not None and seen is not None and timedelta(0) <= now - seen <= JUMP
    if since is None or not even:
        return ClockStand(stand.believed_at, now, now), False
    if now - since >= DOUBT:
        return ClockStand(now), True
    return ClockStand(stand.believed_at, since, now), False


async def believe_clock(store: Store, now: datetime, *, is_right: bool = False) -> None:
    """Look at the clock before anything is erased. `is_right`: the operator says so.

    Raises ClockDoubted, Unavailable.
    """
    before = await store.retention.clock()
    stand, believed = looked(None if is_right else before, now)
    await store.retention.keep_clock(stand)
    if not believed:
        raise ClockDoubted(stand)


async def due(store: Store, shelf: Shelf | None, now: datetime) -> Sequence[Due]:
    """What is over its time, by client; nothing is erased. Raises Unavailable, OSError."""
    periods = await store.retention.all()
    clients = [client.client_id for client in await store.clients.all()]
    tapes = {} if shelf is None else await asyncio.to_thread(shelf.over, now, _days(periods))
    found = []
    for client_id in sorted({*clients, *tapes}):
        period = periods.get(client_id, Periods())
        sessions = await store.retention.expired_sessions(client_id, _oldest(period, now))
        subjects = await _unused(store, client_id, period, now)
        found.append(Due(client_id, tuple(subjects), sessions, tuple(tapes.get(client_id, ()))))
    return [one for one in found if one]


async def erase(store: Store, shelf: Shelf | None, now: datetime, forget: Forget) -> Sequence[Due]:
    """Erase it, once the clock is believed; what went, by client. One person that cannot be removed
    now is left for the next time. Raises Unavailable, OSError."""
    periods = await store.retention.all()
    erased = []
    for one in await due(store, shelf, now):
        period = periods.get(one.client_id, Periods())
        gone = [
            subject
            for subject in one.subjects
            if await _forget_unused(store, period, one.client_id, subject, now, forget)
        ]
        sessions = await store.retention.remove_sessions(one.client_id, _oldest(period, now))
        tapes = [] if shelf is None else await asyncio.to_thread(shelf.remove, one.tapes)
        erased.append(Due(one.client_id, tuple(gone), sessions, tuple(tapes)))
        logger.info(
            "over its time and erased",
            extra={
                "client": one.client_id,
                "templates": len(gone),
                "sessions": sessions,
                "recordings": len(tapes),
            },
        )
    return erased


async def _forget_unused(
    store: Store, period: Periods, client_id: str, subject: str, now: datetime, forget: Forget
) -> bool:
    """Whether it went; who logged in at this moment stays."""
    last = await store.retention.last_success(client_id, subject)
    if period.templates is None or (last and last >= now - timedelta(days=period.templates)):
        return False
    with contextlib.suppress(NotFound):
        try:
            await forget(client_id, subject)
            return True
        except Refusal as error:
            told = {"client": client_id, "code": error.code}
            logger.error("somebody whose time is over could not be removed", extra=told)
    return False


async def _unused(store: Store, client_id: str, period: Periods, now: datetime) -> Sequence[str]:
    """Nobody before the period has run once since it was set: no success was kept before."""
    if period.templates is None or period.since is None:
        return ()
    before = now - timedelta(days=period.templates)
    return () if period.since > before else await store.retention.unused(client_id, before)


def _oldest(period: Periods, now: datetime) -> datetime:
    if period.sessions is None:
        return now - KEPT_AFTER_EXPIRY
    return now - timedelta(days=period.sessions)


def _days(periods: Mapping[str, Periods]) -> Mapping[str, float]:
    return {name: one.tapes for name, one in periods.items() if one.tapes is not None}
