from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.nets import spoof
from tests.pipeline.stub import Stub

IMAGE = np.zeros((480, 640, 3), np.uint8)


def test_a_small_face_gets_the_full_reach_around_its_centre() -> None:
    image = IMAGE.copy()
    image[240, 320] = 255
    cut = spoof.crop(image, (280, 190, 80, 100))
    assert cut is not None
    view, reach = cut
    assert reach == 2.7
    assert view.shape[:2] == (271, 217)
    at = np.argwhere(view[:, :, 0])[0]
    assert abs(at - [135, 108]).max() <= 1


def test_at_the_edge_the_crop_moves_and_in_a_small_frame_it_shrinks() -> None:
    view, reach = spoof.crop(IMAGE, (0, 0, 80, 100)) or (IMAGE, 0.0)
    assert (view.shape[:2], reach) == ((271, 217), 2.7)
    view, reach = spoof.crop(IMAGE, (200, 100, 200, 300)) or (IMAGE, 0.0)
    assert reach == pytest.approx(479 / 300)
    assert view.shape[0] == 480


@given(
    st.tuples(*[st.floats(-1e4, 1e4)] * 4) | st.just((math.nan, 0.0, 10.0, 10.0)),
    st.integers(2, 200),
    st.integers(2, 200),
)
def test_any_box_gives_a_crop_inside_the_frame_or_none(
    box: tuple[float, float, float, float], width: int, height: int
) -> None:
    cut = spoof.crop(np.zeros((height, width, 3), np.uint8), box)
    if cut is not None:
        assert cut[0].size > 0
        assert 0 < cut[1] <= 2.7


def test_the_net_gets_bgr_and_the_margin_is_live_against_the_rest() -> None:
    run = Stub(spoof=(np.array([[2.0, 1.0, 1.0]], np.float32),))
    image = np.full((480, 640, 3), (1, 2, 3), np.uint8)
    judged = spoof.spoof(image, (280, 190, 80, 100), run)
    assert run.feeds["spoof"][0, :, 5, 5].tolist() == [1, 2, 3]
    assert judged == (pytest.approx(2 - 1 - math.log(2)), 2.7)


def test_margins_are_not_clipped_and_nan_is_none() -> None:
    run = Stub(spoof=(np.array([[-900.0, 900.0, 0.0]], np.float32),))
    assert spoof.spoof(IMAGE, (280, 190, 80, 100), run) == (pytest.approx(-1800), 2.7)
    run = Stub(spoof=(np.full((1, 3), np.nan, np.float32),))
    assert spoof.spoof(IMAGE, (280, 190, 80, 100), run) is None
