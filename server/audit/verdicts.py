"""What the audit records of a verdict: enough to decide the same table again.

Not here: how a verdict is made to count (server/session/verdict.py). No vector, no picture, no
name: numbers of cues, and a keyed hash of the subject.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from pipeline.decision import Evidence, Moment
from pipeline.events import Decided
from pipeline.policy import Policy
from server.audit.chain import Audit
from server.store.audit import AuditEntry
from server.store.port import SessionRecord


def verdict_entry(
    audit: Audit,
    session: SessionRecord,
    policy: Policy,
    decided: Decided,
    rows: Sequence[Evidence],
    moment: Moment | None,
    *,
    subject: str | None,
    model_id: str,
) -> AuditEntry:
    """The record of one outcome of one session; a session that was accepted and then taken back
    has two, of which the later holds. Raises VaultError."""
    outcome = decided.phase.value
    return audit.entry(
        "verdict",
        ref=f"{session.session_id}:{outcome}",
        client_id=session.client_id,
        subject=subject,
        session=session.session_id,
        purpose=session.purpose,
        outcome=outcome,
        reasons=[reason.value for reason in decided.reasons],
        policy=policy.name,
        fingerprint=fingerprint(policy),
        model=model_id,
        acr=decided.acr,
        table=listed(rows),
        moment=None if moment is None else asdict(moment),
        **_agreed(session.consent),
    )


def _agreed(consent: str | None) -> dict[str, dict[str, str]]:
    """Which text the person of an enrolment agreed to, and when: this outlives their erasure, and
    names nobody (server/people/consent.py)."""
    if consent is None:
        return {}
    whole = json.loads(consent)
    names = ("text_id", "version", "language", "sha256", "at")
    return {"consent": {name: whole[name] for name in names}}


@lru_cache(maxsize=64)
def fingerprint(policy: Policy) -> str:
    """That of the policy, once for each."""
    return policy.fingerprint()


def listed(rows: Sequence[Evidence]) -> list[Any]:
    """The decision table for JSON, which has no NaN: what is not finite becomes null."""
    return [_finite(row.to_json()) for row in rows]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
