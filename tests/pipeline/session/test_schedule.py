from __future__ import annotations

import pytest

from pipeline.session.schedule import Schedule


def runs(fps: float, period_s: float, seconds: float = 10.0) -> int:
    schedule, asked, made = Schedule(), True, 0
    for k in range(int(seconds * fps)):
        at_s = 100.0 + k / fps
        schedule.heard(at_s)
        if asked:
            made += 1
            schedule.made("it", at_s)
        asked = schedule.due({"it": period_s})
    return made


@pytest.mark.parametrize(
    ("fps", "period_s", "expected"),
    [
        (15, 0.24, 37.5),
        (15, 0.33, 30),
        (15, 0.125, 75),
        (15, 0.5, 20),
        (30, 0.24, 42.5),
        (60, 0.2, 55),
        (5, 0.24, 50),
        (3, 0.2, 30),
    ],
)
def test_as_often_as_wanted_or_on_every_frame(fps, period_s, expected):
    assert runs(fps, period_s) == pytest.approx(expected, rel=0.08)


def test_what_was_never_measured_is_due_and_names_are_apart():
    schedule = Schedule()
    assert schedule.due({"one": 1e9})
    schedule.heard(0.0)
    assert schedule.due({"one": 1e9})
    schedule.made("one", 0.0)
    schedule.heard(0.5)
    assert not schedule.due({"one": 1.3})
    assert schedule.due({"other": 1.3})
    schedule.heard(0.6)
    assert not schedule.due({"one": 1.0})
    schedule.heard(0.9)
    assert schedule.due({"one": 1.0})


def test_a_pause_is_not_expected_to_come_again():
    schedule = Schedule()
    schedule.heard(0.0)
    schedule.heard(100.0)
    schedule.made("it", 100.0)
    assert not schedule.due({"it": 1.0})
    schedule.heard(99.0)
    assert not schedule.due({"it": 1.0})
