from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.nets import hand
from pipeline.observation import Roi
from pipeline.synth.hand import SKELETON
from tests.pipeline.stub import Stub, noise

Floats = np.ndarray[Any, Any]
IMAGE = np.zeros((480, 640, 3), np.uint8)
SQUARE = Roi(320.0, 240.0, 200.0, 0.0)


def _answer(presence: float = 0.9, right: float = 0.9) -> tuple[Floats, ...]:
    """A right hand in the middle of the crop, its palm 50 px wide there."""
    points = np.zeros((1, 21, 3), np.float32)
    points[0, :, :2] = 112 + 50 * np.array(SKELETON)
    points[0, :, 2] = np.arange(21)
    beliefs = (np.array([[belief]], np.float32) for belief in (presence, right))
    return (points, *beliefs, np.zeros((1, 21, 3), np.float32))


def _found(square: Roi = SQUARE, right: float = 0.9) -> hand.Landmarks:
    found = hand.landmarks(IMAGE, square, Stub(hand=_answer(right=right)))
    assert found is not None
    return found


def test_points_are_in_frame_pixels() -> None:
    found = _found()
    want = np.array([320, 240]) + 50 * np.array(SKELETON) * (200 / 224)
    assert found.points_px[:, :2] == pytest.approx(want, abs=1e-3)
    assert found.points_px[:, 2] == pytest.approx(np.arange(21) * 200 / 224, rel=1e-5)
    assert found.palm_px == pytest.approx(50 * 200 / 224, rel=0.01)
    assert (found.score, found.right) == pytest.approx((0.9, 0.9))
    assert found.points_px.dtype == np.float32


@pytest.mark.parametrize("turn", [0.5, -2.0])
def test_a_turned_square_turns_the_points_back(turn: float) -> None:
    found = _found(Roi(320.0, 240.0, 200.0, turn))
    c, s = math.cos(turn), math.sin(turn)
    want = np.array([320, 240]) + 50 * np.array(SKELETON) @ np.array([[c, s], [-s, c]]) * 200 / 224
    assert found.points_px[:, :2] == pytest.approx(want, abs=1e-3)


def test_the_crop_is_what_the_square_shows() -> None:
    image = IMAGE.copy()
    image[100:200, 50:150] = (0, 0, 255)  # red, which comes first
    run = Stub(hand=_answer())
    assert hand.landmarks(image, Roi(100.0, 150.0, 200.0, 0.0), run) is not None
    feed = run.feeds["hand"][0]
    assert feed[70:150, 70:150, 0].min() == pytest.approx(1)
    assert feed[..., 1:].max() == 0
    assert feed[:50].max() == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e9])
def test_a_broken_answer_is_no_hand(value: float) -> None:
    for k in range(3):
        answer = _answer()
        answer[k].reshape(-1)[0] = value
        assert hand.landmarks(IMAGE, SQUARE, Stub(hand=answer)) is None
    assert hand.landmarks(IMAGE, SQUARE, Stub()) is None  # all points in one place


@pytest.mark.parametrize(
    "square",
    [
        replace(SQUARE, side_px=15.0),
        replace(SQUARE, side_px=1e6),
        replace(SQUARE, x_px=-101.0),
        replace(SQUARE, roll_rad=math.nan),
    ],
)
def test_a_square_that_shows_nothing_is_not_looked_at(square: Roi) -> None:
    run = Stub(hand=_answer())
    assert hand.landmarks(IMAGE, square, run) is None
    assert run.calls == []


@pytest.mark.parametrize("seed", range(20))
def test_no_answer_makes_it_raise(seed: int) -> None:
    found = hand.landmarks(IMAGE, SQUARE, noise(seed, 0.7))
    assert found is None or math.isfinite(hand.roi_from_hand(found.points_px).side_px)


@pytest.mark.parametrize("turn", [0.0, 0.5, -2.0, math.pi / 2])
def test_the_next_square_is_about_the_palm_and_turned_with_the_hand(turn: float) -> None:
    upright = hand.roi_from_hand(_found().points_px)
    assert abs(upright.roll_rad) < 0.05
    got = hand.roi_from_hand(_found(Roi(320.0, 240.0, 200.0, turn)).points_px)
    assert math.remainder(got.roll_rad - upright.roll_rad - turn, math.tau) == pytest.approx(
        0, abs=1e-4
    )
    assert got.side_px == pytest.approx(upright.side_px, rel=1e-4)
    c, s = math.cos(turn), math.sin(turn)
    x, y = upright.x_px - 320, upright.y_px - 240
    assert (got.x_px, got.y_px) == pytest.approx(
        (320 + c * x - s * y, 240 + s * x + c * y), abs=0.1
    )


def test_the_next_square_holds_the_fingers() -> None:
    points = _found().points_px[:, :2]
    square = hand.roi_from_hand(_found().points_px)
    assert (np.abs(points - (square.x_px, square.y_px)) < square.side_px / 2).all()
    steady = points[[0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18], 1]
    assert (steady.min() + steady.max()) / 2 - square.y_px == pytest.approx(
        0.05 * square.side_px, rel=0.1
    )


@pytest.mark.parametrize("right", [0.9, 0.1])
def test_the_back_of_the_other_hand_looks_the_same_but_for_the_side(right: float) -> None:
    assert _found(right=right).shows_palm == (right > 0.5)
    turned = _found(Roi(320.0, 240.0, 200.0, 2.5), right=right)
    assert turned.shows_palm == (right > 0.5)
