"""From the core's decision to what is recorded and said: token, record with template, word.

The token is minted and kept back. Then the store ends the session with all that goes with it, the
audit's record too, which is one act there, and the token is handed out. An acceptance that the
store did not answer for is told as refused, and it is made so as soon as the store answers
(`settle`), because what the page heard counts. Not here: the acts (Endings of store/port.py),
when `settle` is called (server/app.py).
Source: docs/decisions/verdicts.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pipeline.decision import Evidence, Moment, speaks_against
from pipeline.events import Decided
from pipeline.policy import Policy
from pipeline.reasons import Phase, Purpose, Reason
from pipeline.session.fingerprint import Path
from server.adaptation import Adaptation, may_follow
from server.audit.chain import Audit
from server.audit.verdicts import listed, verdict_entry
from server.keys.keyring import Keyring
from server.people.consent import seal_consent
from server.people.duplicates import MARK, Duplicates
from server.people.protection import Protection
from server.session.lockout import Lockout
from server.session.replays import Replays
from server.store.audit import AuditEntry
from server.store.port import (
    Conflict,
    Endings,
    Enrolled,
    NotFound,
    SessionRecord,
    TemplateRecord,
    Templates,
    Unavailable,
)
from server.store.tries import Refused

MOST_OWED = 1000
"""Refusals that wait for the store: more than the places of any server in any outage."""

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
    device: str | None = None
    """The word for the cookie of a known device; only when accepted, and for a named subject."""
    retry: bool = True
    wait_s: float | None = None
    """Whether a new session makes sense now; until it does, where only time helps."""
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
class _Owed:
    """A refusal that the page heard and the store did not."""

    at: datetime
    now_is: str
    reasons: tuple[str, ...]
    evidence: str
    failure: bool
    won: bool
    entry: AuditEntry


@dataclass(frozen=True, slots=True)
class _Judged:
    """What was decided, of whom and by which rows."""

    session: SessionRecord
    policy: Policy
    decided: Decided
    rows: Sequence[Evidence]
    moment: Moment | None


class Verdicts:
    """Makes decisions count in one store."""

    def __init__(
        self,
        *,
        endings: Endings,
        lockout: Lockout,
        templates: Templates,
        keyring: Keyring,
        protection: Protection,
        model_id: str,
        now: Callable[[], datetime],
        audit: Audit,
        duplicates: Duplicates,
        replays: Replays,
        adaptation: Adaptation,
    ) -> None:
        """`model_id`: the embedder whose templates can be compared."""
        self._audit = audit
        self._duplicates = duplicates
        self._replays = replays
        self._adaptation = adaptation
        self._endings = endings
        self._lockout = lockout
        self._templates = templates
        self._keyring = keyring
        self._protection = protection
        self.model_id = model_id
        self._now = now
        self._owed: OrderedDict[str, _Owed] = OrderedDict()
        self.owing = asyncio.Event()
        """Set while there is something for `settle` to do."""

    async def record(
        self,
        session: SessionRecord,
        policy: Policy,
        decided: Decided,
        rows: Sequence[Evidence],
        moment: Moment | None = None,
        doubted: bool = False,
        path: Path | None = None,
    ) -> Said:
        """Make the decision count. Never raises; what cannot be recorded is not accepted.

        `doubted`: the evidence stood against the face before it was gathered afresh. `path`: how
        its pictures went.
        """
        judged = _Judged(session, policy, decided, rows, moment)
        try:
            shown = await self._replays.look(session, decided, path)
            if shown.row is not None:
                judged = replace(judged, rows=[*rows, shown.row])
            if shown.denied is not None:
                # No table decided this, so none can be decided again.
                refused = Decided(Phase.REJECTED, (shown.denied,))
                judged = replace(judged, decided=refused, moment=None)
            if judged.decided.phase is Phase.ACCEPTED:
                return await self._accept(judged)
            return await self._refuse(judged, doubted)
        except _Undone as undone:
            again = undone.code != "enrolment_refused"
            return Said(Phase.REJECTED, (undone.reason,), retry=again, error=undone.code)
        except Exception as error:
            logger.error("bug in a verdict", exc_info=error)
            return Said(Phase.REJECTED, (Reason.INTERNAL,), error="internal")

    async def remember(
        self, session: SessionRecord, decided: Decided, said: Said, path: Path
    ) -> None:
        """Keep how its pictures went, for the next one; after it was said, because nobody waits for
        that. Never raises."""
        await self._replays.keep(session, decided, path, accepted=said.token is not None)

    async def _accept(self, judged: _Judged) -> Said:
        session, decided = judged.session, judged.decided
        asked = False
        template: TemplateRecord | None = None
        kept: TemplateRecord | None = None
        try:
            subject = session.subject if session.purpose == Purpose.ENROLL else decided.subject
            if subject is None:
                raise AssertionError("an acceptance names somebody")
            if session.purpose == Purpose.ENROLL:
                if await self._is_duplicate(session, decided, subject, judged.policy):
                    judged = replace(judged, rows=[*judged.rows, MARK])
                    if self._duplicates.mode == "refuse":
                        raise _Undone("enrolment_refused")
                template = await self._sealed(session, decided, subject)
            else:
                # Removed while the camera ran, or a decoy, which never was: nobody to be.
                kept = await self._templates.get(session.client_id, subject)
                if kept.model_id != self.model_id:
                    raise NotFound  # what was compared was not this template
                if session.purpose == Purpose.IDENTIFY and await self._lockout.locks(
                    session.client_id, subject
                ):
                    # No way round a lock of theirs: who is found is nobody then.
                    unknown = Decided(Phase.REJECTED, (Reason.NO_MATCH,))
                    return await self._refuse(replace(judged, decided=unknown), True)
            token = await self._keyring.mint(
                subject=subject,
                client_id=session.client_id,
                nonce=session.nonce,
                session_id=session.session_id,
                purpose=session.purpose,
                acr=decided.acr or judged.policy.acr,
                liveness=_liveness(decided),
                auth_time=self._now(),
                now=self._now(),
            )
            entry = self._entry(judged, subject)
            asked = True
            await self._endings.accept(
                session.session_id,
                at=self._now(),
                subject=subject,
                evidence=table(judged.rows),
                template=template,
                compared=None if kept is None else kept.template_id,
                note=self._audit.note(entry),
            )
        except Exception as error:
            undone = _why(error)
            if not isinstance(error, Conflict) or isinstance(error, Enrolled):
                refusal = Decided(Phase.REJECTED, (undone.reason,))
                owed = self._owed_for(replace(judged, decided=refusal, moment=None), won=asked)
                if isinstance(error, Unavailable):
                    self._owe(session, owed)  # it does not answer: nobody waits for it twice
                else:
                    await self._end(session, owed)
            if template is not None and isinstance(error, NotFound | Enrolled):
                await self._protection.take_back(template)
            raise undone from error
        if template is not None:
            await self._protection.settle(template)
        if kept is not None and may_follow(session, judged.rows):
            await self._adaptation.follow(kept, decided, judged.policy.match_score)
        named = session.purpose != Purpose.IDENTIFY
        return Said(
            Phase.ACCEPTED,
            token=token,
            expires_in_s=self._keyring.lifetime_s,
            device=self._lockout.word(session) if named else None,
            retry=False,
        )

    async def _is_duplicate(
        self, session: SessionRecord, decided: Decided, subject: str, policy: Policy
    ) -> bool:
        if decided.template is None:
            raise AssertionError("an accepted enrolment has a template")
        return await self._duplicates.found(session.client_id, subject, decided.template, policy)

    async def _sealed(
        self, session: SessionRecord, decided: Decided, subject: str
    ) -> TemplateRecord:
        if decided.template is None:
            raise AssertionError("an accepted enrolment has a template")
        if session.consent is None:
            raise AssertionError("an enrolment's offer is taken with a consent only")
        template = await self._protection.seal(
            decided.template,
            client_id=session.client_id,
            subject=subject,
            template_id=secrets.token_hex(16),
            created_at=self._now(),
        )
        consent = seal_consent(
            self._protection.vault,
            session.consent,
            client_id=session.client_id,
            subject=subject,
            template_id=template.template_id,
        )
        return replace(template, consent=consent)

    async def _refuse(self, judged: _Judged, doubted: bool) -> Said:
        decided = judged.decided
        # The refusal stands whatever the store says; the person learns the reason that is true.
        owed = self._owed_for(judged, failure=doubted or counts_as_failure(decided, judged.rows))
        error, refused = await self._end(judged.session, owed)
        wait_s = None if refused is None else refused.wait_s
        return Said(decided.phase, decided.reasons, retry=not refused, wait_s=wait_s, error=error)

    def _owed_for(self, judged: _Judged, *, failure: bool = False, won: bool = False) -> _Owed:
        phase, evidence = judged.decided.phase.value, table(judged.rows)
        reasons = tuple(reason.value for reason in judged.decided.reasons)
        entry = self._entry(judged, judged.session.subject)
        return _Owed(self._now(), phase, reasons, evidence, failure, won, entry)

    def _entry(self, judged: _Judged, subject: str | None) -> AuditEntry:
        return verdict_entry(
            self._audit,
            judged.session,
            judged.policy,
            judged.decided,
            judged.rows,
            judged.moment,
            subject=subject,
            model_id=self.model_id,
        )

    async def _end(self, session: SessionRecord, owed: _Owed) -> tuple[str | None, Refused | None]:
        """Record a refusal, now or when the store answers again: a code, why to try no more now."""
        try:
            return None, await self._pay(session.session_id, owed)
        except (Conflict, NotFound):
            if owed.won:
                await self._correct(owed)
            return "session_over", None
        except Unavailable:
            self._owe(session, owed)
            return "store_unavailable", None

    async def _correct(self, owed: _Owed) -> None:
        """The audit may have an acceptance that did not come to be; what was told comes behind."""
        with contextlib.suppress(Unavailable, Conflict):
            await self._audit.add(owed.entry)

    def _owe(self, session: SessionRecord, owed: _Owed) -> None:
        self._owed[session.session_id] = owed
        while len(self._owed) > MOST_OWED:
            lost, _ = self._owed.popitem(last=False)
            logger.error("a refusal is not recorded", extra={"session": lost[:8]})
        self.owing.set()

    async def _pay(self, session_id: str, owed: _Owed) -> Refused | None:
        return await self._endings.refuse(
            session_id,
            now_is=owed.now_is,
            at=owed.at,
            reasons=owed.reasons,
            evidence=owed.evidence,
            failure=owed.failure,
            won=owed.won,
            note=self._audit.note(owed.entry),
        )

    async def settle(self) -> None:
        """Record the refusals that are owed. Raises Unavailable: then some still are."""
        while self._owed:
            session_id, owed = next(iter(self._owed.items()))
            try:
                await self._pay(session_id, owed)
            except (Conflict, NotFound) as error:
                # Ended or forgotten meanwhile; won and settled by another server is told.
                if owed.won and isinstance(error, Conflict):
                    logger.error("acceptance not taken back", extra={"session": session_id[:8]})
            self._owed.pop(session_id, None)
        self.owing.clear()


def _why(error: Exception) -> _Undone:
    match error:
        case _Undone():
            return error
        case Unavailable():
            return _Undone("store_unavailable")
        case Enrolled():
            return _Undone("subject_enrolled")
        case Conflict() | NotFound():
            return _Undone("session_over")
        case _:
            logger.error("bug in a verdict", exc_info=error)
            return _Undone("internal")


def counts_as_failure(decided: Decided, rows: Sequence[Evidence]) -> bool:
    """Whether an attempt that was not accepted costs the try that it took.

    A refusal for the face does. So does every other end while the evidence stands or leans against
    the face, our own failures included: else whoever leaves in time could try for ever (NIST SP
    800-63B-4 section 3.2.3).
    """
    if {Reason.NO_MATCH, Reason.LIVENESS} & set(decided.reasons):
        return True
    return speaks_against(rows)


def _liveness(decided: Decided) -> tuple[str, ...]:
    """What an accepted session was asked to show of its life, and showed. Passive evidence is asked
    of everybody, whatever a policy calls its level."""
    return ("passive",) if decided.acr is None else ("passive", decided.acr)


def table(rows: Sequence[Evidence]) -> str:
    """The decision table as JSON (RFC 8259: no NaN, so what is not finite becomes null)."""
    return json.dumps(listed(rows), allow_nan=False)
