from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.decision import liveness_sum
from pipeline.observation import Ask
from pipeline.policy import POLICIES
from pipeline.reasons import Purpose
from pipeline.session.window import Window
from pipeline.template import Gallery
from tests.pipeline.observations import ROI, Camera, gallery
from tests.pipeline.session.test_rules import EVERYTHING

POLICY = POLICIES["standard"]


def asked(n: int):
    """What a session asks for, in other rhythms: every cue hears something, at its own pace."""
    return replace(
        EVERYTHING,
        spoof=n % 2 == 0,
        edges=n % 5 == 0,
        glow=n % 7 == 0,
        eyes=n % 3 == 0,
        motion=n % 4 == 0,
    )


def test_rows_are_of_the_policy_that_asks():
    camera, window = Camera(), Window(Purpose.LOGIN, gallery(1), "test", 100.0)
    for n in range(30):
        window.add(camera.shot(asked(n)), POLICY, usable=True)
    strict = replace(POLICY, spoof_offset=-3.0)
    ratios = {
        policy: next(row.llr for row in window.rows(policy, camera.now_s) if row.cue == "spoof")
        for policy in (POLICY, strict, POLICY)
    }
    assert ratios[strict] < ratios[POLICY]
    assert window.rows(POLICY, camera.now_s) == window.rows(replace(POLICY), camera.now_s)


@pytest.mark.parametrize("purpose", [Purpose.LOGIN, Purpose.ENROLL])
def test_an_unusable_frame_reaches_no_cue_but_freshness(purpose):
    """A crop that is too tight, dark or blurred is no number; that it came is counted."""
    untouched, unusable, usable = (Window(purpose, gallery(1), "test", 100.0) for _ in range(3))
    camera = Camera(blink_s=0.7)
    for obs in camera.shots(EVERYTHING, 24):
        unusable.add(obs, POLICY, usable=False)
        usable.add(obs, POLICY, usable=True)
    before, after, otherwise = (
        {row.cue: row for row in window.rows(POLICY, camera.now_s)}
        for window in (untouched, unusable, usable)
    )
    assert {cue for cue in before if after[cue] != before[cue]} == {"face", "freshness"}
    assert {cue for cue in before if otherwise[cue] != before[cue]} == set(before)
    assert after["freshness"] == otherwise["freshness"]
    assert after["face"].numbers == {"frames": 24.0, "usable": 0.0}


@pytest.mark.parametrize("purpose", [Purpose.LOGIN, Purpose.ENROLL])
def test_a_picture_that_comes_twice_votes_once(purpose):
    once, twice = (Window(purpose, gallery(1), "test", 100.0) for _ in range(2))
    camera = Camera(motion=2.0)
    for obs in camera.shots(EVERYTHING, 24):
        once.add(obs, POLICY, usable=True)
        twice.add(obs, POLICY, usable=True)
        twice.add(replace(obs, arrival_s=obs.arrival_s + 1 / 30), POLICY, usable=True)
    for one, two in zip(
        once.rows(POLICY, camera.now_s), twice.rows(POLICY, camera.now_s), strict=True
    ):
        assert one == two or one.cue == "freshness"


def test_a_window_is_full_with_the_scarcest_of_what_is_required():
    window, camera = Window(Purpose.LOGIN, gallery(1), "test", 100.0), Camera()
    shares = []
    for n, obs in enumerate(camera.shots(EVERYTHING, POLICY.min_frames)):
        assert not window.enough_frames(POLICY)
        kept = obs if n else replace(obs, face=replace(obs.face, spoof=None))
        window.add(kept, POLICY, usable=True)
        shares.append(window.share(POLICY))
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert window.enough_frames(POLICY)


def test_a_reference_of_motion_is_given_up_when_it_is_lost_twice_or_old():
    window, camera = Window(Purpose.LOGIN, gallery(1), "test", 100.0), Camera()
    assert window.tracks(POLICY, camera.now_s) is None
    window.add(camera.shot(replace(EVERYTHING, tracks=None)), POLICY, usable=True)
    known = window.tracks(POLICY, camera.now_s)
    assert known is not None
    assert window.tracks(POLICY, camera.now_s + POLICY.window_s) is None
    camera.sway = float("nan")
    for given_up in (False, True):
        window.add(camera.shot(replace(EVERYTHING, tracks=known)), POLICY, usable=True)
        assert (window.tracks(POLICY, camera.now_s) is None) is given_up


def test_a_new_reference_of_motion_begins_its_own_time():
    window, camera = Window(Purpose.LOGIN, gallery(1), "test", 100.0), Camera()
    anew = replace(EVERYTHING, tracks=None)
    window.add(camera.shot(anew), POLICY, usable=True)
    first_s, camera.now_s = camera.now_s, camera.now_s + POLICY.window_s - 0.5
    window.add(camera.shot(anew), POLICY, usable=True)
    known = window.tracks(POLICY, first_s + POLICY.window_s)
    assert known is not None
    second_s = camera.now_s
    window.add(camera.shot(replace(EVERYTHING, tracks=known)), POLICY, usable=True)
    assert window.tracks(POLICY, second_s + POLICY.window_s - 0.1) is not None
    assert window.tracks(POLICY, second_s + POLICY.window_s) is None


def test_only_who_searches_needs_a_margin():
    one = gallery(1)
    twins = Gallery(("a", "b"), np.vstack([one.matrix, one.matrix]))
    for purpose, reason in ((Purpose.LOGIN, "match"), (Purpose.IDENTIFY, "ambiguous")):
        window, camera = Window(purpose, twins, "test", 100.0), Camera()
        for obs in camera.shots(EVERYTHING, 24):
            window.add(obs, POLICY, usable=True)
        assert window.rows(POLICY, camera.now_s)[-1].reason == reason


@pytest.mark.parametrize(
    ("purpose", "subject", "stored"),
    [
        (Purpose.LOGIN, "person-1", False),
        (Purpose.IDENTIFY, "person-1", False),
        (Purpose.ENROLL, None, True),
    ],
)
def test_the_table_has_one_owner_and_an_order(purpose, subject, stored):
    window, camera = Window(purpose, gallery(1), "test", 100.0), Camera()
    for obs in camera.shots(EVERYTHING, 24):
        window.add(obs, POLICY, usable=True)
    rows = [row.cue for row in window.rows(POLICY, camera.now_s)]
    assert (rows[:3], rows[-1]) == (["face", "spoof", "freshness"], "identity")
    assert rows[3:9] == ["bezel", "background", "glow", "micro", "plane", "blink"]
    assert window.owner.subject() == subject
    assert (window.owner.template(POLICY) is not None) is stored


def test_the_weighed_rows_are_those_of_the_table():
    window, camera = Window(Purpose.LOGIN, gallery(1), "test", 100.0), Camera(blink_s=0.7)
    for obs in camera.shots(EVERYTHING, 40):
        window.add(obs, POLICY, usable=True)
    rows, weighed = window.rows(POLICY, camera.now_s), window.weighed(POLICY)
    assert [row for row in rows if row in weighed] == weighed
    assert liveness_sum(rows) == liveness_sum(weighed)


def test_a_picture_that_stands_still_is_frozen_and_a_moving_one_is_not():
    for motion, frozen in ((0.0, True), (1.0, False)):
        window = Window(Purpose.LOGIN, gallery(1), "test", 100.0)
        for obs in Camera(motion=motion).shots(EVERYTHING, 24):
            window.add(obs, POLICY, usable=True)
        assert window.frozen(POLICY) is frozen


@pytest.mark.parametrize(
    ("margin", "votes", "doubtful"), [(8.0, 12, False), (-2.0, 12, True), (-2.0, 4, False)]
)
def test_doubtful_is_a_sum_below_acceptance_once_the_votes_are_in(margin, votes, doubtful):
    window = Window(Purpose.LOGIN, gallery(1), "test", 100.0)
    everything_else = replace(EVERYTHING, spoof=False, edges=True)
    for obs in Camera(margin=margin, glow=0.5).shots(everything_else, 2):
        window.add(obs, POLICY, usable=True)
    for obs in Camera(margin=margin).shots(Ask(detect=True, roi=ROI, spoof=True), votes):
        window.add(obs, POLICY, usable=True)
    assert window.doubtful(POLICY, window.weighed(POLICY)) is doubtful
