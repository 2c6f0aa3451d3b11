"""Verdicts of the audit under other thresholds: counted, and nothing is counted that is unknown."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from pipeline.decision import Evidence, Moment
from pipeline.policy import POLICIES, Policy
from server.audit.record import canonical
from server.audit.rejudge import Rejudged, rejudge
from server.store.audit import AuditRecord
from tests.pipeline.observations import Camera
from tests.pipeline.test_again import recorded

POLICY = POLICIES["standard"]


def record(body: dict[str, Any]) -> AuditRecord:
    return AuditRecord("c", 0, b"", "r", canonical(body), b"", b"")


def settings(policy: Policy = POLICY, fingerprint: str | None = None) -> AuditRecord:
    told = {"fingerprint": fingerprint or policy.fingerprint(), "fields": asdict(policy)}
    return record({"kind": "settings", "policies": {"standard": told}})


def verdict(
    rows: list[Evidence], moment: Moment | None, outcome: str, *reasons: str, **more: Any
) -> AuditRecord:
    return record(
        {
            "kind": "verdict",
            "outcome": outcome,
            "reasons": reasons,
            "purpose": "login",
            "fingerprint": POLICY.fingerprint(),
            "table": [row.to_json() for row in rows],
            "moment": None if moment is None else asdict(moment),
            **more,
        }
    )


def stricter(policy: Policy) -> Policy:
    return replace(policy, match_score=1.01, mismatch_score=1.01)


def test_what_would_change_is_counted() -> None:
    accepted = verdict(*recorded(Camera(person=1)), "accepted")
    refused = verdict(*recorded(Camera(person=1, margin=-7.0)), "rejected", "liveness")
    found = rejudge([settings(), accepted, accepted, refused], stricter)
    assert found == Rejudged(
        verdicts=3,
        same=1,
        changes={("accepted", "rejected no_match"): 2},  # type: ignore[arg-type]
    )
    assert rejudge([settings(), accepted, refused], lambda policy: policy).same == 2


def test_what_cannot_be_decided_again_is_left_out_and_counted() -> None:
    rows, moment = recorded(Camera(person=1))
    found = rejudge(
        [
            settings(),
            verdict(rows, moment, "accepted", fingerprint="another"),
            verdict(rows, None, "expired", "cancelled"),
            verdict(rows, moment, "accepted", table=[{"cue": "face"}]),
            verdict(rows, moment, "rejected", "liveness"),  # a face that was lost too often
        ],
        stricter,
    )
    assert (found.verdicts, found.same, found.changes) == (4, 0, {})
    assert found.left_out == {"no_policy": 1, "no_table": 2, "not_reproduced": 1}


def test_a_policy_that_is_not_what_its_fingerprint_says_is_none() -> None:
    rows, moment = recorded(Camera(person=1))
    forged = settings(replace(POLICY, match_score=0.1), POLICY.fingerprint())
    found = rejudge([forged, verdict(rows, moment, "accepted")], stricter)
    assert found.left_out == {"no_policy": 1}


def test_thresholds_that_no_table_follows_are_named() -> None:
    found = rejudge([settings()], lambda policy: replace(policy, eyes_open=0.5))
    assert found.not_followed == {"eyes_open"}
