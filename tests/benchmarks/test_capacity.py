"""What the capacity benchmark makes of attempts and clocks, and what its short form lets pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.capacity import check, staged, tables
from benchmarks.capacity.cast import NAMES, Cast, Person
from benchmarks.capacity.check import BURNED, ONE, QUIET, TWO, judged, plans
from benchmarks.capacity.figures import End, Level, Range, Shown, Try, by_callers
from benchmarks.capacity.films import START_S, Reel
from benchmarks.numbers import samples
from server.metrics import exposition
from tests.e2e.cameras import FPS

OWNER = Try(False, "film@0", 1.0, "accepted", admitted_s=3.0, verdict_s=4.5)
STRANGER = replace(OWNER, stranger=True, outcome="rejected", reasons=("no_match",))


def _level(tries: Sequence[Try], **more: Any) -> Level:
    values: dict[str, Any] = {
        "callers": 4, "seconds": 12.0, "wall_s": 14.0, "server_cpu_s": 4.0, "caller_cpu_s": 1.0,
        "burned_cpu_s": 0.0, "other_cpu_s": 0.5, "frames": 60, "dropped": 2, "rest_mb": 230.0,
        "peak_mb": 300.0, "after_mb": 235.0,
    }  # fmt: skip
    return Level(tries=tuple(tries), **{**values, **more})


@pytest.mark.parametrize(
    ("tried", "end"),
    [
        (OWNER, End.RIGHT),
        (STRANGER, End.RIGHT),
        (replace(STRANGER, reasons=("liveness",)), End.RIGHT),
        (replace(OWNER, stranger=True), End.WRONG_IN),
        (replace(OWNER, outcome="token_wrong", reasons=("signature",)), End.WRONG_IN),
        (replace(OWNER, outcome="rejected", reasons=("no_match",)), End.WRONG_OUT),
        (replace(OWNER, outcome="rejected", reasons=("internal",)), End.FAULT),
        (replace(STRANGER, reasons=("internal",)), End.FAULT),
        (replace(OWNER, outcome="expired", reasons=("timeout",)), End.TIMEOUT),
        (replace(STRANGER, outcome="expired", reasons=("timeout",)), End.TIMEOUT),
        (replace(OWNER, outcome="expired", reasons=("disconnected",)), End.FAULT),
        (replace(OWNER, outcome="error", reasons=("headless_closed",)), End.FAULT),
        (replace(OWNER, outcome="something new"), End.FAULT),
        (replace(OWNER, outcome="left", reasons=("busy",), admitted_s=None), End.LEFT),
        (replace(OWNER, outcome="error", reasons=("busy",), admitted_s=None), End.REFUSED),
    ],
)
def test_only_a_verdict_that_fits_the_person_is_right(tried: Try, end: End) -> None:
    assert tried.end is end


def test_waiting_is_told_apart_from_the_login() -> None:
    assert (OWNER.token_ms, OWNER.click_ms, OWNER.wait_s) == (1500.0, 3500.0, 2.0)
    assert (STRANGER.token_ms, STRANGER.click_ms) == (None, None)
    assert replace(OWNER, admitted_s=None, verdict_s=None).wait_s is None


@pytest.mark.parametrize(
    ("shown_s", "became_s", "honest"),
    [(4.0, 4.0, True), (2.0, 4.0, True), (8.0, 4.0, True), (1.9, 4.0, False), (8.1, 4.0, False),
     (0.1, 0.9, True), (0.1, 1.1, False), (1.1, 0.2, False)],
)  # fmt: skip
def test_a_waiting_time_is_honest_within_half_and_twice(
    shown_s: float, became_s: float, honest: bool
) -> None:
    tried = replace(OWNER, admitted_s=1.0 + became_s, shown=(Shown(1.0, shown_s),))
    assert tried.honest() is honest
    assert tried.honest(0.0) is (honest and shown_s >= 0.5 * became_s)
    assert replace(tried, admitted_s=None).honest() is None
    assert replace(tried, shown=()).honest() is None
    later = Shown(1.5, 100.0)
    assert replace(tried, shown=(*tried.shown, later)).honest() is honest


def test_rates_count_verdicts_between_the_ramp_and_the_end() -> None:
    times = (1.9, 2.0, 5.0, 11.9, 12.0)
    level = _level([*(replace(OWNER, verdict_s=at_s) for at_s in times), STRANGER])
    assert (level.accepted_per_s, level.judged_per_s) == (0.3, 0.4)
    assert (level.judged, level.per_core, level.cpu_s) == (6, 1.5, pytest.approx(4 / 6))
    nobody = _level([replace(OWNER, outcome="expired", reasons=("timeout",))])
    assert (nobody.accepted_per_s, nobody.cpu_s, nobody.token_ms) == (0.0, None, None)


def test_who_did_not_wait_is_no_wait_of_no_time() -> None:
    waited = replace(OWNER, refusals=2, shown=(Shown(1.0, 2.5), Shown(2.0, 9.0)))
    level = _level([OWNER, waited])
    assert level.wait_s is not None
    assert (level.wait_s.n, level.wait_s.p50, level.honest) == (1, 2.0, 1.0)
    assert (_level([OWNER]).wait_s, _level([OWNER]).honest) == (None, None)
    brief = replace(OWNER, admitted_s=1.3, refusals=1, shown=(Shown(1.0, 0.9),))
    level = _level([waited, brief])
    assert (level.honest, level.honest_brief) == (1.0, 0.5)


def test_runs_give_a_median_and_a_range() -> None:
    assert Range.of([3.0, None, 1.0, 2.0]) == Range(2.0, 1.0, 3.0, 3)
    assert Range.of([None]) is None
    runs = [[_level([OWNER], peak_mb=mb)] for mb in (300.0, 500.0, 310.0)]
    rows = tables.table(by_callers(runs))
    assert "| resident MB: peak | 310 (300–500) |" in rows
    assert "| resident MB: at rest | 230 |" in rows
    assert not any("shown first" in row for row in rows)  # nobody was shown a time
    assert {title for title, _, _ in tables.FIGURES} >= set(tables.SHORT)
    assert 6 < len(tables.short(by_callers(runs))) < len(rows)


def test_stages_are_given_with_the_floor() -> None:
    spent = {"net embed": 0.1, "net mesh": 0.1, "see": 0.3, "decode": 0.05, "srtp": 0.01,
             "loop": 0.06, "store": 0.0}  # fmt: skip
    rows = tables.stages(by_callers([[_level([OWNER, OWNER], stages=spent, server_cpu_s=0.52)]]))
    for row in (
        "| nets together | 100.0 |", "| see without nets | 50.0 |", "| SRTP | 5.0 |",
        "| event loop without SRTP | 25.0 |", "| **floor: nets, decode, SRTP** | 130 |",
        "| **the whole process** | 260 |", "| the whole process over its floor | 2.00 |",
    ):  # fmt: skip
        assert row in rows
    assert tables.stages(by_callers([[_level([OWNER])]])) == []


@pytest.mark.parametrize(
    ("thread", "kind"),
    [("see_3", "see"), ("video-decoder", "decode"), ("MainThread", "loop"),
     ("Thread-1 (_connection_worker_thread)", "store"), ("asyncio_0", "other threads")],
)  # fmt: skip
def test_threads_are_known_by_their_names(thread: str, kind: str) -> None:
    assert staged.kind(thread) == kind


def test_the_clocks_are_read_as_metrics() -> None:
    told = exposition(staged.families({"net embed": 1.5, "loop": 0.25}, 7))
    assert samples(told) == {
        'lookgate_bench_cpu_seconds{part="net embed"}': 1.5,
        'lookgate_bench_cpu_seconds{part="loop"}': 0.25,
        "lookgate_bench_tasks": 7.0,
    }


def test_a_cast_mixes_strangers_in_and_repeats_no_name_soon() -> None:
    film = Reel((b"",) * 40 * FPS, unclear_s=(6,))
    people = [Person("ann", film, film), Person("bob", film, Reel(()))]
    parts = Cast(people, 0.25).parts()
    seen = [next(parts) for _ in range(NAMES)]
    assert sum(part.stranger for part in seen) == NAMES / 4
    assert all(part.subject.startswith("bob" if part.stranger else "ann") for part in seen)
    assert len({part.subject for part in seen}) == NAMES
    # Not at 6, which is unclear, and not so late that the film ends.
    assert {part.film for part in seen} == {f"ann@{n * START_S}" for n in (0, 2, 3, 4)}


def test_a_take_begins_with_its_key_frame_and_goes_on_in_time() -> None:
    reel = Reel(tuple(bytes([n]) for n in range(200)))
    frames = iter(reel.take(90).frames)
    (first_s, first), (second_s, second) = next(frames), next(frames)
    assert (bytes(first), bytes(second)) == (b"\x5a", b"\x5b")
    assert (first_s, second_s) == (0.0, 1 / FPS)
    assert (first.pts, second.pts) == (0, 6000)


# What the short form lets pass

GOOD = [OWNER] * 9 + [STRANGER]


def _paced(accepted: int, callers: int, more: Sequence[Try] = ()) -> Level:
    return _level([*[OWNER] * accepted, STRANGER, *more], callers=callers)


def _run(quiet: Sequence[int] = (10, 9, 8), **more: list[Level]) -> dict[str, list[Level]]:
    levels = [_paced(n, callers) for n, callers in zip(quiet, (8, 16, 32), strict=True)]
    return {QUIET: levels, BURNED: levels, **more}


def test_a_server_that_bends_passes() -> None:
    assert judged([_run(), _run((10, 10, 10)), _run((8, 10, 7))]) == []


def test_one_bad_run_of_three_passes_and_two_do_not() -> None:
    bad, good = _run((10, 9, 3)), _run()
    assert judged([good, bad, good]) == []
    told = list(map(str, judged([bad, good, bad])))
    assert len(told) == 2  # alone and with burners: the same levels
    assert all("four times the load: 0.30" in text for text in told)


def test_the_best_level_may_be_one_beyond_the_load() -> None:
    assert len(judged([_run((5, 5, 10))])) == 2


@pytest.mark.parametrize(
    "tried",
    [
        replace(OWNER, stranger=True),
        replace(OWNER, outcome="rejected", reasons=("no_match",)),
        replace(OWNER, outcome="expired", reasons=("timeout",)),
        replace(OWNER, outcome="error", reasons=("headless_closed",)),
    ],
)
def test_one_wrong_end_in_one_level_of_one_run_is_too_many(tried: Try) -> None:
    run = _run()
    wrong = {**run, BURNED: [*run[BURNED][:2], _paced(9, 32, [tried])]}
    failures = judged([run, run, wrong])
    why = ", ".join(tried.reasons)
    assert [str(failure) for failure in failures] == [
        f"run 3, {BURNED}, 32 at once: 1 of 11 ended {tried.end.value} ({why})"
    ]


def test_who_waits_or_leaves_is_no_failure() -> None:
    left = replace(OWNER, outcome="left", reasons=("busy",), admitted_s=None, verdict_s=None)
    run = _run()
    assert judged([{**run, QUIET: [*run[QUIET][:2], _paced(9, 32, [left] * 20)]}]) == []


def test_a_level_in_which_nothing_was_shown_is_no_success() -> None:
    run = _run()
    nobody, no_stranger = _level([], callers=32), _level([OWNER] * 9, callers=32)
    for level in (nobody, no_stranger):
        assert judged([{**run, QUIET: [*run[QUIET][:2], level]}] * 3)
    assert judged([{QUIET: run[QUIET]}] * 3)


@pytest.mark.parametrize(("two", "passes"), [(15, True), (14, False), (0, False)])
def test_two_processes_must_be_worth_it(two: int, passes: bool) -> None:
    run = _run(**{ONE: [_paced(10, 8)], TWO: [_paced(two, 16)]})
    assert (judged([run] * 3) == []) is passes
    assert judged([_run(**{ONE: [_paced(10, 8)]})])


def test_processes_are_measured_where_the_server_has_them() -> None:
    with_them = plans(5.0, (2, 3, 5, 7), processes=True)
    assert list(with_them) == [QUIET, BURNED, ONE, TWO]
    assert with_them[QUIET].levels == (8, 16, 32)
    assert with_them[BURNED].levels == (4, 8, 16)
    assert (with_them[ONE].cores, with_them[TWO].cores) == ((2,), (2, 3))
    assert list(plans(5.0, (2, 3), processes=False)) == [QUIET, BURNED]
    assert list(plans(5.0, (2,), processes=True)) == [QUIET, BURNED]


def test_the_command_itself_tells_whether_it_has_processes() -> None:
    assert check.knows_processes() in (True, False)
