"""For how long what is kept: a client's periods, the last success of each subject, and the clock
that erasures go by.

Here: the records, and the Protocol of the noun. Not here: what follows from them, and when
(server/people/retention.py), the databases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Periods:
    """Whole days; None: as the server has it."""

    templates: int | None = None
    """Since it was made, used, or this was set, whichever is the last. None: for ever."""
    sessions: int | None = None
    """Since its ticket expired. None: KEPT_AFTER_EXPIRY."""
    tapes: int | None = None
    """Since it was recorded. None: LOOKGATE_RECORD_DAYS."""
    since: datetime | None = None
    """When it was set."""


@dataclass(frozen=True, slots=True)
class ClockStand:
    """What the wall clock said when it was looked at."""

    believed_at: datetime
    """The last time that was believed."""
    doubted_since: datetime | None = None
    """The first of the times that are not believed, if the last one was not."""
    seen_at: datetime | None = None
    """The last of these."""


class Retention(Protocol):
    """Every method may raise Unavailable."""

    async def set(self, client_id: str, periods: Periods) -> None:
        """Instead of those that it had. Raises NotFound: no such client."""

    async def all(self) -> Mapping[str, Periods]:
        """By client, of those that have any."""

    async def last_success(self, client_id: str, subject: str) -> datetime | None:
        """When a face was last accepted as this subject's, by login or identify."""

    async def unused(self, client_id: str, before: datetime) -> Sequence[str]:
        """Subjects whose template was made before then, and not used since, by subject."""

    async def expired_sessions(self, client_id: str, before: datetime) -> int:
        """How many sessions of a client expired before then."""

    async def remove_sessions(self, client_id: str, before: datetime) -> int:
        """Remove these; how many."""

    async def clock(self) -> ClockStand | None:
        """As it was kept; None if it never was."""

    async def keep_clock(self, stand: ClockStand) -> None:
        """Instead of the one there was."""
