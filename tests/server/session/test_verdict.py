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
from pipeline.template import pooled
from server.parts import Parts
from server.people.duplicates import is_marked
from server.people.galleries import Galleries
from server.recorded import recorded
from server.session import verdict
from server.session.lockout import Caller
from server.session.verdict import Said, Verdicts, counts_as_failure, table
from server.store.port import NotFound, SessionRecord, Unavailable
from server.store.tries import IN_A_ROW
from tests.pipeline.observations import Camera, near, template
from tests.server.stage import (
    CLIENT,
    POLICY,
    Clock,
    claimed,
    close_parts,
    enrolled,
    failed,
    failures,
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
        return await failures(self.parts, "ann")


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
    await failed(house.parts, "ann")
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
    assert await house.failures() == 1  # that of another, who must not gain by this


@pytest.mark.parametrize("purpose", ["login", "identify"])
async def test_whom_a_session_finds_keeps_their_template(house: House, purpose: str) -> None:
    """However well the face fits and whatever was answered (docs/decisions/adaptation.md)."""
    await enrolled(house.parts, "ann", 1)
    kept = await house.parts.store.templates.get(CLIENT, "ann")
    session = await house.session(purpose)
    said = await house.said(session, replace(ANN, acr="light", template=template(1)))
    assert said.phase == Phase.ACCEPTED
    assert await house.parts.store.templates.get(CLIENT, "ann") == kept


async def test_a_template_follows_a_login_where_the_operator_says_so(tmp_path: Path) -> None:
    parts, clock = await make_parts(tmp_path, Camera(), adapt="bounded")
    house = House(parts, clock, parts.verdicts)
    await enrolled(parts, "ann", 1)
    kept = await parts.store.templates.get(CLIENT, "ann")
    face = pooled(template(1).embeddings)
    shown = replace(ANN, acr="turn", probe=near(face, 0.9, 7))
    for purpose, decided, moves in (
        ("identify", shown, False),
        ("login", replace(shown, acr=None), False),
        ("login", replace(shown, probe=None), False),
        ("replayed", shown, False),
        ("login", shown, True),
    ):
        rows = [FACE]
        if purpose == "replayed":
            purpose, rows = "login", [FACE, replace(FACE, cue="replayed", reason="as_before")]
        session = await house.session(purpose)
        said = await house.verdicts.record(session, POLICY, decided, rows)
        assert said.phase == Phase.ACCEPTED
        assert (await parts.store.templates.get(CLIENT, "ann") != kept) == moves
    await close_parts(parts)


async def test_identify_names_whom_it_found_and_forgives_no_failures(house: House) -> None:
    await enrolled(house.parts, "ann", 1)
    await failed(house.parts, "ann")
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


# One face, two names


def _looking(house: House, mode: str) -> Verdicts:
    return recorded(
        replace(house.parts.settings, duplicates=mode),
        house.parts.store,
        house.parts.protection,
        house.parts.keyring,
        house.parts.opening.lockout,
        house.parts.opening.galleries,
        model_id="test",
        now=house.clock.now,
    )[1]


@pytest.mark.parametrize("mode", ["off", "allow", "refuse"])
async def test_a_face_with_another_name_is_told_and_refused_as_set(house: House, mode: str) -> None:
    await enrolled(house.parts, "bob", 1)
    house.verdicts = _looking(house, mode)
    session = await house.session("enroll")
    said = await house.said(session, Decided(Phase.ACCEPTED, template=template(1)))
    record = await house.parts.store.sessions.get(session.session_id)
    assert is_marked(record.evidence) is (mode != "off")
    assert "bob" not in record.evidence
    if mode == "refuse":
        assert (said.token, said.error, said.retry) == (None, "enrolment_refused", False)
        assert record.state == "rejected"
        with pytest.raises(NotFound):
            await house.parts.store.templates.get(CLIENT, "ann")
        standing = await house.parts.protection.ledger.standing(CLIENT, ["ann"])
        assert "ann" not in standing.counters
    else:
        assert said.token is not None
        assert (await house.parts.store.templates.get(CLIENT, "ann")).subject == "ann"


@pytest.mark.parametrize("others", [[], [("bob", 2)], [("ann", 1)], [("ann", 1), ("bob", 2)]])
async def test_nobody_is_ones_own_duplicate_or_a_strangers(
    house: House, others: list[tuple[str, int]]
) -> None:
    for subject, person in others:
        await enrolled(house.parts, subject, person)
    house.verdicts = _looking(house, "refuse")
    session = await house.session("enroll", replace=True)
    said = await house.said(session, Decided(Phase.ACCEPTED, template=template(1)))
    assert said.token is not None
    assert not is_marked((await house.parts.store.sessions.get(session.session_id)).evidence)


async def test_who_replaces_their_face_by_anothers_is_told(house: House) -> None:
    for subject in ("ann", "bob"):
        await enrolled(house.parts, subject, 1)
    house.verdicts = _looking(house, "refuse")
    session = await house.session("enroll", replace=True)
    said = await house.said(session, Decided(Phase.ACCEPTED, template=template(1)))
    assert (said.token, said.error) == (None, "enrolment_refused")


async def test_an_enrolment_that_cannot_be_compared_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.verdicts = _looking(house, "allow")
    monkeypatch.setattr(Galleries, "of_client", down)
    session = await house.session("enroll")
    said = await house.said(session, Decided(Phase.ACCEPTED, template=template(1)))
    assert (said.token, said.error) == (None, "store_unavailable")


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
    assert await house.failures() == 2  # nobody gave back what they took


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
    said = [await house.said(await house.session(), STRANGER) for _ in range(IN_A_ROW)]
    assert [one.retry for one in said] == [True] * (IN_A_ROW - 1) + [False]
    assert [one.wait_s for one in said] == [None] * (IN_A_ROW - 1) + [30.0]


@pytest.mark.parametrize("times", [IN_A_ROW - 1, IN_A_ROW])
async def test_identify_answers_nothing_better_while_login_is_locked(
    house: House, times: int
) -> None:
    await enrolled(house.parts, "ann", 1)
    await failed(house.parts, "ann", times)
    session = await house.session("identify")
    said = await house.said(session, ANN)
    if times < IN_A_ROW:
        assert said.token is not None
        return
    assert said == Said(Phase.REJECTED, (Reason.NO_MATCH,))
    assert await house.state(session) == "rejected"
    counters = await house.parts.opening.lockout.counters(session, Caller("192.0.2.1"))
    tallies = [await house.parts.store.tries.tally(counter) for counter in counters]
    assert [one.n for one in tallies] == [times + 1, 1]
    assert not any(session.session_id in dict(one.taken) for one in tallies)


async def test_whom_nobody_found_counts_at_the_address_and_with_the_app(house: House) -> None:
    session = await house.session("identify")
    await house.said(session, STRANGER)
    counters = await house.parts.opening.lockout.counters(session, Caller("192.0.2.1"))
    assert [(await house.parts.store.tries.tally(one)).n for one in counters] == [1, 1]


async def test_what_was_thrown_away_counts(house: House) -> None:
    gone = Decided(Phase.EXPIRED, (Reason.CANCELLED,))
    for doubted in (False, True):
        session = await house.session()
        await house.verdicts.record(session, POLICY, gone, [FACE], doubted=doubted)
        assert await house.failures() == int(doubted)


def _row(stand: Stand, topic: Topic) -> Evidence:
    return Evidence("cue", topic, stand, "reason", numbers={"x": float("nan"), "y": 1.5})


@pytest.mark.parametrize(
    ("phase", "reasons", "stand", "counts"),
    [
        (Phase.REJECTED, (Reason.NO_MATCH,), Stand.UNKNOWN, True),
        (Phase.REJECTED, (Reason.QUALITY, Reason.LIVENESS), Stand.UNKNOWN, True),
        (Phase.REJECTED, (Reason.QUALITY,), Stand.UNKNOWN, False),
        (Phase.REJECTED, (Reason.QUALITY,), Stand.AGAINST, True),
        (Phase.REJECTED, (Reason.INTERNAL,), Stand.FOR, False),
        (Phase.REJECTED, (Reason.INTERNAL,), Stand.AGAINST, True),
        (Phase.EXPIRED, (Reason.TIMEOUT,), Stand.UNKNOWN, False),
        (Phase.EXPIRED, (Reason.CANCELLED,), Stand.FOR, False),
        (Phase.EXPIRED, (Reason.CANCELLED,), Stand.AGAINST, True),
        (Phase.EXPIRED, (Reason.DISCONNECTED,), Stand.AGAINST, True),
    ],
)
def test_what_counts(phase: Phase, reasons: tuple[Reason, ...], stand: Stand, counts: bool) -> None:
    rows = [_row(stand, Topic.IDENTITY), _row(Stand.AGAINST, Topic.QUALITY)]
    assert counts_as_failure(Decided(phase, reasons), rows) is counts


@pytest.mark.parametrize(("llr", "counts"), [(-0.4, True), (0.0, False), (0.4, False)])
def test_giving_up_counts_where_the_evidence_leans_against_the_face(
    llr: float, counts: bool
) -> None:
    rows = [Evidence("spoof", Topic.LIVENESS, Stand.OPEN, "spoof", llr)]
    decided = Decided(Phase.EXPIRED, (Reason.CANCELLED,))
    assert counts_as_failure(decided, rows) is counts


def test_the_table_is_json_without_nan() -> None:
    (row,) = json.loads(table([_row(Stand.FOR, Topic.LIVENESS)]))
    assert row["numbers"] == {"x": None, "y": 1.5}


def test_a_token_is_not_in_any_repr() -> None:
    assert "t0ken" not in repr(Said(Phase.ACCEPTED, token="t0ken"))


async def test_an_enrolment_that_nobody_agreed_to_is_refused(house: House) -> None:
    session = replace(await house.session("enroll"), consent=None)
    said = await house.said(session, Decided(Phase.ACCEPTED, template=template(1)))
    assert (said.phase, said.token, said.error) == (Phase.REJECTED, None, "internal")
    assert await house.state(session) == "rejected"
    with pytest.raises(NotFound):
        await house.parts.store.templates.get(CLIENT, "ann")


async def test_the_audit_says_which_text_was_agreed_to_and_not_by_whom(house: House) -> None:
    session = await house.session("enroll")
    await house.said(session, Decided(Phase.ACCEPTED, template=template(1)))
    await enrolled(house.parts, "bob", 2)
    await house.said(await house.session(), Decided(Phase.REJECTED, (Reason.QUALITY,)))
    records = await house.parts.store.audit.records(after=("", 0), most=100)
    told = [body for record in records if (body := json.loads(record.body))["kind"] == "verdict"]
    by_purpose = {body["purpose"]: body for body in told}
    whole = json.loads(session.consent or "")
    names = ("text_id", "version", "language", "sha256", "at")
    assert by_purpose["enroll"]["consent"] == {name: whole[name] for name in names}
    assert "consent" not in by_purpose["login"]
    assert not [record for record in records if '"ann"' in record.body]
