"""What counts as a failed login, and what the record may hold. The rest is in test_peer.py."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from pipeline.decision import Evidence, Stand, Topic
from pipeline.events import Decided
from pipeline.reasons import Phase, Reason
from server.session.verdict import Said, counts_as_failure, table
from server.store.port import SessionRecord

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def _session(purpose: str) -> SessionRecord:
    return SessionRecord("s", "c", purpose, "ann", "n", b"", "live", NOON, NOON)


def _row(stand: Stand, topic: Topic) -> Evidence:
    return Evidence("cue", topic, stand, "reason", numbers={"x": float("nan"), "y": 1.5})


@pytest.mark.parametrize(
    ("purpose", "phase", "reasons", "stand", "counts"),
    [
        ("login", Phase.REJECTED, (Reason.NO_MATCH,), Stand.UNKNOWN, True),
        ("login", Phase.REJECTED, (Reason.QUALITY, Reason.LIVENESS), Stand.UNKNOWN, True),
        ("login", Phase.REJECTED, (Reason.QUALITY,), Stand.AGAINST, False),
        ("login", Phase.REJECTED, (Reason.INTERNAL,), Stand.AGAINST, False),
        ("login", Phase.EXPIRED, (Reason.TIMEOUT,), Stand.UNKNOWN, False),
        ("login", Phase.EXPIRED, (Reason.CANCELLED,), Stand.FOR, False),
        ("login", Phase.EXPIRED, (Reason.CANCELLED,), Stand.AGAINST, True),
        ("login", Phase.EXPIRED, (Reason.DISCONNECTED,), Stand.AGAINST, True),
        ("enroll", Phase.REJECTED, (Reason.LIVENESS,), Stand.AGAINST, False),
        ("identify", Phase.REJECTED, (Reason.NO_MATCH,), Stand.AGAINST, False),
    ],
)
def test_what_counts(
    purpose: str, phase: Phase, reasons: tuple[Reason, ...], stand: Stand, counts: bool
) -> None:
    rows = [_row(stand, Topic.IDENTITY), _row(Stand.AGAINST, Topic.QUALITY)]
    assert counts_as_failure(_session(purpose), Decided(phase, reasons), rows) is counts


@pytest.mark.parametrize(("llr", "counts"), [(-0.4, True), (0.0, False), (0.4, False)])
def test_giving_up_counts_where_the_evidence_leans_against_the_face(
    llr: float, counts: bool
) -> None:
    rows = [Evidence("spoof", Topic.LIVENESS, Stand.OPEN, "spoof", llr)]
    decided = Decided(Phase.EXPIRED, (Reason.CANCELLED,))
    assert counts_as_failure(_session("login"), decided, rows) is counts


def test_the_table_is_json_without_nan() -> None:
    (row,) = json.loads(table([_row(Stand.FOR, Topic.LIVENESS)]))
    assert row["numbers"] == {"x": None, "y": 1.5}


def test_a_token_is_not_in_any_repr() -> None:
    assert "t0ken" not in repr(Said(Phase.ACCEPTED, token="t0ken"))
