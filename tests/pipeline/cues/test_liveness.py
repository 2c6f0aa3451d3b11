"""The supporting liveness cues on their own: for, open, against and unknown."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import pytest

from pipeline.cues.background import Background
from pipeline.cues.bezel import Bezel
from pipeline.cues.blink import Blink
from pipeline.cues.detail import Detail
from pipeline.cues.glow import Glow
from pipeline.cues.micro import Micro
from pipeline.cues.plane import TURNED, Plane
from pipeline.decision import Evidence, Species, Stand, Topic
from pipeline.observation import Ask
from pipeline.policy import POLICIES
from tests.pipeline.observations import ROI, Camera, chosen_points

POLICY = POLICIES["standard"]
ALL = Ask(
    roi=ROI, edges=True, glow=True, eyes=True, detail=True, motion=True, tracks=chosen_points(0)
)
NOTHING = ("too_few_samples", "not_turned", "no_background", "face_kept_still")
"""Reasons of a cue that had too little to say something."""
CUES = (Bezel, Background, Glow, Micro, Plane, Blink, Detail)


def row(cue: type, camera: Camera, n: int = 20, ask: Ask = ALL) -> Evidence:
    taken = cue()
    for obs in camera.shots(ask, n):
        taken.add(obs)
    found: Evidence = taken.row(POLICY)
    assert found.topic is Topic.LIVENESS
    return found


@pytest.mark.parametrize("cue", CUES)
def test_what_was_not_measured_is_unknown_and_no_number(cue):
    for camera in (Camera(), Camera(person=None)):
        found = row(cue, camera, 20, Ask(detect=True))
        assert (found.stand, found.llr, found.certain) == (Stand.UNKNOWN, 0.0, False)
    assert row(cue, Camera(), 1).stand is Stand.UNKNOWN
    # A first look at motion has no displacement yet.
    if cue in (Background, Micro, Plane):
        assert row(cue, Camera(), 9, replace(ALL, tracks=None)).stand is Stand.UNKNOWN


@pytest.mark.parametrize(
    ("edges", "stand", "llr"),
    [
        ((0.0, 0.0, 0.0, 0.0), Stand.FOR, 0.7),
        ((0.0, 3.0, 0.0, 0.0), Stand.FOR, 0.7),  # one door frame
        ((0.5, 0.5, 0.0, 0.0), Stand.OPEN, 0.7 - 2.9 * 0.5),
        ((0.0, 0.79, 1.4, 0.0), Stand.OPEN, 0.7 - 2.9 * 0.79),
        ((0.8, 0.0, 0.0, 0.9), Stand.AGAINST, 0.7 - 2.9 * 0.8),
        ((3.0, 3.0, 3.0, 3.0), Stand.AGAINST, -2.5),
    ],
)
def test_two_straight_edges_are_a_border(edges, stand, llr):
    found = row(Bezel, Camera(edges=edges), 3)
    assert (found.stand, found.certain) == (stand, stand is Stand.AGAINST)
    assert found.llr == pytest.approx(llr)


@pytest.mark.parametrize(
    ("left_px", "stand", "reason"),
    [
        (230.0, Stand.FOR, "no_border"),
        (90.0, Stand.FOR, "no_border"),  # one face width from its middle to the side
        (80.0, Stand.OPEN, "no_room"),
        (380.0, Stand.OPEN, "no_room"),
    ],
)
def test_an_unseen_border_speaks_for_a_face_only_where_there_is_room_for_one(
    left_px, stand, reason
):
    found = row(Bezel, Camera(look={"box_px": (left_px, 140.0, 180.0, 200.0)}), 3)
    assert (found.stand, found.reason) == (stand, reason)
    assert found.llr == (0.7 if stand is Stand.FOR else 0.0)
    # A border that is seen needs none.
    near = Camera(edges=(0.5, 0.5, 0.0, 0.0), look={"box_px": (80.0, 140.0, 180.0, 200.0)})
    assert row(Bezel, near, 3).llr < 0


def test_each_sign_counts_against_the_attacks_that_it_knows_something_of():
    both = tuple(Species)
    print_only, screen_only = (Species.PRINT,), (Species.SCREEN,)
    for cue, camera, species in (
        (Bezel, Camera(), print_only),
        (Bezel, Camera(edges=(0.5, 0.5, 0.0, 0.0)), both),
        (Bezel, Camera(edges=(2.0, 2.0, 0.0, 0.0)), both),
        (Background, Camera(), screen_only),
        (Background, Camera(follows=True), screen_only),
        (Glow, Camera(glow=0.5), screen_only),
        (Micro, Camera(), print_only),
        (Micro, Camera(eye_change=0.0), print_only),
        (Plane, Camera(flat=True), both),
        (Blink, Camera(blink_s=1.0), print_only),
        (Detail, Camera(), screen_only),
        (Detail, Camera(detail=-5.0), screen_only),
    ):
        found = row(cue, camera, 30)
        assert found.stand is not Stand.UNKNOWN
        assert found.species == species, cue


@pytest.mark.parametrize(
    ("detail", "stand", "llr"),
    [
        (-3.0, Stand.FOR, 0.7),
        (-3.74, Stand.FOR, 0.31),
        (-3.84, Stand.OPEN, 0.0),
        (-4.0, Stand.OPEN, -0.496),
        (-6.0, Stand.OPEN, -2.0),
    ],
)
def test_a_face_without_fine_detail_may_be_on_a_screen(detail, stand, llr):
    found = row(Detail, Camera(detail=detail), 3)
    assert (found.stand, found.certain) == (stand, False)
    assert found.llr == pytest.approx(llr, abs=1e-3)


def test_detail_is_the_windows_median():
    cue, camera = Detail(), Camera()
    for detail in (-9.0, -3.5, -3.4, -3.0, 9.0):
        camera.detail = detail
        cue.add(camera.shot(ALL))
    assert cue.row(POLICY).numbers["log_ratio"] == -3.4


def test_an_edge_seen_in_a_minority_of_frames_is_none():
    cue, camera = Bezel(), Camera()
    for edges in ((0.0,) * 4, (2.0,) * 4, (0.0,) * 4):
        camera.edges = edges  # type: ignore[assignment]
        cue.add(camera.shot(ALL))
    assert cue.row(POLICY).stand is Stand.FOR


@pytest.mark.parametrize(
    ("camera", "stand", "reason", "llr"),
    [
        ({}, Stand.FOR, "stays", 0.5),
        ({"follows": True}, Stand.OPEN, "follows", -0.4),
        ({"sway": 0.03}, Stand.UNKNOWN, "face_kept_still", 0.0),
        ({"sway": 0.03, "follows": True}, Stand.UNKNOWN, "face_kept_still", 0.0),
    ],
)
def test_a_background_says_something_only_when_the_face_moved(camera, stand, reason, llr):
    found = row(Background, Camera(**camera))
    assert (found.stand, found.reason) == (stand, reason)
    assert found.llr == pytest.approx(llr)


def test_two_moves_are_too_few():
    cue, camera = Background(), Camera(sway=0.0)
    for obs in camera.shots(ALL, 9):
        cue.add(obs)
    camera.sway, camera.now_s = 1.0, 100.5
    for obs in camera.shots(ALL, 2):
        cue.add(obs)
    assert cue.row(POLICY).stand is Stand.UNKNOWN


@pytest.mark.parametrize(
    ("glow", "stand", "llr"),
    [
        (-0.5, Stand.OPEN, 0.0),
        (-3.0, Stand.OPEN, 0.0),
        (0.0, Stand.OPEN, -0.06),
        (0.5, Stand.OPEN, -0.485),
        (3.0, Stand.OPEN, -1.0),
    ],
)
def test_a_face_brighter_than_its_surroundings_is_a_weak_sign(glow, stand, llr):
    found = row(Glow, Camera(glow=glow), 3)
    assert found.stand is stand
    assert found.llr == pytest.approx(llr)


@pytest.mark.parametrize(
    ("change", "stand", "llr"),
    [
        (0.8, Stand.FOR, 0.566),
        (9.0, Stand.FOR, 0.7),
        (0.3, Stand.OPEN, -0.944),
        (0.0, Stand.OPEN, -1.5),
    ],
)
def test_eyes_that_never_change_are_a_weak_sign(change, stand, llr):
    found = row(Micro, Camera(eye_change=change))
    assert found.stand is stand
    assert found.llr == pytest.approx(llr, abs=1e-3)


def test_eyes_that_change_now_and_then_are_enough():
    cue, camera = Micro(), Camera(eye_change=0.1)
    for k, obs in enumerate(camera.shots(ALL, 20)):
        cue.add(obs)
        camera.eye_change = 2.0 if k % 7 == 0 else 0.1
    assert cue.row(POLICY).stand is Stand.FOR


@pytest.mark.parametrize(
    ("camera", "stand", "reason"),
    [
        ({"flat": True}, Stand.AGAINST, "flat"),
        ({}, Stand.UNKNOWN, "not_flat"),
        ({"flat": True, "sway": 0.01}, Stand.UNKNOWN, "not_turned"),
    ],
)
def test_a_plane_is_a_veto_and_anything_else_says_nothing(camera, stand, reason):
    found = row(Plane, Camera(**camera))
    assert (found.stand, found.reason, found.certain) == (stand, reason, False)
    assert found.llr == (-2.0 if stand is Stand.AGAINST else 0.0)


def test_a_blink_speaks_for_and_its_absence_not_against():
    assert row(Blink, Camera(blink_s=1.0), 30).stand is Stand.FOR
    assert row(Blink, Camera(blink_s=1.0), 30).llr == 0.5
    found = row(Blink, Camera(), 30)
    assert (found.stand, found.reason, found.llr) == (Stand.UNKNOWN, "none_seen", 0.0)


def test_closing_the_eyes_is_no_blink_and_neither_is_a_wink():
    cue, camera = Blink(), Camera()
    for obs in camera.shots(ALL, 15):
        cue.add(obs)
    camera.lids = 0.05
    for obs in camera.shots(ALL, 15):
        cue.add(obs)
    assert cue.row(POLICY).stand is Stand.UNKNOWN
    wink, camera = Blink(), Camera()
    for k, obs in enumerate(camera.shots(ALL, 20)):
        assert obs.face is not None
        lids = (0.03, 0.3) if k in (8, 9) else (0.3, 0.3)
        wink.add(replace(obs, face=replace(obs.face, eyes=lids)))
    assert wink.row(POLICY).stand is Stand.UNKNOWN


@pytest.mark.parametrize(
    ("cue", "enough"),
    [
        (Bezel, POLICY.border_samples),
        (Glow, POLICY.border_samples),
        (Micro, POLICY.motion_samples),
        (Plane, TURNED),
        (Background, POLICY.background_samples),
        (Detail, POLICY.detail_samples),
    ],
)
def test_as_many_samples_as_the_policy_asks_for_are_enough(cue, enough):
    """And one fewer are not."""
    moving = Camera(now_s=101.0, sway=0.5, flat=True)
    assert row(cue, replace(moving), enough).reason not in NOTHING
    assert row(cue, replace(moving), enough - 1).reason in NOTHING


def test_a_border_is_a_veto_at_once_and_certain_once_it_was_seen_often_enough():
    """A hand comes and goes; but nobody is let in beside what may be a border."""
    shown = Camera(edges=(1.0, 1.0, 0.0, 0.0))
    few = row(Bezel, replace(shown), POLICY.bezel_samples - 1)
    assert (few.stand, few.certain) == (Stand.AGAINST, False)
    enough = row(Bezel, replace(shown), POLICY.bezel_samples)
    assert (enough.stand, enough.certain) == (Stand.AGAINST, True)


def test_a_background_that_was_seen_while_nothing_moved_is_another_unknown():
    for n, reason in ((POLICY.background_samples - 1, "no_background"),
                      (POLICY.background_samples, "face_kept_still")):  # fmt: skip
        assert row(Background, Camera(sway=0.0), n).reason == reason


def test_eyes_that_open_at_the_beginning_or_close_at_the_end_have_not_blinked():
    for shut in (range(0, 3), range(17, 20)):
        cue = Blink()
        for k, obs in enumerate(Camera().shots(ALL, 20)):
            assert obs.face is not None
            lids = 0.03 if k in shut else 0.3
            cue.add(replace(obs, face=replace(obs.face, eyes=(lids, lids))))
        assert cue.row(POLICY).stand is Stand.UNKNOWN


def test_eyes_that_are_no_number_hide_no_blink():
    cue = Blink()
    for k, obs in enumerate(Camera(blink_s=1.0).shots(ALL, 30)):
        assert obs.face is not None
        cue.add(obs if k % 3 else replace(obs, face=replace(obs.face, eyes=(nan, 0.3))))
    assert cue.row(POLICY).stand is Stand.FOR


@pytest.mark.parametrize(
    ("cue", "fields"),
    [
        (Background, ("background_moved", "background_stays")),
        (Plane, ("similarity", "homography")),
        (Micro, ("eye_change",)),
    ],
)
def test_each_number_that_is_none_makes_the_look_none(cue, fields):
    whole = row(cue, Camera(flat=True), 20)
    for field in fields:
        taken = cue()
        for obs in Camera(flat=True).shots(ALL, 20):
            assert obs.face is not None
            assert obs.face.motion is not None
            taken.add(obs)
            motion = replace(obs.face.motion, **{field: nan})
            taken.add(replace(obs, face=replace(obs.face, motion=motion)))
        assert taken.row(POLICY) == whole


@pytest.mark.parametrize("cue", CUES)
def test_numbers_that_are_none_do_not_count(cue):
    camera, taken = Camera(), cue()
    for obs in camera.shots(ALL, 20):
        assert obs.face is not None
        assert obs.face.motion is not None
        motion = replace(
            obs.face.motion,
            similarity=nan,
            homography=nan,
            background_stays=nan,
            background_moved=nan,
            eye_change=nan,
        )
        taken.add(replace(obs, face=replace(obs.face, motion=motion, eyes=(nan, 0.3))))
    found = taken.row(POLICY)
    if cue in (Background, Micro, Plane, Blink):
        assert found.stand is Stand.UNKNOWN
    assert found.llr == found.llr
