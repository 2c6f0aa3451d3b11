from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.nets import spoof
from pipeline.observation import Margin
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


BOX = (280, 190, 80, 100)


def test_the_net_gets_bgr_and_the_margin_is_live_against_the_rest() -> None:
    run = Stub(spoof=(np.array([[2.0, 1.0, 1.0]], np.float32),))
    image = np.full((480, 640, 3), (1, 2, 3), np.uint8)
    judged = spoof.spoof(image, BOX, run)
    assert run.feeds["spoof"][0, :, 5, 5].tolist() == [1, 2, 3]
    value = pytest.approx(2 - 1 - math.log(2))
    assert judged == (Margin("spoof", 2.7, 2.7, value), Margin("spoof", 1.5, 1.5, value))


def test_each_crop_is_judged_by_itself() -> None:
    image = IMAGE.copy()
    image[190:290, 280:360] = 200

    def run(net: str, feed: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.array([[feed.mean(), 0.0, 0.0]], np.float32),)

    wide, tight = spoof.spoof(image, BOX, run)
    assert (wide.value, tight.value) == (
        pytest.approx(200 / 2.7**2 - math.log(2), abs=2),
        pytest.approx(200 / 1.5**2 - math.log(2), abs=2),
    )


def test_a_face_with_no_room_for_more_than_the_tight_crop_is_judged_once() -> None:
    run = Stub(spoof=(np.array([[2.0, 1.0, 1.0]], np.float32),))
    wide, tight = spoof.spoof(IMAGE, (100, 50, 300, 380), run)
    assert run.calls == ["spoof"]
    assert (wide.asked, tight.asked) == (2.7, 1.5)
    assert wide.reach == tight.reach == pytest.approx(479 / 380)
    assert wide.value == tight.value


def test_margins_are_not_clipped_and_nan_is_none() -> None:
    run = Stub(spoof=(np.array([[-900.0, 900.0, 0.0]], np.float32),))
    assert [m.value for m in spoof.spoof(IMAGE, BOX, run)] == pytest.approx([-1800] * 2)
    run = Stub(spoof=(np.full((1, 3), np.nan, np.float32),))
    assert spoof.spoof(IMAGE, BOX, run) == ()
    assert spoof.spoof(IMAGE, (0, 0, math.nan, 100), run) == ()
