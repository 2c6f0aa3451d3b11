"""The light challenge against honest rooms and against everything that is not one.

Rates over more seeds: docs/challenge.md.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.challenge import Draws, draw_light
from pipeline.cues import light as cue
from pipeline.decision import Stand
from pipeline.policy import POLICIES
from tests.pipeline.lights import POLICY, Room, drawn, observation
from tests.pipeline.observations import face

SEEDS = st.integers(0, 10**6)
FEW = settings(max_examples=12, deadline=None)


@FEW
@given(SEEDS, st.floats(0.03, 0.15), st.floats(0.03, POLICIES["standard"].light_delay_s - 0.02))
def test_a_face_before_the_screen_answers(seed: int, strength: float, delay_s: float) -> None:
    row = Room(seed=seed, strength=strength, delay_s=delay_s).answer(drawn(seed))
    assert (row.stand, row.reason) == (Stand.FOR, "answered"), row.numbers
    assert row.numbers["delay_s"] == pytest.approx(delay_s, abs=0.06)


@FEW
@given(SEEDS, st.sampled_from([0.0, 0.25, 1.0]), st.floats(0.0, 0.06))
@example(40, 0.0, 0.0)  # where nothing is, something fits by chance
def test_no_reflection_is_no_answer(seed: int, noise: float, drift: float) -> None:
    row = Room(seed=seed, strength=0.0, noise=noise, drift=drift).answer(drawn(seed))
    assert row.stand is Stand.UNKNOWN


@FEW
@given(SEEDS, st.floats(0.3, 2.0), st.floats(0.03, 0.15))
def test_a_late_answer_is_none(seed: int, late_s: float, strength: float) -> None:
    row = Room(seed=seed, strength=strength, delay_s=0.06 + late_s).answer(drawn(seed))
    assert row.stand is not Stand.FOR, row.numbers


def test_a_clear_late_answer_is_held_against_it() -> None:
    rows = [Room(seed=k, strength=0.1, delay_s=0.8).answer(drawn(k)) for k in range(5)]
    assert {(row.stand, row.reason) for row in rows} == {(Stand.AGAINST, "late")}


@FEW
@given(SEEDS, st.floats(0.03, 0.15))
def test_the_answer_to_another_sequence_is_none(seed: int, strength: float) -> None:
    replay = Room(seed=seed, strength=strength, answers=drawn(seed + 10**7))
    assert replay.answer(drawn(seed)).stand is not Stand.FOR


@FEW
@given(SEEDS)
def test_a_frozen_picture_is_no_answer(seed: int) -> None:
    assert Room(seed=seed, frozen=True).answer(drawn(seed)).stand is not Stand.FOR


@FEW
@given(
    SEEDS,
    st.floats(0.02, 0.15),
    st.sampled_from([(0.3, 0.28, 0.24), (0.01, 0.01, 0.01), (0.8, 0.8, 0.8), (0.1, 0.2, 0.4)]),
)
def test_a_tint_over_the_whole_picture_is_no_answer(
    seed: int, alpha: float, wall: tuple[float, float, float]
) -> None:
    mixed = Room(seed=seed, strength=0.0, alpha=alpha, wall=wall).answer(drawn(seed))
    assert mixed.stand is not Stand.FOR, mixed.numbers
    scaled = Room(seed=seed, strength=0.1, behind=1.0, wall=wall).answer(drawn(seed))
    assert scaled.stand is not Stand.FOR, scaled.numbers


def test_a_room_that_is_too_bright_is_unknown() -> None:
    rows = [Room(seed=k, strength=0.002).answer(drawn(k)) for k in range(5)]
    assert {row.stand for row in rows} == {Stand.UNKNOWN}


def test_a_slow_camera_is_unknown() -> None:
    row = Room(fps=5).answer(drawn(1))
    assert (row.stand, row.reason) == (Stand.UNKNOWN, "too_few_frames")


def test_a_fast_one_answers() -> None:
    assert Room(fps=30).answer(drawn(1)).stand is Stand.FOR


def test_what_was_not_painted_cannot_be_answered() -> None:
    row = Room(skips=5).answer(drawn(1))
    assert (row.stand, row.reason) == (Stand.UNKNOWN, "not_painted")


def test_a_page_that_paints_late_is_believed_within_bounds() -> None:
    jumpy = np.random.default_rng(5)
    row = Room(lag=lambda: float(jumpy.uniform(0, 0.08))).answer(drawn(3))
    assert row.stand is Stand.FOR
    row = Room(lag=lambda: 0.7).answer(drawn(3))  # all of it late, and said so
    assert row.stand is not Stand.FOR


@FEW
@given(SEEDS, st.floats(0.06, 3.0))
def test_reports_that_lie_about_the_way_gain_little(seed: int, trip_s: float) -> None:
    row = Room(seed=seed, delay_s=0.52, trip_s=trip_s).answer(drawn(seed))
    assert row.stand is not Stand.FOR


def test_a_report_of_what_is_still_to_come_is_not_believed() -> None:
    assert Room(trip_s=-0.1).answer(drawn(1)).reason == "not_painted"


def test_a_long_way_is_allowed_for() -> None:
    assert Room(delay_s=0.38, trip_s=0.01).answer(drawn(1)).stand is not Stand.FOR
    assert Room(delay_s=0.38, trip_s=0.15).answer(drawn(1)).stand is Stand.FOR


@pytest.mark.parametrize(
    ("regions", "face_luma", "frame_luma", "reason"),
    [
        ([3], 110.0, 170.0, "background_burnt"),
        ([3], 110.0, 60.0, "background_dark"),
        ([0, 2], 205.0, 110.0, "skin_burnt"),
        ([0, 1, 2, 3], 30.0, 40.0, "skin_dark"),
    ],
)
def test_what_is_clipped_is_unknown_and_says_so_early(
    regions: list[int], face_luma: float, frame_luma: float, reason: str
) -> None:
    light = drawn(1)
    answer = cue.LightAnswer(light, 100.0)
    for k, due in enumerate(light.starts_ms):
        answer.painted(k, float(due), 100.0 + due / 1000 + 0.01)
    tint = np.full((4, 3), 120.0, np.float32)
    tint[regions] = np.nan
    assert answer.missing() is None
    for seq in range(60):
        seen = observation(seq, 100.0 + seq / 15, face(tint=tint, luma=face_luma))
        answer.add(replace(seen, luma=frame_luma))
    assert answer.missing() == reason
    row = answer.row(POLICY, 105.0)
    assert (row.stand, row.reason) == (Stand.UNKNOWN, reason)


def test_one_region_that_is_clipped_is_done_without() -> None:
    light = drawn(1)
    answer = cue.LightAnswer(light, 100.0)
    for k, due in enumerate(light.starts_ms):
        answer.painted(k, float(due), 100.0 + due / 1000 + 0.01)
    tint = np.full((4, 3), 120.0, np.float32)
    tint[1] = np.nan
    for seq in range(60):
        answer.add(observation(seq, 100.0 + seq / 15, face(tint=tint, luma=205.0)))
    assert answer.missing() is None
    assert answer.row(POLICY, 105.0).reason == "no_answer"


def test_what_holds_no_colours_is_no_picture() -> None:
    answer = cue.LightAnswer(drawn(1), 100.0)
    for seq in range(60):
        answer.add(observation(seq, 100.0 + seq / 15, face() if seq % 2 else None))
    assert answer.share(POLICY) == 0.0
    assert answer.missing() is None


def test_steps_that_there_are_not_were_not_painted() -> None:
    light = drawn(1)
    answer = cue.LightAnswer(light, 100.0)
    for step in (-1, len(light.steps), 10**9):
        answer.painted(step, 1.0, 101.0)
    assert answer.row(POLICY, 101.0).numbers["steps"] == 0.0
    answer.painted(0, 1.0, 101.0)
    assert answer.row(POLICY, 101.0).numbers["steps"] == 1.0


def test_the_row_waits_for_the_end_and_then_stays() -> None:
    light = drawn(1)
    answer = cue.LightAnswer(light, 100.0)
    assert answer.row(POLICY, 100.0 + light.length_s).reason == "not_yet"
    assert answer.wants(100.0, POLICY)
    final = answer.row(POLICY, 100.0 + light.length_s + 0.31)
    assert final.stand is Stand.UNKNOWN
    assert answer.row(POLICY, 200.0) is final
    assert (answer.share(POLICY), answer.missing()) == (1.0, None)
    assert not answer.wants(110.0, POLICY)


def test_an_answer_that_fits_another_sequence_better_is_no_answer() -> None:
    """However clearly it stands out among the 200 that were not drawn."""
    draws, light = Draws(cue.DECOYS_SEED), drawn(1)
    other = draw_light(draws, 0)
    row = Room(seed=1, strength=0.1, also=(other, 0.2)).answer(light)
    assert (row.stand, row.reason, row.numbers["beaten"]) == (Stand.FOR, "answered", 0.0)
    row = Room(seed=1, strength=0.1, also=(other, 1.3)).answer(light)
    assert row.numbers["beaten"] == 1.0
    assert row.numbers["r"] >= POLICY.light_fit
    assert row.numbers["z"] >= POLICY.light_z
    assert (row.stand, row.reason) == (Stand.UNKNOWN, "no_answer")


def test_a_step_is_painted_once() -> None:
    once, again = Room().answer(drawn(3)), Room(again_s=0.05).answer(drawn(3))
    assert again == once
    later = Room(lag=lambda: 0.058).answer(drawn(3))
    assert later.numbers["r"] != once.numbers["r"]
