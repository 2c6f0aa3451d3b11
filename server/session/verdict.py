"""From the core's decision to what is recorded and said: compare-and-set, template, token.

The order is the safest one: first the session is won in the store, then the token is minted but
kept back, then a new template is stored, then the token is handed out. A crash between leaves a
session marked as accepted whose token nobody has, never a template or token of a lost session.
"""

from __future__ import annotations

import json
import logging
import math
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.decision import Evidence, Stand, Topic, liveness_sum
from pipeline.events import Decided
from pipeline.policy import Policy
from pipeline.reasons import Phase, Purpose, Reason
from server.keys.keyring import Keyring
from server.keys.vault import Vault
from server.limits import locked_for_s
from server.people.templates import seal_template
from server.store.port import (
    Conflict,
    Failures,
    NotFound,
    SessionRecord,
    Sessions,
    Templates,
    Unavailable,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Said:
    """What the page is told."""

    phase: Phase
    reasons: tuple[Reason, ...] = ()
    token: str | None = None
    """Exactly when accepted."""
    expires_in_s: int | None = None
    """How long that token is valid."""
    retry: bool = True
    """Whether a new session makes sense now."""
    error: str | None = None
    """A code for the `error` message, when the reasons alone would mislead."""

    def __repr__(self) -> str:
        return f"Said({self.phase}, {self.reasons}, {self.error})"  # no token in any traceback


class _Undone(Exception):
    """An acceptance that cannot stand."""

    def __init__(self, code: str, reason: Reason = Reason.INTERNAL) -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Makes decisions count in one store."""

    sessions: Sessions
    templates: Templates
    failures: Failures
    keyring: Keyring
    vault: Vault
    model_id: str
    """The embedder whose templates can be compared."""
    now: Callable[[], datetime]

    async def record(
        self,
        session: SessionRecord,
        policy: Policy,
        decided: Decided,
        rows: Sequence[Evidence],
    ) -> Said:
        """Make the decision count. Never raises; what cannot be recorded is not accepted."""
        try:
            if decided.phase is Phase.ACCEPTED:
                return await self._accept(session, policy, decided, rows)
            return await self._refuse(session, decided, rows)
        except _Undone as undone:
            return Said(Phase.REJECTED, (undone.reason,), error=undone.code)
        except Exception as error:
            logger.error("bug in a verdict", exc_info=error)
            return Said(Phase.REJECTED, (Reason.INTERNAL,), error="internal")

    async def _accept(
        self,
        session: SessionRecord,
        policy: Policy,
        decided: Decided,
        rows: Sequence[Evidence],
    ) -> Said:
        subject = session.subject if session.purpose == Purpose.ENROLL else decided.subject
        if subject is None:
            raise AssertionError("an acceptance names somebody")
        await self._finish(session, decided, rows, subject)
        try:
            token = await self.keyring.mint(
                subject=subject,
                client_id=session.client_id,
                nonce=session.nonce,
                session_id=session.session_id,
                purpose=session.purpose,
                acr=decided.acr or policy.acr,
                auth_time=self.now(),
                now=self.now(),
            )
            if session.purpose == Purpose.ENROLL:
                if decided.template is None:
                    raise AssertionError("an accepted enrolment has a template")
                sealed = seal_template(
                    self.vault,
                    decided.template,
                    client_id=session.client_id,
                    subject=subject,
                    template_id=secrets.token_hex(16),
                    created_at=self.now(),
                )
                await self.templates.put(sealed, replace=session.replace)
            else:
                # Removed while the camera ran, or a decoy, which never was: nobody to be.
                kept = await self.templates.get(session.client_id, subject)
                if kept.model_id != self.model_id:
                    raise NotFound  # what was compared was not this template
        except Exception as error:
            await self._undo(session)
            raise _why(error) from error
        if session.purpose == Purpose.LOGIN:
            try:
                await self.failures.clear(session.client_id, subject)
            except Unavailable:
                logger.warning("failures not cleared", extra={"client": session.client_id})
        return Said(Phase.ACCEPTED, token=token, expires_in_s=self.keyring.lifetime_s, retry=False)

    async def _finish(
        self,
        session: SessionRecord,
        decided: Decided,
        rows: Sequence[Evidence],
        subject: str | None,
    ) -> None:
        try:
            await self.sessions.finish(
                session.session_id,
                was="live",
                now_is=decided.phase.value,
                at=self.now(),
                reasons=tuple(reason.value for reason in decided.reasons),
                evidence=table(rows),
                subject=subject,
            )
        except (Conflict, NotFound) as error:
            raise _Undone("session_over") from error
        except Unavailable as error:
            raise _Undone("store_unavailable") from error

    async def _undo(self, session: SessionRecord) -> None:
        """Take the acceptance back in the record; no token of it is in the world."""
        try:
            await self.sessions.finish(
                session.session_id,
                was="accepted",
                now_is="rejected",
                at=self.now(),
                reasons=(Reason.INTERNAL.value,),
            )
        except (Conflict, NotFound, Unavailable):
            logger.error("acceptance not taken back", extra={"session": session.session_id[:8]})

    async def _refuse(
        self, session: SessionRecord, decided: Decided, rows: Sequence[Evidence]
    ) -> Said:
        error = None
        try:
            await self._finish(session, decided, rows, None)
        except _Undone as undone:
            # The refusal stands whatever the store says; the person learns the reason that is true.
            error = undone.code
        wait_s = 0.0
        if counts_as_failure(session, decided, rows) and session.subject is not None:
            try:
                count = await self.failures.add(session.client_id, session.subject, self.now())
                wait_s = locked_for_s(count, self.now(), self.now())
            except (Unavailable, NotFound):
                logger.warning("failure not counted", extra={"client": session.client_id})
        return Said(decided.phase, decided.reasons, retry=wait_s == 0.0, error=error)


def _why(error: Exception) -> _Undone:
    match error:
        case Unavailable():
            return _Undone("store_unavailable")
        case Conflict():
            return _Undone("subject_enrolled")
        case NotFound():
            return _Undone("session_over")
        case _:
            logger.error("bug in a verdict", exc_info=error)
            return _Undone("internal")


def counts_as_failure(session: SessionRecord, decided: Decided, rows: Sequence[Evidence]) -> bool:
    """Whether a login that was not accepted counts towards the lockout.

    A refusal for the face does. So does giving up while the evidence stands or leans against it:
    else whoever cancels in time could try for ever (NIST SP 800-63B-4 section 3.2.2).
    """
    if session.purpose != Purpose.LOGIN:
        return False
    if decided.phase is Phase.REJECTED:
        return bool({Reason.NO_MATCH, Reason.LIVENESS} & set(decided.reasons))
    topics = (Topic.IDENTITY, Topic.LIVENESS)
    against = any(row.stand is Stand.AGAINST and row.topic in topics for row in rows)
    return against or liveness_sum(rows) < 0


def table(rows: Sequence[Evidence]) -> str:
    """The decision table as JSON (RFC 8259: no NaN, so what is not finite becomes null)."""
    return json.dumps([_finite(row.to_json()) for row in rows], allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
