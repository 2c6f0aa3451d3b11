from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.nets import Floats
from pipeline.nets.votes import SPECS, square, used, votes
from pipeline.observation import Margin
from tests.pipeline.stub import Stub

IMAGE = np.full((480, 640, 3), (1, 2, 3), np.uint8)
BOX = (280, 190, 80, 100)
BOTH = ("spoof2", "spoof3")


def _run(second: object = (1, 4, 1), third: object = (3, 1)) -> Stub:
    return Stub(spoof2=(np.array([second], np.float32),), spoof3=(np.array([third], np.float32),))


def test_each_net_gets_what_its_makers_feed_it_and_its_live_logit_is_weighed() -> None:
    run = _run()
    judged = votes(IMAGE, BOX, run, BOTH)
    assert judged == (
        Margin("spoof2", 2.7, 2.7, pytest.approx(4 - 1 - math.log(2))),
        Margin("spoof3", 1.5, 1.5, pytest.approx(2.0)),
    )
    for name, pixel in (("spoof2", [1, 2, 3]), ("spoof3", [3 / 255, 2 / 255, 1 / 255])):
        feed = run.feeds[name]
        assert feed.shape == SPECS[name].feed
        assert feed.dtype == np.float32
        assert feed[0, :, 5, 5].tolist() == pytest.approx(pixel)


def test_only_the_named_nets_are_asked() -> None:
    run = _run()
    assert votes(IMAGE, BOX, run, ()) == ()
    assert [one.net for one in votes(IMAGE, BOX, run, ("spoof3",))] == ["spoof3"]
    assert set(run.feeds) == {"spoof3"}


@pytest.mark.parametrize("logits", [(math.nan, 1.0, 1.0), (1.0, math.inf, 1.0)])
def test_a_net_that_gives_no_numbers_has_no_margin(logits: tuple[float, ...]) -> None:
    assert [one.net for one in votes(IMAGE, BOX, _run(second=logits), BOTH)] == ["spoof3"]


def test_the_third_votes_only_beside_the_second() -> None:
    assert used(["spoof3", "spoof2"]) == BOTH
    assert used(["spoof2"]) == ("spoof2",)
    assert used(["spoof3"]) == ()
    assert used([]) == ()


def test_a_square_is_mirrored_where_the_picture_ends() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[:, 10:20] = 255
    view = square(image, (0, 30, 40, 40), 1.5)
    assert view is not None
    assert view.shape == (60, 60, 3)
    assert (view[:, 20:30] == 255).all()  # as it is, after ten pixels of mirror
    assert (view[:, 0] == 255).all()  # pixel 10, seen from pixel 0
    assert (view[:, 1:20] == 0).all()


@given(
    st.tuples(*[st.floats(-1e4, 1e4)] * 4) | st.just((math.nan, 0.0, 10.0, 10.0)),
    st.integers(1, 200),
    st.integers(1, 200),
)
def test_any_box_gives_a_square_or_none(
    box: tuple[float, float, float, float], width: int, height: int
) -> None:
    view = square(np.zeros((height, width, 3), np.uint8), box, 1.5)
    if view is not None:
        assert view.shape[0] == view.shape[1] <= 4 * max(width, height)


def test_bits_do_not_depend_on_what_was_asked_before() -> None:
    random = np.random.default_rng(1)
    image = random.integers(0, 256, (480, 640, 3), np.uint8)

    def feeds() -> dict[str, Floats]:
        run = _run()
        votes(image, (10, 20, 300, 350), run, BOTH)
        return dict(run.feeds)

    one, other = feeds(), feeds()
    assert all(one[name].tobytes() == other[name].tobytes() for name in BOTH)
