from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.nets import embed
from tests.pipeline.stub import Stub


@given(st.floats(-3.1, 3.1), st.floats(0.1, 20), st.floats(-2000, 2000), st.floats(-2000, 2000))
def test_similarity_undoes_any_turn_scale_and_shift(
    turn: float, scale: float, x: float, y: float
) -> None:
    c, s = np.cos(turn) * scale, np.sin(turn) * scale
    moved = embed.TEMPLATE_PX @ np.array([[c, s], [-s, c]]) + [x, y]
    matrix = embed.similarity(moved.astype(np.float32), embed.TEMPLATE_PX)
    assert matrix is not None
    back = moved @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(back - embed.TEMPLATE_PX).max() < 0.05 + 1e-3 / scale


def test_similarity_never_mirrors() -> None:
    mirrored = embed.TEMPLATE_PX * [-1, 1]
    matrix = embed.similarity(mirrored.astype(np.float32), embed.TEMPLATE_PX)
    assert matrix is not None
    assert np.linalg.det(matrix[:, :2]) > 0


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_degenerate_points_align_nothing(bad: float) -> None:
    points = np.full((5, 2), bad, np.float32)
    assert embed.similarity(points, embed.TEMPLATE_PX) is None
    assert embed.align(np.zeros((64, 64, 3), np.uint8), points) is None


def test_the_net_gets_rgb_and_gives_a_unit_vector() -> None:
    run = Stub(embed=(np.full((1, 128), -3.0, np.float32),))
    vector = embed.embed(np.full((112, 112, 3), (1, 2, 3), np.uint8), run)
    assert run.feeds["embed"][0, :, 0, 0].tolist() == [3, 2, 1]
    assert vector is not None
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1)
    assert vector[0] < 0


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_an_unusable_answer_is_no_embedding(value: float) -> None:
    run = Stub(embed=(np.full((1, 128), value, np.float32),))
    assert embed.embed(np.zeros((112, 112, 3), np.uint8), run) is None
