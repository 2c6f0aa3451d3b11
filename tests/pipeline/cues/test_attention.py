"""Attention: open eyes and a face turned to the camera, in some frames."""

from __future__ import annotations

from math import nan

import pytest

from pipeline.cues.attention import HINTS, LEAST, Attention
from pipeline.decision import Evidence, Stand, Topic
from pipeline.observation import Ask
from pipeline.policy import POLICIES
from pipeline.reasons import Hint
from tests.pipeline.observations import ROI, Camera

POLICY = POLICIES["standard"]
LOOK = Ask(roi=ROI, eyes=True)
OPEN, SHUT = POLICY.eyes_open, POLICY.eyes_open - 0.001
FACING, AWAY = POLICY.facing_yaw_deg, POLICY.facing_yaw_deg + 0.1


def row(*looks: tuple[tuple[float, float], float]) -> Evidence:
    """After looks at the ratios of both eyes and the turn of the head."""
    cue = Attention()
    for eyes, yaw_deg in looks:
        camera = Camera(look={"eyes": eyes, "yaw_deg": yaw_deg})
        cue.add(camera.shot(LOOK))
    found = cue.row(POLICY)
    assert (found.cue, found.topic, found.llr) == ("attention", Topic.QUALITY, 0.0)
    return found


@pytest.mark.parametrize("yaw_deg", [0.0, FACING, -FACING])
def test_two_looks_at_open_eyes_of_a_face_that_looks_here_are_enough(yaw_deg: float) -> None:
    look = ((OPEN, OPEN), yaw_deg)
    assert row(look).stand is Stand.UNKNOWN
    assert row(look, look).stand is Stand.FOR
    assert row(look, ((0.05, 0.05), 0.0), look).stand is Stand.FOR  # a blink


@pytest.mark.parametrize("eyes", [(SHUT, SHUT), (OPEN, SHUT), (SHUT, OPEN), (0.0, 0.0)])
def test_shut_eyes_are_no_attention_however_often_they_are_seen(eyes: tuple[float, float]) -> None:
    found = row(*[(eyes, 0.0)] * 40)
    assert (found.stand, found.reason) == (Stand.OPEN, "eyes_shut")
    assert HINTS[found.reason] is Hint.OPEN_EYES


@pytest.mark.parametrize("yaw_deg", [AWAY, -AWAY, 60.0])
def test_a_head_that_is_turned_away_all_the_time_is_no_attention(yaw_deg: float) -> None:
    found = row(*[((OPEN, OPEN), yaw_deg)] * 40)
    assert (found.stand, found.reason) == (Stand.OPEN, "turned_away")
    assert HINTS[found.reason] is Hint.LOOK_AT_CAMERA


def test_open_eyes_in_one_frame_and_a_facing_head_in_another_are_not_both() -> None:
    found = row(*[((SHUT, SHUT), 0.0), ((OPEN, OPEN), AWAY)] * 4)
    assert found.stand is Stand.OPEN


def test_a_few_looks_that_err_do_not_open_shut_eyes() -> None:
    shut, wrong = ((0.06, 0.06), 0.0), ((OPEN, OPEN), 0.0)
    assert row(*[shut] * 20, wrong, wrong).stand is Stand.OPEN


def test_too_few_looks_are_unknown_and_eyes_that_cannot_be_measured_are_no_look() -> None:
    assert row(*[((0.0, 0.0), 0.0)] * (LEAST - 1)).reason == "too_few_looks"
    for eyes in ((nan, 0.3), (0.3, nan)):
        assert row(*[(eyes, 0.0)] * 20).stand is Stand.UNKNOWN
    cue = Attention()
    for camera in (Camera(), Camera(person=None)):
        for obs in camera.shots(Ask(detect=True), 20):
            cue.add(obs)
    assert cue.row(POLICY).stand is Stand.UNKNOWN
    assert cue.share(POLICY) == 0.0


def test_progress_waits_for_it() -> None:
    cue, camera = Attention(), Camera()
    shares = []
    for obs in camera.shots(LOOK, 3):
        cue.add(obs)
        shares.append(cue.share(POLICY))
    assert shares == [0.5, 1.0, 1.0]
