"""Cuts: what one is, what none is, and when a frame asks for an embedding. The other breaks:
test_rows.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cues.continuity import Break, Continuity, _Shape, _turned
from pipeline.observation import Ask, Observation
from pipeline.policy import Policy
from tests.pipeline.observations import ROI, Camera

POLICY = Policy()
BIG = 40.0 / 8.0
"""Of each number of a sketch, for a distance of 40 grey levels."""


def film(n: int = 10, **camera: Any) -> list[Observation]:
    """A quiet face; its shape changes by about .003 eye distances a frame, as live ones do."""
    shots = Camera(wobble=0.002, **camera)
    return [shots.shot(Ask(detect=True, roi=ROI)) for _ in range(n)]


def changed(
    obs: Observation, *, picture: float = 0.0, shape: float = 0.0, **look: Any
) -> Observation:
    """The same frame with another picture and another face in it; `shape` in eye distances."""
    assert obs.face is not None
    bend = np.random.default_rng(1).normal(0, shape * 80 / 3**0.5, (28, 3))
    rigid = obs.face.rigid_px + bend.astype(np.float32)
    sketch = obs.sketch + np.float32(picture / 8)
    return replace(obs, sketch=sketch, face=replace(obs.face, rigid_px=rigid, **look))


def breaks(shots: list[Observation]) -> tuple[list[Break | None], bool]:
    """What each frame broke, and whether the last one gives cause to ask."""
    cue = Continuity()
    found = [cue.broken(obs, POLICY) for obs in shots]
    return found, cue.doubts


def test_another_picture_with_another_face_is_a_cut() -> None:
    *before, last = film()
    found, _ = breaks([*before, changed(last, picture=40, shape=0.03)])
    assert found == [None] * 9 + [Break.CUT]


def test_a_cut_between_two_looks_is_one_although_the_picture_came_back() -> None:
    *before, between, last = film(11)
    cue = Continuity()
    for obs in before:
        assert cue.broken(obs, POLICY) is None
    cue.glance(replace(changed(between, picture=40), face=None, looked=False))
    assert cue.broken(changed(last, picture=0, shape=0.03), POLICY) is Break.CUT
    cue = Continuity()
    for obs in before:
        cue.broken(obs, POLICY)
    cue.glance(replace(between, face=None, looked=False))
    assert cue.broken(changed(last, picture=0, shape=0.03), POLICY) is None


@pytest.mark.parametrize(
    "change",
    [
        {"picture": 70},  # a lamp, the camera's exposure, the screen's colours
        {"shape": 0.03},  # a quick turn
        {"picture": 7, "shape": 0.03},
        {"picture": 70, "shape": 0.015},
    ],
)
def test_light_or_motion_alone_is_none(change: dict[str, float]) -> None:
    *before, last = film()
    found, _ = breaks([*before, changed(last, **change)])
    assert found == [None] * 10


def test_a_face_that_moves_much_all_the_time_is_not_cut() -> None:
    shots = [changed(obs, picture=15 * (k % 2), shape=0.0) for k, obs in enumerate(film())]
    found, _ = breaks([*shots[:-1], changed(shots[-1], picture=20, shape=0.03)])
    assert found == [None] * 10


def test_a_turned_moved_and_nearer_face_has_the_same_shape() -> None:
    *before, last = film()
    assert last.face is not None
    around, over = 0.3, 1.2
    turn = np.array(
        [[np.cos(around), 0, np.sin(around)], [0, 1, 0], [-np.sin(around), 0, np.cos(around)]]
    )
    rigid = (over * last.face.rigid_px @ turn + 9).astype(np.float32)
    turned = replace(last, sketch=last.sketch + np.float32(BIG))
    found, doubts = breaks([*before, replace(turned, face=replace(last.face, rigid_px=rigid))])
    assert found == [None] * 10
    assert not doubts


def test_a_reflected_face_has_another() -> None:
    *before, last = film()
    assert last.face is not None
    rigid = last.face.rigid_px * np.array([1, 1, -1], np.float32)
    turned = replace(last, sketch=last.sketch + np.float32(BIG))
    found, _ = breaks([*before, replace(turned, face=replace(last.face, rigid_px=rigid))])
    assert found[-1] is Break.CUT


def test_the_first_steps_are_not_judged() -> None:
    *before, last = film(5)
    found, _ = breaks([*before, changed(last, picture=40, shape=0.03)])
    assert found == [None] * 5


def test_one_step_over_missing_frames_may_be_longer() -> None:
    """Three frames of 15 a second are missing: the step may be four times as great."""
    *before, last = film(10)
    was = before[-1]
    assert was.face is not None
    later = replace(last, arrival_s=was.arrival_s + 4 / 15)
    policy = replace(POLICY, lost_s=0.4)
    step = float(np.linalg.norm(before[-1].sketch - before[-2].sketch))
    for times, found in ((9.0, None), (14.0, Break.CUT)):
        cue = Continuity()
        for obs in before:
            cue.broken(obs, replace(policy, cut_picture=0.1))
        sketch = was.sketch + np.float32(times * step / 8)
        late = replace(changed(later, shape=0.03), sketch=sketch)
        assert cue.broken(late, replace(policy, cut_picture=0.1)) is found


def test_a_picture_that_comes_twice_is_no_step() -> None:
    """A camera of 7 frames/s, sent at 15."""
    twice: list[Observation] = []
    for obs in film(12, fps=7.5):
        again = replace(obs, arrival_s=obs.arrival_s + 1 / 15)
        twice += [obs, again]
    found, _ = breaks([*twice[:-2], changed(twice[-2], picture=40, shape=0.03)])
    assert found == [None] * 22 + [Break.CUT]


def test_another_size_of_picture_is_a_break_of_its_own_and_no_cut() -> None:
    *before, last = film()
    other = replace(changed(last, picture=40, shape=0.03), width_px=320, height_px=240)
    found, _ = breaks([*before, other])
    assert found == [None] * 9 + [Break.RESIZED]
    found, _ = breaks([*before, replace(other, face=None)])
    assert found == [None] * 9 + [Break.RESIZED], "whether or not a face was found in it"


@pytest.mark.parametrize(("shape", "asks"), [(0.006, False), (0.018, True)])
def test_the_greatest_change_of_a_quiet_face_asks_nothing(shape: float, asks: bool) -> None:
    """Some change is always the greatest: only from a size on is it a cause to ask."""
    *before, last = film()
    found, doubts = breaks([*before, changed(last, shape=shape, picture=2.0)])
    assert found == [None] * 10
    assert doubts is asks


def test_a_changed_shape_asks_whose_face_it_is() -> None:
    *before, last = film()
    assert not breaks([*before, last])[1]
    found, doubts = breaks([*before, changed(last, shape=0.016)])
    assert found == [None] * 10
    assert doubts


def test_a_pause_asks_whose_face_it_is() -> None:
    *before, last = film()
    late = replace(last, arrival_s=before[-1].arrival_s + 0.4)
    found, doubts = breaks([*before, late])
    assert found == [None] * 10
    assert doubts
    assert not breaks([*before, late, replace(late, face=None)])[1]


@given(st.lists(st.floats(-1e4, 1e4), min_size=9, max_size=9))
def test_the_best_turns_trace_is_that_of_the_singular_values(numbers: list[float]) -> None:
    matrix = np.array(numbers).reshape(3, 3)
    one, two, three = np.linalg.svd(matrix, compute_uv=False)
    expected = one + two + (three if np.linalg.det(matrix) >= 0 else -three)
    # Roots of roots: a quarter of the digits is left of matrices that are nearly of rank 1, which
    # no face's is.
    assert _turned(matrix.tolist()) == pytest.approx(expected, rel=1e-3, abs=1e-9)
    if two > 0.1 * one:
        assert _turned(matrix.tolist()) == pytest.approx(expected, rel=1e-6)


def test_a_turned_and_moved_face_has_not_changed() -> None:
    rigid = Camera().shot(Ask(detect=True, roi=ROI)).face.rigid_px  # type: ignore[union-attr]
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    moved = (1.2 * rigid @ turn.T + (30, -20, 5)).astype(np.float32)
    assert _Shape(moved).changed(_Shape(rigid)) < 1e-4
    mirrored = rigid * np.array((-1, 1, 1), np.float32)
    assert _Shape(mirrored).changed(_Shape(rigid)) > 0.05
