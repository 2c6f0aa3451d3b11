"""Sessions that may ask for a turn: who obeys, and what is counted."""

from __future__ import annotations

import pytest

from benchmarks.stillness import turn, windows
from benchmarks.stillness.turn import MOVE_S, REACT_S, Ended, Page, line
from pipeline.decision import Evidence, Stand, Topic
from pipeline.reasons import Hint, Phase


def test_who_obeys_turns_where_the_page_says_and_not_before_they_have_read_it() -> None:
    page, deaf = Page(obeys=True), Page(obeys=False)
    for one in (page, deaf):
        one.heard(Hint.TURN_LEFT, 10.0)
        one.now_s = 10.0 + REACT_S
        assert one.follows() == (0.0, 0.0)
        one.now_s = 10.0 + REACT_S + MOVE_S / 2
    assert page.follows() == pytest.approx((0.5, 0.0))
    assert deaf.follows() == (0.0, 0.0)
    page.heard(Hint.LOOK_DOWN, 12.0)
    page.now_s = 20.0
    assert page.follows() == (0.0, -1.0)
    page.heard(Hint.OPEN_EYES, 21.0)
    page.now_s = 30.0
    assert page.follows() == (0.0, 0.0)
    assert page.asked == [Hint.TURN_LEFT, Hint.LOOK_DOWN]


def test_a_line_counts_who_was_asked_accepted_and_refused() -> None:
    ended = [
        Ended(True, Phase.ACCEPTED, 16.04),
        Ended(True, Phase.REJECTED, 16.7),
        Ended(False, Phase.REJECTED, 1.0),
        Ended(False, None, 17.0),
    ]
    assert line("it", ended) == "| it | 4 | 2 | 1 | 2 | 16.0 s |"
    assert line("it", ended[1:]).endswith("| 0 | 2 | - |")


def test_a_window_is_living_where_its_row_says_so() -> None:
    rows = [
        Evidence("freshness", Topic.LIVENESS, stand, "x", numbers={"step": step})
        for stand, step in ((Stand.FOR, 1.0), (Stand.OPEN, 2.0), (Stand.AGAINST, 0.25))
    ]
    assert windows.line("it", rows, 2) == "| it | 2 | 3 | 1 | 0.25 to 2.00 | - | - |"


@pytest.mark.parametrize("command", [turn, windows])
def test_without_films_nothing_is_measured(command, tmp_path, capsys) -> None:
    assert command.main(["--data", str(tmp_path)]) == 2
    assert "nothing measured" in capsys.readouterr().err
