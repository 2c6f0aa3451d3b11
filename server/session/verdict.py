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
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.decision import Evidence, Stand, Topic, liveness_sum
from pipeline.events import Decided
from pipeline.policy import Policy
from pipeline.reasons import Phase, Purpose, Reason
from server.limits import locked_for_s
from server.parts import Parts
from server.people.templates import seal_template
from server.store.port import Conflict, NotFound, SessionRecord, Unavailable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Said:
    """What the page is told."""

    phase: Phase
    reasons: tuple[Reason, ...] = ()
    token: str | None = None
    """Exactly when accepted."""
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


async def record(
    parts: Parts,
    session: SessionRecord,
    policy: Policy,
    decided: Decided,
    rows: Sequence[Evidence],
) -> Said:
    """Make the decision count. Never raises; what cannot be recorded is not accepted."""
    try:
        if decided.phase is Phase.ACCEPTED:
            return await _accept(parts, session, policy, decided, rows)
        return await _refuse(parts, session, decided, rows)
    except _Undone as undone:
        return Said(Phase.REJECTED, (undone.reason,), error=undone.code)
    except Exception as error:
        logger.error("bug in a verdict", exc_info=error)
        return Said(Phase.REJECTED, (Reason.INTERNAL,), error="internal")


async def _accept(
    parts: Parts,
    session: SessionRecord,
    policy: Policy,
    decided: Decided,
    rows: Sequence[Evidence],
) -> Said:
    subject = session.subject if session.purpose == Purpose.ENROLL else decided.subject
    if subject is None:
        raise AssertionError("an acceptance names somebody")
    await _finish(parts, session, decided, rows, subject)
    try:
        token = await parts.keyring.mint(
            subject=subject,
            client_id=session.client_id,
            nonce=session.nonce,
            session_id=session.session_id,
            purpose=session.purpose,
            acr=decided.acr or policy.acr,
            auth_time=parts.now(),
            now=parts.now(),
        )
        if session.purpose == Purpose.ENROLL:
            if decided.template is None:
                raise AssertionError("an accepted enrolment has a template")
            sealed = seal_template(
                parts.vault,
                decided.template,
                client_id=session.client_id,
                subject=subject,
                template_id=secrets.token_hex(16),
                created_at=parts.now(),
            )
            await parts.store.templates.put(sealed, replace=session.replace)
        else:
            # Removed while the camera ran, or a decoy, which never was: nobody to be.
            kept = await parts.store.templates.get(session.client_id, subject)
            if kept.model_id != parts.model_id:
                raise NotFound  # what was compared was not this template
    except Exception as error:
        await _undo(parts, session)
        raise _why(error) from error
    if session.purpose == Purpose.LOGIN:
        try:
            await parts.store.failures.clear(session.client_id, subject)
        except Unavailable:
            logger.warning("failures not cleared", extra={"client": session.client_id})
    return Said(Phase.ACCEPTED, token=token, retry=False)


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


async def _finish(
    parts: Parts,
    session: SessionRecord,
    decided: Decided,
    rows: Sequence[Evidence],
    subject: str | None,
) -> None:
    try:
        await parts.store.sessions.finish(
            session.session_id,
            was="live",
            now_is=decided.phase.value,
            at=parts.now(),
            reasons=tuple(reason.value for reason in decided.reasons),
            evidence=table(rows),
            subject=subject,
        )
    except (Conflict, NotFound) as error:
        raise _Undone("session_over") from error
    except Unavailable as error:
        raise _Undone("store_unavailable") from error


async def _undo(parts: Parts, session: SessionRecord) -> None:
    """Take the acceptance back in the record; no token of it is in the world."""
    try:
        await parts.store.sessions.finish(
            session.session_id,
            was="accepted",
            now_is="rejected",
            at=parts.now(),
            reasons=(Reason.INTERNAL.value,),
        )
    except (Conflict, NotFound, Unavailable):
        logger.error("acceptance not taken back", extra={"session": session.session_id[:8]})


async def _refuse(
    parts: Parts, session: SessionRecord, decided: Decided, rows: Sequence[Evidence]
) -> Said:
    error = None
    try:
        await _finish(parts, session, decided, rows, None)
    except _Undone as undone:
        # The refusal stands whatever the store says; the person learns the reason that is true.
        error = undone.code
    wait_s = 0.0
    if counts_as_failure(session, decided, rows) and session.subject is not None:
        try:
            count = await parts.store.failures.add(session.client_id, session.subject, parts.now())
            wait_s = locked_for_s(count, parts.now(), parts.now())
        except (Unavailable, NotFound):
            logger.warning("failure not counted", extra={"client": session.client_id})
    return Said(decided.phase, decided.reasons, retry=wait_s == 0.0, error=error)


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
