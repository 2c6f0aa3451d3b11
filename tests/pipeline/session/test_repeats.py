"""No loop without a word: whatever throws evidence away three times is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.cues.continuity import Break
from pipeline.decision import Evidence, Stand, Topic
from pipeline.policy import Policy
from pipeline.reasons import Hint
from pipeline.session.repeats import APART_S, OF_BREAKS, OF_ROWS, OFTEN, SAY_S, Repeats, of_window

POLICY = Policy()


def named(times: int, gap_s: float, cause: Hint = Hint.FACE_LOST) -> list[Hint | None]:
    repeats, now_s, said = Repeats(), 100.0, []
    for _ in range(times):
        now_s += gap_s
        repeats.came(cause, now_s)
        said.append(repeats.hint(now_s))
    return said


def test_every_break_has_a_hint() -> None:
    assert set(OF_BREAKS) == set(Break)


@pytest.mark.parametrize("gap_s", [0.5, 8.0])
def test_the_third_time_the_cause_is_named_and_every_time_after_it(gap_s: float) -> None:
    lost = Hint.FACE_LOST
    assert named(OFTEN + 1, gap_s) == [*[None] * (OFTEN - 1), lost, lost]


def test_the_same_event_in_frame_after_frame_came_once() -> None:
    assert named(30, APART_S / 2) == [None] * 30


def test_causes_are_counted_apart() -> None:
    repeats = Repeats()
    for n, cause in enumerate([Hint.FACE_LOST, Hint.HOLD_STILL] * (OFTEN - 1)):
        repeats.came(cause, float(n))
    assert repeats.hint(4.0) is None
    repeats.came(Hint.HOLD_STILL, 5.0)
    assert repeats.hint(5.0) is Hint.HOLD_STILL


def test_it_is_named_until_it_has_been_away_for_a_while() -> None:
    repeats = Repeats()
    for n in range(OFTEN):
        repeats.came(Hint.FACE_LOST, float(n))
    last_s = OFTEN - 1.0
    assert repeats.hint(last_s + SAY_S) is Hint.FACE_LOST
    assert repeats.hint(last_s + SAY_S + 0.01) is None


def rows(**stands: Stand) -> list[Evidence]:
    needed = (*POLICY.required, *POLICY.weighed)
    return [
        Evidence(cue, Topic.QUALITY, stands.get(cue, Stand.FOR), f"{cue}_why") for cue in needed
    ]


@pytest.mark.parametrize("cue", ["face", "freshness", "spoof", "identity"])
@pytest.mark.parametrize("stand", [Stand.OPEN, Stand.UNKNOWN, Stand.AGAINST])
def test_a_window_that_ended_undecided_is_named_by_what_was_wanting(cue: str, stand: Stand) -> None:
    assert of_window(rows(**{cue: stand}), POLICY) is OF_ROWS[cue]


def test_what_is_wanting_in_the_attention_is_said_by_its_reason() -> None:
    for reason, hint in (("eyes_shut", Hint.OPEN_EYES), ("turned_away", Hint.LOOK_AT_CAMERA)):
        found = [replace(row, reason=reason) for row in rows(attention=Stand.OPEN)]
        assert of_window(found, POLICY) is hint


def test_a_sum_that_is_too_small_needs_a_better_picture() -> None:
    assert of_window(rows(), POLICY) is Hint.MORE_LIGHT
