"""What follows when a session shows what an earlier one of its subject showed, by the setting."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path as Folder
from typing import Any

import pytest

from pipeline.decision import Evidence, Stand, Topic
from pipeline.events import Decided
from pipeline.reasons import Phase, Reason
from pipeline.session.fingerprint import Path
from server.audit.export import stored
from server.audit.record import read_body
from server.keys.vault import Vault
from server.parts import Parts
from server.session.replays import MOST, Replays
from server.session.verdict import Said
from server.store.fingerprints import Fingerprint
from server.store.port import SessionRecord, Unavailable
from server.store.sqlite.fingerprints import Fingerprints
from tests.pipeline.observations import Camera, template
from tests.pipeline.session.test_fingerprint import film, path, still
from tests.server.stage import CLIENT, POLICY, claimed, close_parts, enrolled, failures, make_parts

FACE = Evidence("face", Topic.QUALITY, Stand.FOR, "usable")
ANN = Decided(Phase.ACCEPTED, subject="ann")
POOR = Decided(Phase.REJECTED, (Reason.QUALITY,))


@dataclass
class House:
    """A server where ann is enrolled, and sessions of hers that are judged there."""

    parts: Parts

    async def judge(
        self,
        shown: Path | None,
        decided: Decided = ANN,
        purpose: str = "login",
        subject: str | None = "ann",
    ) -> tuple[SessionRecord, Said]:
        session = await claimed(self.parts, purpose, subject, replace=purpose == "enroll")
        said = await self.parts.verdicts.record(session, POLICY, decided, [FACE], path=shown)
        if shown is not None:
            await self.parts.verdicts.remember(session, decided, said, shown)
        return await self.parts.store.sessions.get(session.session_id), said

    async def kept(self, subject: str = "ann") -> list[Fingerprint]:
        return list(await self.parts.store.fingerprints.of_subject(CLIENT, subject))


@pytest.fixture
async def house(tmp_path: Folder, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    mode = getattr(request, "param", "record")
    parts, _ = await make_parts(tmp_path, Camera(), replayed=mode)
    await enrolled(parts, "ann", 1)
    yield House(parts)
    await close_parts(parts)


def found(record: SessionRecord) -> dict[str, Any] | None:
    """The row of its decision table."""
    return next((row for row in json.loads(record.evidence) if row["cue"] == "replayed"), None)


def reason(record: SessionRecord) -> str | None:
    row = found(record)
    return None if row is None else row["reason"]


modes = pytest.mark.parametrize("house", ["record", "refuse"], indirect=True)
refusing = pytest.mark.parametrize("house", ["refuse"], indirect=True)


@modes
async def test_two_films_of_one_person_are_two(house: House) -> None:
    first, _ = await house.judge(path(film(1), seconds=1.0))
    assert reason(first) == "none_before"
    second, said = await house.judge(path(film(2), seconds=1.0))
    assert said.token is not None
    assert (reason(second), second.state) == ("as_none_before", "accepted")
    assert {one.session_id for one in await house.kept()} == {first.session_id, second.session_id}


async def test_the_same_film_again_is_recorded_and_nobody_hears_of_it(house: House) -> None:
    await house.judge(path(film(1), seconds=1.0, noise=1))
    record, said = await house.judge(path(film(1), seconds=1.0, noise=2))
    assert (said.phase, said.reasons, said.error) == (Phase.ACCEPTED, (), None)
    row = found(record)
    assert row is not None
    assert (row["reason"], row["stand"], row["llr"]) == ("as_before", "open", 0.0)
    assert row["numbers"]["likeness"] > 0.9
    assert row["numbers"]["compared"] == 1


@refusing
async def test_the_same_film_again_is_refused_as_a_face_that_is_not_live(house: House) -> None:
    await house.judge(path(film(1), noise=1))
    record, said = await house.judge(path(film(1), noise=2))
    assert (said.phase, said.reasons) == (Phase.REJECTED, (Reason.LIVENESS,))
    assert (said.token, said.error) == (None, None)
    assert (record.state, record.reasons) == ("rejected", ("liveness",))
    assert (reason(record), found(record) or {})[0] == "as_before"
    assert await failures(house.parts, "ann") == 1


@modes
async def test_the_audit_says_what_the_record_says(house: House) -> None:
    await house.judge(path(film(1), noise=1))
    record, said = await house.judge(path(film(1), noise=2))
    bodies = [read_body(one.body) async for one in stored(house.parts.store.audit)]
    (body,) = [one for one in bodies if one.get("session") == record.session_id]
    assert [row["reason"] for row in body["table"] if row["cue"] == "replayed"] == ["as_before"]
    assert body["outcome"] == said.phase.value


@refusing
@pytest.mark.parametrize("purpose", ["enroll", "login", "identify"])
async def test_a_film_is_known_for_whatever_it_is_shown(house: House, purpose: str) -> None:
    await house.judge(path(film(1), noise=1), replace(ANN, template=template(1)), purpose)
    assert len(await house.kept()) == 1
    _, said = await house.judge(path(film(1), noise=2))
    assert said.reasons == (Reason.LIVENESS,)
    subject = None if purpose == "identify" else "ann"
    decided = replace(ANN, template=template(1))
    _, said = await house.judge(path(film(1), noise=3), decided, purpose, subject)
    assert said.reasons == (Reason.LIVENESS,)


@modes
async def test_a_film_that_was_refused_is_known_too(house: House) -> None:
    first, _ = await house.judge(path(film(1), noise=1), POOR)
    assert [one.accepted for one in await house.kept()] == [False]
    second, said = await house.judge(path(film(1), noise=2), POOR)
    assert (reason(first), reason(second)) == ("none_before", "as_before")
    assert said.reasons == (Reason.QUALITY,)  # the page hears what it would have heard


@modes
async def test_other_peoples_films_are_their_own(house: House) -> None:
    await enrolled(house.parts, "bob", 2)
    await house.judge(path(film(1), noise=1), replace(ANN, subject="bob"), subject="bob")
    record, said = await house.judge(path(film(1), noise=2))
    assert said.token is not None
    assert reason(record) == "none_before"


@modes
@pytest.mark.parametrize(
    "decided",
    [Decided(Phase.EXPIRED, (Reason.CANCELLED,)), Decided(Phase.EXPIRED, (Reason.TIMEOUT,))],
)
async def test_nothing_is_kept_of_what_was_not_judged(house: House, decided: Decided) -> None:
    record, _ = await house.judge(path(film(1)), decided)
    assert found(record) is None
    assert await house.kept() == []


async def test_nothing_is_kept_of_a_search_that_found_nobody(house: House) -> None:
    unknown = Decided(Phase.REJECTED, (Reason.NO_MATCH,))
    record, _ = await house.judge(path(film(1)), unknown, "identify", None)
    assert found(record) is None


@pytest.mark.parametrize("house", ["off"], indirect=True)
async def test_off_keeps_nothing_and_does_not_look(house: House) -> None:
    for _ in range(2):
        record, said = await house.judge(path(film(1)))
        assert said.token is not None
        assert found(record) is None
    assert await house.kept() == []


# What cannot be compared


@modes
@pytest.mark.parametrize(
    ("shown", "why"), [(path(film(1), seconds=0.5), "too_short"), (still(), "too_still")]
)
async def test_where_replays_are_refused_nobody_passes_who_cannot_be_compared(
    house: House, shown: Path, why: str
) -> None:
    await house.judge(path(film(2)))
    record, said = await house.judge(shown)
    assert reason(record) == why
    if house.parts.settings.replayed == "record":
        assert said.token is not None
    else:
        assert (said.token, said.reasons, record.state) == (None, (Reason.QUALITY,), "rejected")


async def _down(*_: object, **__: object) -> Any:
    raise Unavailable("down")


async def _damaged(self: Fingerprints, *whose: str) -> list[Fingerprint]:
    """What is of another session does not open as this one's."""
    return [replace(one, session_id="another") for one in await AS_KEPT(self, *whose)]


AS_KEPT = Fingerprints.of_subject


@modes
@pytest.mark.parametrize("broken", [_down, _damaged])
async def test_a_comparison_that_fails_accepts_nobody_where_replays_are_refused(
    house: House, broken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.judge(path(film(2)))
    monkeypatch.setattr(Fingerprints, "of_subject", broken)
    record, said = await house.judge(path(film(1)))
    assert reason(record) == "not_compared"
    if house.parts.settings.replayed == "record":
        assert said.token is not None
    else:
        assert (said.token, said.reasons) == (None, (Reason.INTERNAL,))
        assert await failures(house.parts, "ann") == 0  # our failure is nobody's try


@pytest.mark.parametrize(("mode", "denied"), [("record", None), ("refuse", Reason.INTERNAL)])
async def test_a_comparison_that_does_not_end_is_none(
    house: House, mode: str, denied: Reason | None
) -> None:
    parts = house.parts
    replays = Replays(parts.store.fingerprints, parts.vault, mode, parts.now, wait_s=0.0)
    session = await claimed(parts, "login", "ann")
    shown = await replays.look(session, ANN, path(film(1)))
    assert shown.row is not None
    assert (shown.row.reason, shown.denied) == ("not_compared", denied)


@modes
async def test_what_cannot_be_kept_takes_no_verdict_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fingerprints, "keep", _down)
    _, said = await house.judge(path(film(1)))
    assert said.token is not None


# What is kept


async def test_what_is_kept_opens_for_its_own_session_only(house: House) -> None:
    shown = path(film(1))
    await house.judge(shown)
    (one,) = await house.kept()
    plain = shown.kept()
    assert plain is not None
    assert plain not in one.sealed
    owner = ("fingerprint", CLIENT, "ann", one.session_id)
    assert house.parts.vault.open(one.sealed, owner=owner) == plain
    assert one.key_id == house.parts.vault.key_id
    with pytest.raises(Exception, match="cannot be read"):
        Vault([b"o" * 32]).open(one.sealed, owner=owner)


async def test_a_stranger_who_is_refused_pushes_out_no_film_that_was_accepted(
    house: House,
) -> None:
    await house.judge(path(film(1), noise=1))
    for n in range(MOST + 1):
        await house.judge(path(film(10 + n)), POOR, "enroll")
    assert len(await house.kept()) == MOST + 1
    record, _ = await house.judge(path(film(1), noise=2))
    assert reason(record) == "as_before"
