"""Who decides whether a session may begin now: the port, and the decision within one process.

Opening asks an `Admission` and knows nothing else of places; so the decision may be made here, or
in another process that several servers share. Not here: the counting (occupancy.py), what is done
with a place (opening.py, peer.py). Source: docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from server.session.occupancy import Holder, Occupancy
from server.session.presence import Patience


class Place(Protocol):
    """One session's right to be here, from before its ticket is taken until it is decided."""

    @property
    def patience(self) -> Patience:
        """How long the session may take to show a picture."""

    def take_over(self) -> None:
        """The ticket is ours: end the older sessions of the same person at the same address."""

    def show(self) -> bool:
        """The session shows a picture; False: not yet, because all places are taken."""

    def wanted(self) -> bool:
        """Others wait for a place: who does not need this one should give it back."""

    def when_replaced(self, call: Callable[[], None]) -> None:
        """Call this when a newer session takes over; at once if one has already."""

    def give_back(self) -> None:
        """Exactly once: the session needs its place no more."""


class Admission(Protocol):
    """Gives out places."""

    async def enter(self, holder: Holder, session_id: str, wait_s: float) -> Place:
        """A place for a session, whose ticket may then be taken; waits up to `wait_s` for one.

        Raises Problem too_many_sessions (this person or address has enough) and busy (all have).
        """


class LocalAdmission:
    """Admission of a server that shares its places with no other process."""

    def __init__(self, occupancy: Occupancy, clock: Callable[[], float]) -> None:
        """`clock`: monotonic seconds."""
        self.occupancy = occupancy
        self._clock = clock

    async def enter(self, holder: Holder, session_id: str, wait_s: float) -> Place:
        """As Admission says."""
        return self.occupancy.enter(holder, self._clock())
