"""How the pictures of a subject's sessions went, sealed: to know a film that is shown again.

Here: the record and the noun's Protocol. One is kept for as long as its session is, and goes with
it, because no retention may be longer than that of what it was made from. Not here: what is in one
(pipeline/session/fingerprint.py), who seals it and compares (server/session/replays.py).
Source: docs/replayed.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Of one session."""

    session_id: str
    client_id: str
    subject: str
    """Whom the session is for, or whom it found."""
    created_at: datetime
    expires_at: datetime
    """As its session's."""
    accepted: bool
    """What was decided. Those that were refused are counted by themselves, because a stranger may
    make many of them."""
    key_id: str
    """Which master key sealed it."""
    sealed: bytes
    """At most 2 kB; client, subject and session are its associated data."""


class Fingerprints(Protocol):
    """Every method may raise Unavailable."""

    async def keep(self, fingerprint: Fingerprint, *, most: int) -> None:
        """Of the subject's accepted ones `most` are kept, the newest, and as many of the others.

        Raises Conflict (the session has one), NotFound: no such session (any more).
        """

    async def of_subject(self, client_id: str, subject: str) -> Sequence[Fingerprint]:
        """The newest first; of one moment, by session, the last first."""

    async def forget_others(self, key_id: str) -> int:
        """Remove all that another master key sealed; how many. They are short-lived, so nobody
        seals them anew."""
