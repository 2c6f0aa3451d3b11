"""Whether a session shows what an earlier session of its subject showed, as the setting says.

What was found is a row of the session's decision table, for its record and the audit; the page
never hears of it. Here: reading, opening and comparing what is kept, and keeping it. Not here: what
a path is (pipeline/session/fingerprint.py), how long one is kept (server/store/fingerprints.py),
how a verdict counts (verdict.py). Source: docs/replayed.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.decision import AGAINST, FOR, LIVENESS, UNKNOWN, Evidence, Stand
from pipeline.events import Decided
from pipeline.reasons import Phase, Reason
from pipeline.refusal import Refusal
from pipeline.session.fingerprint import REPLAYED, Path
from server.keys.vault import Vault
from server.store.fingerprints import Fingerprint, Fingerprints
from server.store.port import Conflict, NotFound, SessionRecord

CUE = "replayed"
MOST = 50
"""Kept of a subject's accepted sessions, and as many of the others: to open and to compare these
hundred takes 3 ms of CPU (`python -m benchmarks.replayed`), in a thread."""
WAIT_S = 1.0
"""How long reading and comparing may take; then it is not known."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """What was found of one session."""

    row: Evidence | None = None
    """For the decision table; None: nobody looked."""
    denied: Reason | None = None
    """Why it may not be accepted."""


@dataclass(frozen=True, slots=True)
class Replays:
    """Looks, and remembers."""

    fingerprints: Fingerprints
    vault: Vault
    mode: str
    """`off`: nobody looks and nothing is kept; `record`: told; `refuse`: told, and refused."""
    now: Callable[[], datetime]
    wait_s: float = WAIT_S

    async def look(self, session: SessionRecord, decided: Decided, path: Path | None) -> Shown:
        """Compare it with what is kept of its subject. Never raises: where nothing can be said,
        `refuse` lets nobody pass."""
        subject = _whose(session, decided)
        if self.mode == "off" or path is None or subject is None:
            return Shown()
        try:
            async with asyncio.timeout(self.wait_s):
                kept = await self.fingerprints.of_subject(session.client_id, subject)
                row = await asyncio.to_thread(self._compared, path, kept)
        except Exception as error:
            told = {"session": session.session_id[:8], "fault": type(error).__name__}
            logger.error("a session was not compared with earlier ones", extra=told)
            row = Evidence(CUE, LIVENESS, UNKNOWN, "not_compared")
        if row.reason == "as_before":
            told = {"client": session.client_id, "session": session.session_id[:8]}
            logger.warning("a session shows what an earlier one showed", extra=told)
        return Shown(row, self._denied(decided, row))

    async def keep(
        self, session: SessionRecord, decided: Decided, path: Path | None, *, accepted: bool
    ) -> None:
        """Remember it, once its verdict counts. Never raises; a session that is gone has none."""
        subject = _whose(session, decided)
        if self.mode == "off" or path is None or subject is None:
            return
        try:
            plain = path.kept()
            if plain is None:
                return
            owner = _owner(session.client_id, subject, session.session_id)
            await self.fingerprints.keep(
                Fingerprint(
                    session_id=session.session_id,
                    client_id=session.client_id,
                    subject=subject,
                    created_at=self.now(),
                    expires_at=session.expires_at,
                    accepted=accepted,
                    key_id=self.vault.key_id,
                    sealed=self.vault.seal(plain, owner=owner),
                ),
                most=MOST,
            )
        except (NotFound, Conflict):
            pass  # the person was removed meanwhile, or another server ended the session
        except Refusal as error:
            told = {"session": session.session_id[:8], "code": error.code}
            logger.error("what a session showed is not kept", extra=told)

    def _compared(self, path: Path, kept: Sequence[Fingerprint]) -> Evidence:
        if path.kept() is None:
            return Evidence(CUE, LIVENESS, UNKNOWN, "too_short")
        if not kept:
            return Evidence(CUE, LIVENESS, UNKNOWN, "none_before")
        opened = [self.vault.open(one.sealed, owner=_owner_of(one)) for one in kept]
        likeness = path.likeness(opened)
        if likeness is None:
            return Evidence(CUE, LIVENESS, UNKNOWN, "too_still")
        numbers = {"likeness": likeness, "compared": float(len(opened))}
        if likeness < REPLAYED:
            return Evidence(CUE, LIVENESS, FOR, "as_none_before", numbers=numbers)
        # Where it is recorded only, the table must say the same without it (rejudge.py).
        stand = AGAINST if self.mode == "refuse" else Stand.OPEN
        return Evidence(CUE, LIVENESS, stand, "as_before", numbers=numbers)

    def _denied(self, decided: Decided, row: Evidence) -> Reason | None:
        if self.mode != "refuse" or decided.phase is not Phase.ACCEPTED:
            return None
        return DENIED[row.reason]


DENIED: dict[str, Reason | None] = {
    "none_before": None,
    "as_none_before": None,
    "as_before": Reason.LIVENESS,
    "too_short": Reason.QUALITY,
    "too_still": Reason.QUALITY,
    "not_compared": Reason.INTERNAL,
}
"""What an acceptance becomes where replays are refused, by what was found."""


def _whose(session: SessionRecord, decided: Decided) -> str | None:
    """Whose session it is, once it was judged; a search that found nobody is nobody's."""
    if decided.phase not in (Phase.ACCEPTED, Phase.REJECTED):
        return None
    return session.subject or decided.subject


def _owner(client_id: str, subject: str, session_id: str) -> tuple[str, ...]:
    return ("fingerprint", client_id, subject, session_id)


def _owner_of(one: Fingerprint) -> tuple[str, ...]:
    return _owner(one.client_id, one.subject, one.session_id)
