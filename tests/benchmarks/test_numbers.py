"""What a benchmark makes of log lines, metrics and times, without any process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import numbers
from benchmarks.caller import starts
from benchmarks.numbers import BEGIN, END, Call, Goal, Login, NoSection, Run, Spread

STAGES = {
    "answer_ms": 5, "ice_ms": 30, "dtls_ms": 40, "channel_ms": 48, "frame_ms": 70,
    "gathering_ms": 90, "decided_ms": 1600, "verdict_ms": 1610,
}  # fmt: skip


def _line(session: str, **more: Any) -> str:
    row = {"message": "session over", "purpose": "login", "session": session, **STAGES, **more}
    return json.dumps(row)


def _run(logins: tuple[Login, ...], **more: Any) -> Run:
    values: dict[str, Any] = {
        "title": "1 at a time", "logins": logins, "wall_s": 10.0, "server_cpu_s": 2.0,
        "caller_cpu_s": 1.0, "other_cpu_s": None, "see_ms": 15.0, "frames": 50, "dropped": 4,
        "rss_mb": 250.0,
    }  # fmt: skip
    return Run(**{**values, **more})


@pytest.mark.parametrize(
    ("count", "p50", "p95"), [(1, 1, 1), (2, 1, 2), (3, 2, 3), (20, 10, 19), (100, 50, 95)]
)
def test_percentiles_are_values_that_were_measured(count: int, p50: int, p95: int) -> None:
    spread = Spread.of(float(n) for n in range(count, 0, -1))
    assert spread == Spread(count, p50, p95, count)


def test_what_was_not_measured_is_no_number() -> None:
    assert Spread.of([None, 7.0, None]) == Spread(1, 7.0, 7.0, 7.0)
    assert Spread.of([None]) is None
    with pytest.raises(ValueError, match="needed"):
        numbers.percentile([], 50)


def test_only_the_ends_of_logins_are_read_from_a_log() -> None:
    log = "\n".join(
        [
            "a warning of the interpreter", "", "[1]", '{"message": "ready"}', '{"message": ',
            _line("aaaaaaaa"), _line("bbbbbbbb", purpose="enroll"), _line("cccccccc", frame_ms=99),
        ]
    )  # fmt: skip
    found = numbers.sessions_over(log)
    assert list(found) == ["aaaaaaaa", "cccccccc"]
    assert found["cccccccc"]["frame_ms"] == 99
    assert list(numbers.sessions_over(log, "enroll")) == ["bbbbbbbb"]


def test_both_sides_of_a_login_give_the_time_since_the_post() -> None:
    log = numbers.sessions_over(_line("aaaaaaaa"))
    seen, lost = numbers.paired(
        [Call("aaaaaaaa", "accepted", (), 12.0, 1640.0), Call("", "error", ("busy",))], log
    )
    assert seen.before_ms == 7.0
    assert seen.since_post("frame") == 77.0
    assert seen.between("frame", "verdict") == 1540.0
    assert lost.since_post("frame") is None
    assert lost.between("frame", "verdict") is None
    # A clock that ticks in whole milliseconds must not shorten a login.
    assert Login(Call("a", "accepted", (), 4.6), STAGES).before_ms == 0.0


def test_refused_logins_are_told_with_their_reasons() -> None:
    calls = [
        Call("a", "accepted"), Call("b", "accepted"), Call("c", "rejected", ("no_match",)),
        Call("", "error", ("headless_timeout",)),
    ]  # fmt: skip
    assert numbers.verdicts(numbers.paired(calls, {})) == (
        "2 accepted, 1 rejected (no_match), 1 error (headless_timeout)"
    )


def test_a_stage_mean_is_that_of_the_time_between_two_readings() -> None:
    text = (
        '# HELP x y\nlookgate_stage_seconds_sum{{stage="see"}} {0}\n'
        'lookgate_stage_seconds_count{{stage="see"}} {1}\nlookgate_frames_total {1}\n'
    )
    before, after = numbers.samples(text.format(1.5, 100)), numbers.samples(text.format(2.5, 150))
    assert after["lookgate_frames_total"] == 150
    assert numbers.mean_ms(before, after, "see") == pytest.approx(20.0)
    assert numbers.mean_ms({}, before, "see") == pytest.approx(15.0)
    assert numbers.mean_ms(before, before, "see") is None
    assert numbers.mean_ms(before, after, "verdict") is None


def test_the_table_has_a_column_a_run_and_every_cell() -> None:
    log = numbers.sessions_over(_line("aaaaaaaa"))
    call = Call("aaaaaaaa", "accepted", (), 12.0, 1640.0)
    first = _run(tuple(numbers.paired([call, Call("", "error", ("busy",))], log)))
    lines = numbers.stage_table([first, _run((Login(call, {}),), title="Chromium", see_ms=None)])
    assert {line.count("|") for line in lines} == {4}
    table = "\n".join(lines)
    assert "| **POST offer → first decoded frame** | 77 / 77 / 77 |  |" in table
    assert "| **first frame → verdict** | 1540 / 1540 / 1540 |  |" in table
    assert "| logins | 1 accepted, 1 error (busy) | 1 accepted |" in table
    assert "| server, CPU s a login | 1.00 | 2.00 |" in table
    assert "| frames a login: measured, skipped | 25, 2.0 | 50, 4.0 |" in table
    assert "| cores busy: server, callers, others | 0.20, 0.10, ? | 0.20, 0.10, ? |" in table


def test_a_missed_goal_and_an_unmeasured_one_say_so() -> None:
    table = numbers.goal_table(
        [
            Goal("a", 150, 149.6), Goal("b", 2.0, 2.04, 1, "s"), Goal("c", 10, None),
            Goal("d", 1.25, 1.25, 2, ""),
        ]
    )[2:]  # fmt: skip
    assert table == [
        "| a | ≤ 150 ms | 150 ms | met |",
        "| b | ≤ 2.0 s | 2.0 s | **missed** |",
        "| c | ≤ 10 ms | not measured | **missed** |",
        "| d | ≤ 1.25 | 1.25 | met |",
    ]


def test_a_section_is_replaced_and_nothing_else() -> None:
    text = f"before\n{BEGIN}\nold {{0}} \\1\n{END}\nafter\n"
    once = numbers.replaced(text, "new\n\n| a |\n")
    assert once == f"before\n{BEGIN}\nnew\n\n| a |\n{END}\nafter\n"
    assert numbers.replaced(once, "new\n\n| a |") == once


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_file_without_one_place_for_it_is_left_alone(text: str) -> None:
    with pytest.raises(NoSection):
        numbers.replaced(text, "new")


def test_the_page_has_one_place_for_the_tables() -> None:
    page = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text("utf-8")
    assert numbers.replaced(page, "| new |").count("| new |") == 1


def test_every_login_begins_elsewhere_and_leaves_time_to_end() -> None:
    begun = starts(20, 30.6)
    assert len(set(begun)) == 20
    assert begun[0] == 0.0
    assert max(begun) < 30.6 - 12.0
    assert starts(3, 5.0) == [0.0, 0.0, 0.0]
