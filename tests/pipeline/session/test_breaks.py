"""Breaks that are counted: how often is too often, what stands in the table, what hides none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from pipeline.cues.continuity import Break
from pipeline.decision import Evidence, Stand, Topic
from pipeline.events import Challenged, Decided, Event, PhaseChanged
from pipeline.inputs import Introduced, Seen
from pipeline.observation import Ask, Bars, Observation
from pipeline.policy import Policy
from pipeline.reasons import Hint, Phase, Purpose, Reason
from pipeline.session import SessionPipeline
from pipeline.session.breaks import CUE, Breaks, limits
from tests.pipeline.observations import ROI, Camera, gallery, identity, near

POLICY = Policy()
LATER = replace(POLICY, settle_s=2.9, detect_period_s=0.1, embed_period_s=0.2)
"""No verdict comes between two breaks, and each is seen at once."""
REFUSED = Decided(Phase.REJECTED, (Reason.LIVENESS,))


@dataclass
class Stage(Camera):
    """A camera whose picture can be cut, each time to another scene with the same person."""

    scene: int = 0

    def shot(self, ask: Ask) -> Observation:
        obs = super().shot(ask)
        if not self.scene:
            return obs
        obs = replace(obs, sketch=obs.sketch + np.float32(5.0 * self.scene))
        if obs.face is None:
            return obs
        bend = np.random.default_rng(self.scene).normal(0, 3.0, (28, 3)).astype(np.float32)
        return replace(obs, face=replace(obs.face, rigid_px=obs.face.rigid_px + bend))


def cut(camera: Stage) -> None:
    camera.scene += 1


def other(camera: Stage) -> None:
    """Another face in the same place, which the mesh goes on with."""
    camera.person, camera.look = 2 if camera.person == 1 else 1, {"same": True}


def lost(camera: Stage) -> None:
    camera.look = {"same": False}


def jump(camera: Stage) -> None:
    away = camera.look.get("box_px") == (30.0, 140.0, 180.0, 200.0)
    camera.look = {"box_px": (230.0 if away else 30.0, 140.0, 180.0, 200.0)}


def second(camera: Stage) -> None:
    camera.rival = 0.8


Act = Callable[[Stage], None]


def started(
    purpose: Purpose = Purpose.LOGIN, policy: Policy = POLICY, **more: object
) -> SessionPipeline:
    who = gallery() if purpose is Purpose.ENROLL else gallery(1)
    return SessionPipeline(
        purpose=purpose, policy=policy, gallery=who, model_id="test", started_s=100.0,
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


def watched(session: SessionPipeline, camera: Camera, seconds: float) -> list[Event]:
    events: list[Event] = []
    for _ in range(round(seconds * camera.fps)):
        if session.over:
            break
        events += session.receive(Seen(camera.shot(session.ask())))
    return events


def broken(
    session: SessionPipeline, camera: Stage, act: Act, times: int, apart_s: float = 0.8
) -> list[Event]:
    """Evidence for a while, too short for a verdict, then the same break again and again."""
    events = watched(session, camera, apart_s)
    for _ in range(times):
        act(camera)
        events += watched(session, camera, 0.2)
        camera.rival = 0.0
        camera.look.pop("same", None)
        events += watched(session, camera, apart_s - 0.2)
    return events


def restarts(events: list[Event]) -> int:
    return events.count(PhaseChanged(Phase.FRAMING))


def counted(session: SessionPipeline) -> Evidence | None:
    found = [row for row in session.evidence() if row.cue == CUE]
    assert len(found) <= 1
    return found[0] if found else None


def against(kind: Break, times: int) -> Evidence:
    numbers = {kind.value: float(times)}
    return Evidence(CUE, Topic.LIVENESS, Stand.AGAINST, kind.value, 0.0, True, numbers)


@pytest.mark.parametrize("purpose", list(Purpose))
def test_another_face_once_ends_the_session_as_liveness(purpose: Purpose) -> None:
    session, camera = started(purpose), Stage()
    events = broken(session, camera, other, 1)
    assert events[-2:] == [PhaseChanged(Phase.REJECTED), REFUSED]
    assert counted(session) == against(Break.ANOTHER_FACE, 1)
    # What was gathered before it is on record beside it.
    assert {"face", "spoof", "identity"} <= {row.cue for row in session.evidence()}


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_cut_is_borne_once_and_ends_the_session_the_second_time(purpose: Purpose) -> None:
    session, camera = started(purpose), Stage()
    events = broken(session, camera, cut, 1, 0.6)
    assert restarts(events) == 1
    row = counted(session)
    assert row is not None
    assert (row.stand, row.reason, row.llr, row.certain) == (Stand.OPEN, "cut", 0.0, False)
    events = broken(session, camera, cut, 1, 0.25)
    assert events[-1] == REFUSED
    assert counted(session) == against(Break.CUT, 2)


def test_somebody_whose_picture_was_cut_once_is_let_in() -> None:
    session, camera = started(), Stage()
    events = broken(session, camera, cut, 1)
    events += watched(session, camera, 5.0)
    assert events[-1] == Decided(Phase.ACCEPTED, subject="person-1")


def test_a_picture_of_another_size_begins_afresh_and_says_nothing_of_whose_face_it_shows() -> None:
    """A browser on a slow line sends smaller pictures, and a phone is turned. The face is looked
    for where it was, so what the first of them shows may be anything."""
    session, camera = started(), Stage()
    events = watched(session, camera, 0.8)
    shown = camera.shot(Ask(detect=True, roi=ROI, embed_above=0.0))
    assert shown.face is not None
    face = replace(shown.face, embedding=identity(2))
    events += session.receive(Seen(replace(shown, width_px=800, height_px=600, face=face)))
    assert restarts(events) == 1
    ask = session.ask()
    assert (ask.detect, ask.roi) == (True, None)
    while not session.over:
        obs = replace(camera.shot(session.ask()), width_px=800, height_px=600)
        events += session.receive(Seen(obs))
    assert events[-1] == Decided(Phase.ACCEPTED, subject="person-1")
    assert counted(session) is None


@pytest.mark.parametrize("act", [lost, jump, second])
def test_other_breaks_may_come_as_often_as_they_like(act: Act) -> None:
    session, camera = started(policy=LATER), Stage()
    events = broken(session, camera, act, 6, 1.2)
    assert restarts(events) >= 5
    assert not session.over
    assert counted(session) is None


@pytest.mark.parametrize("act", [lost, jump, second])
def test_other_breaks_between_forget_no_cut(act: Act) -> None:
    session, camera = started(policy=LATER), Stage()
    broken(session, camera, cut, 1)
    broken(session, camera, act, 1)
    assert not session.over
    assert broken(session, camera, cut, 1)[-1] == REFUSED


def test_a_window_that_ends_undecided_forgets_no_cut() -> None:
    session, camera = started(), Stage(margin=-1.0, glow=0.3, eye_change=0.3)
    camera.edges = (0.2, 0.2, 0.1, 0.0)
    broken(session, camera, cut, 1)
    events = watched(session, camera, 3.3)
    assert restarts(events) == 1  # by its end, and no break
    assert not session.over
    assert broken(session, camera, cut, 1)[-1] == REFUSED


@pytest.mark.parametrize(("act", "times"), [(other, 1), (cut, 2)])
def test_a_challenge_sets_nothing_back(act: Act, times: int) -> None:
    """Each window draws its own; the count is of the session."""
    session, camera = started(challenge=True, seed=b"a seed for a test of the breaks"), Stage()
    session.receive(Introduced(False, None))
    events = broken(session, camera, act, times, 1.6)
    assert len([event for event in events if isinstance(event, Challenged)]) == times
    assert events[-1] == REFUSED


def test_the_policy_says_how_often() -> None:
    session, camera = started(policy=replace(LATER, another_face_most=4)), Stage()
    events = broken(session, camera, other, 3)
    assert restarts(events) == 3
    assert Hint.FACE_CHANGES in {getattr(event, "hint", None) for event in events}
    assert broken(session, camera, other, 1)[-1] == REFUSED
    # Nobody can have a limit of none: what never came ended nothing.
    session = started(policy=replace(POLICY, another_face_most=0, cut_most=0))
    assert watched(session, Stage(), 5.0)[-1] == Decided(Phase.ACCEPTED, subject="person-1")


def test_two_kinds_are_counted_apart_and_both_told() -> None:
    session, camera = started(policy=LATER), Stage()
    broken(session, camera, cut, 1)
    broken(session, camera, other, 1)
    row = counted(session)
    assert row is not None
    assert (row.stand, row.reason) == (Stand.AGAINST, "another_face")
    assert row.numbers == {"another_face": 1.0, "cut": 1.0}


def test_borders_that_change_with_the_picture_hide_no_other_face() -> None:
    breaks, camera = Breaks(), Stage()
    ask = Ask(detect=True, roi=ROI, embed_above=0.0)
    for _ in range(6):
        assert breaks.found(camera.shot(ask), POLICY) is None
    camera.bars = Bars(0, 60, 0, 60)
    for _ in range(2):
        assert breaks.found(camera.shot(ask), POLICY) is None
    other(camera)
    assert breaks.found(camera.shot(ask), POLICY) is Break.BORDERS
    assert breaks.too_often(POLICY)


@pytest.mark.parametrize(
    ("cosine", "before", "found"),
    [
        (0.40, 1, Break.UNLIKE),
        (0.40, 2, Break.ANOTHER_FACE),
        (0.31, 1, Break.UNLIKE),
        (0.29, 1, Break.ANOTHER_FACE),
        (0.50, 1, None),
        (float("nan"), 1, Break.ANOTHER_FACE),
    ],
)
def test_one_picture_against_one_is_no_certain_sign_of_another_face(
    cosine: float, before: int, found: Break | None
) -> None:
    breaks, camera = Breaks(), Stage()
    ask, mine = Ask(detect=True, roi=ROI), identity(1)
    for _ in range(before):
        camera.look = {"embedding": mine}
        assert breaks.found(camera.shot(ask), POLICY) is None
    camera.look = {"embedding": near(mine, cosine, 5)}
    assert breaks.found(camera.shot(ask), POLICY) is found
    assert breaks.too_often(POLICY) is (found is Break.ANOTHER_FACE)


def test_only_what_no_genuine_person_shows_is_counted() -> None:
    assert limits(POLICY) == {Break.ANOTHER_FACE: 1, Break.CUT: 2}
