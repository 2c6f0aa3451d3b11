"""How long who died stays away."""

from __future__ import annotations

from server.processes.pause import LASTED_S, LONGEST_S, Pause


def test_it_doubles_up_to_a_bound() -> None:
    pause = Pause()
    assert [pause.after(1.0) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, LONGEST_S]


def test_a_long_life_begins_anew() -> None:
    pause = Pause()
    assert [pause.after(1.0), pause.after(1.0)] == [0.5, 1.0]
    assert pause.after(LASTED_S) == 0.5
    assert pause.after(1.0) == 1.0
