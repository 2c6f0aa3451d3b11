"""Counts of several processes as those of one."""

from __future__ import annotations

from server.metrics import Family, Metrics, exposition
from server.processes.tally import Tally


def one(sessions: int, active: float, seconds: float) -> tuple[Family, ...]:
    """What a process has counted."""
    metrics = Metrics()
    for _ in range(sessions):
        metrics.sessions.add("login", "accepted", "")
        metrics.stages.observe("see", seconds)
    metrics.active.read = lambda: active
    return metrics.families()


def values(tally: Tally) -> dict[str, float]:
    return {name: value for family in tally.families() for name, value in family.samples}


LOGINS = 'lookgate_sessions_total{purpose="login",outcome="accepted",reason=""}'
SEEN = 'lookgate_stage_seconds_count{stage="see"}'
QUICK = 'lookgate_stage_seconds_bucket{stage="see",le="0.01"}'
ALL = 'lookgate_stage_seconds_bucket{stage="see",le="+Inf"}'


def test_counts_gauges_and_histograms_add() -> None:
    tally = Tally()
    tally.report(1, one(2, 3.0, 0.008))
    tally.report(2, one(5, 1.0, 0.02))
    found = values(tally)
    assert (found[LOGINS], found["lookgate_sessions_active"]) == (7, 4.0)
    assert (found[SEEN], found[QUICK], found[ALL]) == (7, 2, 7)


def test_a_later_report_takes_the_place_of_the_one_before() -> None:
    tally = Tally()
    tally.report(1, one(2, 3.0, 0.008))
    tally.report(1, one(4, 0.0, 0.008))
    assert values(tally)[LOGINS] == 4


def test_counts_of_who_is_gone_stay_and_gauges_go() -> None:
    tally = Tally()
    tally.report(1, one(2, 3.0, 0.008))
    tally.gone(1)
    tally.gone(2)  # it never said anything
    assert values(tally)[LOGINS] == 2
    assert "lookgate_sessions_active" not in values(tally)
    tally.report(3, one(1, 1.0, 0.008))
    tally.gone(3)
    assert (values(tally)[LOGINS], values(tally)[SEEN]) == (3, 3)


def test_of_one_process_it_is_what_that_process_says() -> None:
    tally = Tally()
    tally.report(1, one(3, 2.0, 0.3))
    assert exposition(tally.families()) == exposition(one(3, 2.0, 0.3))
