from __future__ import annotations

from math import inf

import pytest

from pipeline.session.schedule import Schedule


def due(schedule: Schedule, **periods_s: float) -> list[str]:
    """Of which the window needs none."""
    lacking, rest = schedule.due(periods_s, {}, inf)
    assert not lacking
    return rest


def runs(fps: float, period_s: float, seconds: float = 10.0) -> int:
    schedule, asked, made = Schedule(), True, 0
    for k in range(int(seconds * fps)):
        at_s = 100.0 + k / fps
        schedule.heard(at_s)
        if asked:
            made += 1
            schedule.made("it", at_s)
        asked = due(schedule, it=period_s)
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
    assert due(schedule, one=1e9)
    schedule.heard(0.0)
    assert due(schedule, one=1e9)
    schedule.made("one", 0.0)
    schedule.heard(0.5)
    assert not due(schedule, one=1.3)
    assert due(schedule, other=1.3)
    schedule.heard(0.6)
    assert not due(schedule, one=1.0)
    schedule.heard(0.9)
    assert due(schedule, one=1.0)


def test_a_pause_is_not_expected_to_come_again():
    schedule = Schedule()
    schedule.heard(0.0)
    schedule.heard(100.0)
    schedule.made("it", 100.0)
    assert not due(schedule, it=1.0)
    schedule.heard(99.0)
    assert not due(schedule, it=1.0)


def test_what_a_window_lacks_comes_apart_and_is_counted_anew_in_the_next():
    schedule, periods_s, needs = Schedule(), {"one": 0.5, "two": 0.2, "three": 0.4}, {"one": 2}
    schedule.heard(0.0)
    assert schedule.due(periods_s, needs, inf) == (["one"], ["two", "three"])
    for name in periods_s:
        schedule.made(name, 0.0)
    schedule.heard(1.0)
    assert schedule.lacks(needs)
    assert schedule.due(periods_s, needs, inf) == (["one"], ["two", "three"])
    schedule.made("one", 1.0)
    schedule.heard(2.0)
    assert not schedule.lacks(needs)
    # Overdue by seven and a half, four and three periods
    assert schedule.due(periods_s, needs, inf) == ([], ["two", "three", "one"])
    schedule.begin()
    assert schedule.lacks(needs)
    assert schedule.due(periods_s, needs, inf) == (["one"], ["two", "three"])


def test_what_a_window_lacks_comes_sooner_and_more_of_it_at_its_own_pace():
    schedule, asked, came_s = Schedule(), True, []
    for k in range(30):
        at_s = k / 10
        schedule.heard(at_s)
        if asked:
            schedule.made("it", at_s)
            came_s.append(at_s)
        asked = any(schedule.due({"it": 1.0}, {"it": 3}, 0.6))
    assert came_s == pytest.approx([0.0, 0.2, 0.4, 1.4, 2.4])
    # Nor less often than its period says, where there is time.
    schedule = Schedule()
    schedule.heard(0.0)
    schedule.made("it", 0.0)
    schedule.heard(0.5)
    assert schedule.due({"it": 0.5}, {"it": 3}, 60.0) == (["it"], [])


def test_what_a_window_lacks_after_its_time_is_due_in_every_frame():
    schedule, periods_s, needs = Schedule(), {"one": 0.5, "two": 0.5}, {"one": 4}
    schedule.heard(10.0)
    schedule.begin()
    for at_s in (10.0, 10.2, 10.4):
        schedule.heard(at_s)
        schedule.made("one", at_s)
        schedule.made("two", at_s)
        assert schedule.due(periods_s, needs, 1.6) == ([], [])
    schedule.heard(11.59)
    schedule.made("one", 11.59)
    schedule.made("two", 11.59)
    schedule.heard(11.61)
    # It has enough, and needs none of the other: nothing is late.
    assert schedule.due(periods_s, needs, 1.6) == ([], [])
    schedule.begin()
    schedule.made("one", 11.61)
    schedule.heard(11.7)
    assert schedule.due(periods_s, needs, 1.6) == ([], [])
    # The time counts from the window's first frame.
    schedule.heard(13.3)
    schedule.made("one", 13.3)
    assert schedule.due(periods_s, needs, 1.6)[0] == ["one"]


def test_the_pace_is_that_of_some_gaps_and_unknown_before():
    schedule = Schedule()
    for at_s in (0.0, 0.1, 0.11, 0.2, 0.3, 0.4):
        schedule.heard(at_s)
        assert schedule.gap_s == inf
    schedule.heard(0.6)
    assert schedule.gap_s == pytest.approx(0.1)
