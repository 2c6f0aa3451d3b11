from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from pipeline.nets.warp import warp

RNG = np.random.default_rng(3)
FRAME = cv2.GaussianBlur(RNG.integers(0, 256, (90, 120, 3)).astype(np.uint8), (5, 5), 1.5)


def _to_frame(scale: float, turn: float, x: float, y: float) -> np.ndarray:
    c, s = scale * math.cos(turn), scale * math.sin(turn)
    return np.array([[c, -s, x], [s, c, y]], np.float32)


@pytest.mark.parametrize(
    ("scale", "turn", "x", "y"),
    [
        (1.0, 0.0, 20.0, 15.0),
        (0.3, 2.5, 60.0, 40.0),
        (2.5, -0.4, -30.0, 10.0),  # over the left edge and the bottom
        (9.0, 1.0, -200.0, -300.0),  # the frame is a spot in it
        (0.5, 0.1, 119.0, 89.0),  # begins at the last pixel
        (0.5, 0.1, 400.0, -300.0),  # outside altogether
        (0.01, 0.0, 50.5, 50.5),  # within one pixel
    ],
)
def test_it_is_the_square_of_the_frame(scale: float, turn: float, x: float, y: float) -> None:
    to_frame = _to_frame(scale, turn, x, y)
    want = cv2.warpAffine(
        FRAME,
        to_frame,
        (64, 64),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    before = to_frame.copy()
    found = warp(FRAME, to_frame, 64)
    assert found.shape == (64, 64, 3)
    assert found.dtype == np.uint8
    # Less of the frame is looked at, so the coordinates round elsewhere
    assert int(np.abs(found.astype(int) - want).max()) <= 1
    np.testing.assert_array_equal(to_frame, before)


def test_a_frame_of_one_pixel_fills_the_square() -> None:
    one = np.full((1, 1, 3), (10, 20, 30), np.uint8)
    assert (warp(one, _to_frame(3.0, 0.7, -5.0, 2.0), 16) == (10, 20, 30)).all()
