from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pipeline.nets import palm
from tests.pipeline.stub import Stub, noise

Floats = np.ndarray[Any, Any]


def _nothing() -> tuple[Floats, Floats]:
    boxes, scores = (np.zeros(shape, np.float32) for shape in palm.SPEC.outputs)
    scores -= 9
    return boxes, scores


def _put(out: tuple[Floats, Floats], anchor: int, box: tuple[float, ...], logit: float) -> None:
    """A palm whose points are the wrist below, the middle finger's root above, all else there."""
    boxes, scores = out
    boxes[0, anchor, :4] = box
    boxes[0, anchor, 4:] = np.array([[0, 30], *[[0, -20]] * 6]).reshape(-1)
    scores[0, anchor] = logit


@pytest.mark.parametrize(
    ("width", "height", "rim"),
    [(640, 480, (0, 24)), (1280, 720, (0, 42)), (480, 640, (24, 0)), (64, 64, (0, 0))],
)
def test_the_picture_lies_in_the_middle(width: int, height: int, rim: tuple[int, int]) -> None:
    image = np.full((height, width, 3), (10, 20, 255), np.uint8)
    feed, scale, found = palm.letterbox(image)
    assert scale == pytest.approx(192 / max(width, height))
    assert found == rim
    left, top = rim
    inside = feed[0, top : 192 - top, left : 192 - left]
    assert inside.reshape(-1, 3) == pytest.approx(
        np.tile([1, 20 / 255, 10 / 255], (inside.size // 3, 1)), abs=1e-6
    )
    assert feed.sum() == pytest.approx(inside.sum(), rel=1e-6)


@pytest.mark.parametrize(
    ("anchor", "x", "y"),
    [(0, 4, 4), (3, 12, 4), (24 * 2, 4, 12), (24 * 24 * 2, 8, 8), (24 * 24 * 2 + 6 * 13, 24, 24)],
)
def test_an_anchor_is_the_middle_of_its_cell(anchor: int, x: float, y: float) -> None:
    out = _nothing()
    _put(out, anchor, (0, 0, 40, 30), 3.0)
    (found,) = palm.decode(*out, 1.0, (0, 0))
    left, top, width, height = found.box_px
    assert (left + width / 2, top + height / 2, width, height) == pytest.approx((x, y, 40, 30))
    assert found.score == pytest.approx(1 / (1 + math.exp(-3)))


def test_decode_returns_frame_pixels() -> None:
    out = _nothing()
    _put(out, 24 * 24 * 2 + 6 * (12 * 6 + 6), (1, -2, 40, 30), 3.0)  # the cell at 104, 104
    (found,) = palm.decode(*out, 0.3, (0, 24))
    assert found.box_px == pytest.approx((85 / 0.3, 63 / 0.3, 40 / 0.3, 30 / 0.3), rel=1e-5)
    assert found.points_px[palm.WRIST] == pytest.approx((104 / 0.3, 110 / 0.3), rel=1e-5)
    assert found.points_px[palm.MIDDLE] == pytest.approx((104 / 0.3, 60 / 0.3), rel=1e-5)


def test_one_palm_has_one_box_and_the_surest_comes_first() -> None:
    out = _nothing()
    _put(out, 0, (20, 20, 40, 40), 1.0)
    _put(out, 1, (22, 20, 40, 40), 2.0)
    _put(out, 2, (100, 100, 40, 40), 1.5)
    _put(out, 3, (60, 60, 40, 40), -0.1)  # less likely than not
    found = palm.decode(*out, 1.0, (0, 0))
    assert [round(one.box_px[0]) for one in found] == [6, 92]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e9])
def test_a_broken_box_is_none(value: float) -> None:
    for column in (0, 2, 4, 17):
        out = _nothing()
        _put(out, 0, (20, 20, 40, 40), 1.0)
        out[0][0, 0, column] = value
        assert palm.decode(*out, 1.0, (0, 0)) == []
    out = _nothing()
    _put(out, 0, (20, 20, 0, 40), 1.0)
    assert palm.decode(*out, 1.0, (0, 0)) == []
    out[1][0, 0] = np.nan
    assert palm.decode(*out, 1.0, (0, 0)) == []


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [(480, 640), (1, 1), (3000, 2), (17, 400)])
def test_no_picture_and_no_answer_makes_it_raise(seed: int, size: tuple[int, int]) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)
    for run in (Stub(), noise(seed, 60.0)):
        found = palm.detect(image, run)
        assert len(found) <= palm.MAX_PALMS
        assert all(math.isfinite(palm.roi(one).side_px) for one in found)


@pytest.mark.parametrize("turn", [0.0, 0.4, -1.2, math.pi / 2])
def test_the_square_is_turned_as_the_hand_is_and_lies_towards_its_fingers(turn: float) -> None:
    up = np.array([math.sin(turn), -math.cos(turn)], np.float32)
    points = np.zeros((7, 2), np.float32)
    points[palm.WRIST], points[palm.MIDDLE] = 200 - 30 * up, 200 + 30 * up
    got = palm.roi(palm.Palm((180, 170, 40, 60), 1.0, points))
    assert got.roll_rad == pytest.approx(turn, abs=1e-6)
    assert got.side_px == pytest.approx(2.6 * 60)
    assert (got.x_px, got.y_px) == pytest.approx(tuple(200 + 30 * up), abs=1e-3)
