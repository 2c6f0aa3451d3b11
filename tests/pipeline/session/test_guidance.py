from __future__ import annotations

from math import inf

import pytest

from pipeline.events import Hinted, Progressed
from pipeline.reasons import Hint
from pipeline.session.guidance import HINT_S, QUIET_S, Guidance, advice


def said(guidance: Guidance, causes: list[tuple[float, Hint | None]]) -> list[tuple[float, object]]:
    """What is said when, of causes by their time."""
    return [(at_s, event) for at_s, cause in causes for event in guidance.say(cause, at_s)]


def test_a_hint_is_sent_once_when_its_cause_has_lasted():
    causes = [(0.0, Hint.NO_FACE), (0.39, Hint.NO_FACE), (0.4, Hint.NO_FACE), (9.0, Hint.NO_FACE)]
    assert said(Guidance(0.0), causes) == [(0.4, Hinted(Hint.NO_FACE))]


def test_a_cause_that_passes_is_not_mentioned():
    causes = [(0.0, Hint.NO_FACE), (0.3, None), (0.5, Hint.NO_FACE), (0.8, Hint.COME_CLOSER)]
    assert said(Guidance(0.0), causes) == []


def test_a_hint_is_withdrawn_when_its_cause_has_been_away_as_long():
    causes = [(0.0, Hint.NO_FACE), (0.5, Hint.NO_FACE), (0.6, None), (0.9, None), (1.0, None)]
    assert said(Guidance(0.0), causes) == [(0.5, Hinted(Hint.NO_FACE)), (1.0, Hinted(None))]


def test_nothing_is_withdrawn_that_was_not_said():
    assert said(Guidance(0.0), [(0.0, None), (HINT_S, None), (9.0, None)]) == []


def test_a_slow_camera_is_mentioned_once_and_at_once():
    guidance = Guidance(100.0)
    until_s = guidance.quiet_until_s(100.0)
    assert until_s == 100.0 + QUIET_S
    assert guidance.wait(100.0, until_s - 0.01) == []
    assert guidance.wait(100.0, until_s) == [Hinted(Hint.CAMERA_SLOW)]
    assert guidance.quiet_until_s(100.0) == inf
    assert guidance.wait(100.0, until_s + 60.0) == []


def test_frames_withdraw_the_slow_camera_and_then_it_may_be_slow_again():
    guidance = Guidance(100.0)
    guidance.wait(100.0, 101.0)
    assert said(guidance, [(101.1, None), (101.4, None), (101.5, None)]) == [(101.5, Hinted(None))]
    assert guidance.quiet_until_s(101.5) == 101.5 + QUIET_S
    assert guidance.wait(101.5, 102.4) == [Hinted(Hint.CAMERA_SLOW)]


@pytest.mark.parametrize(
    ("fractions", "told"),
    [
        ([0.0], []),
        ([0.04, 0.0449], []),
        ([0.05, 0.06, 0.1], [0.05, 0.1]),
        ([0.3, 0.299, 0.2], [0.3, 0.2]),
        ([0.97, 0.99, 1.0, 1.0], [0.97, 1.0]),
        ([0.02, 0.5, 0.49, 0.0], [0.5, 0.0]),
    ],
)
def test_progress_is_told_in_steps_and_its_ends_exactly(fractions, told):
    guidance = Guidance(0.0)
    events = [event for fraction in fractions for event in guidance.reach(fraction)]
    assert events == [Progressed(fraction) for fraction in told]


SHUT = Hint.OPEN_EYES


@pytest.mark.parametrize(
    ("frozen", "covered", "absent", "steady", "hint"),
    [
        (False, False, None, False, None),
        (False, False, None, True, Hint.TURN_SLOWLY),
        (False, False, SHUT, True, SHUT),
        (False, True, SHUT, True, Hint.UNCOVER_FACE),
        (True, True, SHUT, True, Hint.CAMERA_FROZEN),
    ],
)
def test_advice_begins_with_what_makes_the_rest_useless(frozen, covered, absent, steady, hint):
    assert advice(frozen=frozen, covered=covered, absent=absent, steady=steady) is hint


def test_a_cause_that_comes_and_goes_is_mentioned_the_third_time():
    flicker = [Hint.COME_CLOSER if n % 2 == 0 else None for n in range(20)]
    causes = [(0.1 * n, cause) for n, cause in enumerate(flicker)]
    assert said(Guidance(0.0), causes) == [(0.4, Hinted(Hint.COME_CLOSER))]


def test_what_keeps_throwing_evidence_away_is_named_at_once_and_once():
    guidance = Guidance(0.0)
    assert guidance.name(Hint.FACE_LOST, 1.0) == [Hinted(Hint.FACE_LOST)]
    assert guidance.name(Hint.FACE_LOST, 1.1) == []
    assert said(guidance, [(1.2, None), (1.5, None)]) == []
    assert said(guidance, [(1.6, None)]) == [(1.6, Hinted(None))]
