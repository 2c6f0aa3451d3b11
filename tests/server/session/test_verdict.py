"""How a decision is made to count: won in the store first, taken back where the rest fails.

What counts as a failed login, and what the record may hold. With a peer around it: test_peer.py.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest

from pipeline.decision import Evidence, Stand, Topic
from pipeline.events import Decided
from pipeline.reasons import Phase, Reason
from server.limits import LOCK_AFTER
from server.parts import Parts
from server.session import verdict
from server.session.verdict import Said, Verdicts, counts_as_failure, table
from server.store.port import NotFound, SessionRecord, Unavailable
from tests.pipeline.observations import Camera, template
from tests.server.stage import (
    CLIENT,
    POLICY,
    Clock,
    claimed,
    close_parts,
    enrolled,
    make_parts,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FACE = Evidence("face", Topic.QUALITY, Stand.FOR, "usable")
ANN = Decided(Phase.ACCEPTED, subject="ann")
STRANGER = Decided(Phase.REJECTED, (Reason.NO_MATCH,))


@dataclass
class House:
    """A store and its keys, and decisions that are made to count there."""

    parts: Parts
    clock: Clock
    verdicts: Verdicts

    async def session(self, purpose: str = "login", **more: Any) -> SessionRecord:
        """One whose ticket was taken, of the subject ann."""
        subject = None if purpose == "identify" else "ann"
        return await claimed(self.parts, purpose, subject, **more)

    async def said(self, session: SessionRecord, decided: Decided) -> Said:
        return await self.verdicts.record(session, POLICY, decided, [FACE])

    async def state(self, session: SessionRecord) -> str:
        return (await self.parts.store.sessions.get(session.session_id)).state

    async def failures(self) -> int:
        return (await self.parts.store.failures.count(CLIENT, "ann"))[0]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    parts, clock = await make_parts(tmp_path, Camera())
    yield House(parts, clock, parts.verdicts)
    await close_parts(parts)


async def down(*args: Any, **kwargs: Any) -> Any:
    raise Unavailable


# Accepted


@pytest.mark.parametrize(
    ("acr", "level"), [(None, POLICY.acr), ("light", "light"), ("turn", "turn")]
)
async def test_a_login_is_won_then_told_with_a_token(
    house: House, acr: str | None, level: str
) -> None:
    await enrolled(house.parts, "ann", 1)
    await house.parts.store.failures.add(CLIENT, "ann", house.clock.now())
    session = await house.session()
    said = await house.said(session, replace(ANN, acr=acr))
    assert (said.phase, said.reasons, said.retry, said.error) == (Phase.ACCEPTED, (), False, None)
    assert said.token is not None
    assert said.expires_in_s == house.parts.keyring.lifetime_s
    claims = jwt.decode(said.token, options={"verify_signature": False})
    assert (claims["sub"], claims["aud"], claims["sid"]) == ("ann", CLIENT, session.session_id)
    assert (claims["nonce"], claims["purpose"], claims["acr"]) == (session.nonce, "login", level)
    assert claims["lookgate_liveness"] == (["passive"] if acr is None else ["passive", acr])
    assert await house.state(session) == "accepted"
    assert await house.failures() == 0


async def test_identify_names_whom_it_found_and_forgives_no_failures(house: House) -> None:
    await enrolled(house.parts, "ann", 1)
    await house.parts.store.failures.add(CLIENT, "ann", house.clock.now())
    said = await house.said(await house.session("identify"), ANN)
    assert said.token is not None
    assert jwt.decode(said.token, options={"verify_signature": False})["sub"] == "ann"
    assert await house.failures() == 1


async def test_an_enrolment_is_of_the_subject_that_the_relying_app_named(house: House) -> None:
    decided = Decided(Phase.ACCEPTED, subject="eve", template=template(1))
    said = await house.said(await house.session("enroll"), decided)
    assert said.token is not None
    assert jwt.decode(said.token, options={"verify_signature": False})["sub"] == "ann"
    assert (await house.parts.store.templates.get(CLIENT, "ann")).model_id == "test"
    with pytest.raises(NotFound):
        await house.parts.store.templates.get(CLIENT, "eve")


# Won by nobody, or taken back: no token


async def test_a_session_is_won_once(house: House) -> None:
    await enrolled(house.parts, "ann", 1)
    session = await house.session()
    first, second = [await house.said(session, ANN) for _ in range(2)]
    assert first.token is not None
    assert (second.phase, second.token, second.error) == (Phase.REJECTED, None, "session_over")
    assert await house.state(session) == "accepted"


async def test_who_was_removed_meanwhile_gets_no_token(house: House) -> None:
    await enrolled(house.parts, "ann", 1)
    session = await house.session()
    await house.parts.store.forget_subject(CLIENT, "ann")
    said = await house.said(session, ANN)
    assert (said.phase, said.token, said.error) == (Phase.REJECTED, None, "session_over")
    with pytest.raises(NotFound):
        await house.state(session)


async def test_an_enrolment_of_somebody_forgotten_meanwhile_stores_nothing(house: House) -> None:
    session = await house.session("enroll")
    await house.parts.store.forget_subject(CLIENT, "ann")
    said = await house.said(session, Decided(Phase.ACCEPTED, template=template(1)))
    assert (said.phase, said.token, said.error) == (Phase.REJECTED, None, "session_over")
    with pytest.raises(NotFound):
        await house.parts.store.templates.get(CLIENT, "ann")


async def test_a_template_of_another_embedder_was_not_what_was_compared(house: House) -> None:
    await enrolled(house.parts, "ann", 1)
    kept = await house.parts.store.templates.get(CLIENT, "ann")
    session = await house.session()
    await house.parts.store.templates.put(replace(kept, model_id="older"), replace=True)
    said = await house.said(session, ANN)
    assert (said.phase, said.token, said.error) == (Phase.REJECTED, None, "session_over")
    assert await house.state(session) == "rejected"


async def test_an_enrolment_beside_another_changes_nothing(house: House) -> None:
    session = await house.session("enroll")
    await enrolled(house.parts, "ann", 1)
    before = await house.parts.store.templates.get(CLIENT, "ann")
    decided = Decided(Phase.ACCEPTED, template=template(2))
    said = await house.said(session, decided)
    assert (said.phase, said.token, said.error) == (Phase.REJECTED, None, "subject_enrolled")
    assert await house.state(session) == "rejected"
    assert await house.parts.store.templates.get(CLIENT, "ann") == before
    said = await house.said(await house.session("enroll", replace=True), decided)
    assert said.token is not None
    assert await house.parts.store.templates.get(CLIENT, "ann") != before


@pytest.mark.parametrize("purpose", ["login", "enroll"])
async def test_an_acceptance_without_what_it_is_for_is_a_bug(house: House, purpose: str) -> None:
    """A login that names nobody, an enrolment without a template."""
    session = await house.session(purpose)
    said = await house.said(session, Decided(Phase.ACCEPTED))
    assert (said.phase, said.token, said.error) == (Phase.REJECTED, None, "internal")
    assert await house.state(session) == "rejected"


async def test_an_outage_accepts_nobody(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await enrolled(house.parts, "ann", 1)
    sessions = [await house.session() for _ in range(2)]
    with monkeypatch.context() as without:
        without.setattr(house.parts.keyring, "mint", down)
        said = [await house.said(sessions[0], ANN)]
    await house.parts.store.close()
    said.append(await house.said(sessions[1], ANN))
    for one in said:
        assert (one.phase, one.token, one.error) == (Phase.REJECTED, None, "store_unavailable")
    assert house.verdicts.owing.is_set()
    with pytest.raises(Unavailable):
        await house.verdicts.settle()
    assert house.verdicts.owing.is_set()
    await house.parts.store.open()
    await house.verdicts.settle()
    assert not house.verdicts.owing.is_set()
    assert [await house.state(session) for session in sessions] == ["rejected"] * 2
    assert await house.failures() == 0


async def test_a_failed_login_of_an_outage_is_counted_once_it_is_over(house: House) -> None:
    session = await house.session()
    await house.parts.store.close()
    said = await house.said(session, STRANGER)
    assert said == Said(Phase.REJECTED, (Reason.NO_MATCH,), error="store_unavailable")
    await house.parts.store.open()
    for _ in range(2):
        await house.verdicts.settle()
    record = await house.parts.store.sessions.get(session.session_id)
    assert (record.state, record.reasons) == ("rejected", ("no_match",))
    assert await house.failures() == 1


async def test_what_is_owed_for_a_session_that_is_over_or_forgotten_is_let_go(
    house: House,
) -> None:
    over, forgotten = await house.session(), await house.session()
    store = house.parts.store
    await store.close()
    for session in (over, forgotten):
        await house.said(session, STRANGER)
    await store.open()
    await store.sessions.finish(over.session_id, was="live", now_is="expired", at=house.clock.now())
    await store.forget_subject(CLIENT, "ann")
    await house.verdicts.settle()
    assert not house.verdicts.owing.is_set()
    assert await house.failures() == 0


async def test_only_so_many_refusals_wait(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(verdict, "MOST_OWED", 2)
    sessions = [await house.session() for _ in range(3)]
    await house.parts.store.close()
    for session in sessions:
        await house.said(session, STRANGER)
    await house.parts.store.open()
    await house.verdicts.settle()
    assert [await house.state(session) for session in sessions] == ["live", "rejected", "rejected"]
    assert [record.message for record in caplog.records] == ["a refusal is not recorded"]


# Refused


async def test_a_refusal_stands_whatever_the_store_says(house: House) -> None:
    session = await house.session()
    said = await house.said(session, STRANGER)
    assert said == Said(Phase.REJECTED, (Reason.NO_MATCH,))
    assert await house.state(session) == "rejected"
    assert await house.failures() == 1
    again = await house.said(session, STRANGER)
    assert again == Said(Phase.REJECTED, (Reason.NO_MATCH,), error="session_over")
    assert await house.failures() == 1  # one session fails once


async def test_who_failed_too_often_is_told_not_to_try_again_now(house: House) -> None:
    retries = [
        (await house.said(await house.session(), STRANGER)).retry for _ in range(LOCK_AFTER + 1)
    ]
    assert retries == [True] * (LOCK_AFTER - 1) + [False] * 2


async def test_only_a_login_counts_failures(house: House) -> None:
    for purpose in ("enroll", "identify"):
        await house.said(await house.session(purpose), STRANGER)
    assert await house.failures() == 0


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
