"""Films that are made of one picture: what moves in each, and that a seed says it all."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from benchmarks.stillness.pictures import KINDS, LOOP, made, turned
from server.frames.convert import to_bgr


def drawn(n: int = 1) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    rough = rng.integers(0, 256, (n, 12, 16, 3), dtype=np.uint8)
    return [cv2.resize(one, (128, 96), interpolation=cv2.INTER_CUBIC) for one in rough]


def film(kind: str, seed: int = 1, seconds: float = 1.0) -> list[np.ndarray]:
    return [to_bgr(p).astype(np.int16) for _, p in made(kind, drawn(LOOP), seconds, seed)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_moves_as_it_says_and_a_seed_makes_it_again(kind: str) -> None:
    shown = film(kind)
    assert len(shown) == 15
    steps = [np.abs(one - other).mean() for one, other in pairwise(shown)]
    assert max(steps) == 0 if kind == "still" else min(steps) > 0
    again = film(kind)
    assert all(np.array_equal(one, other) for one, other in zip(shown, again, strict=True))


def test_a_loop_comes_back_and_nothing_else_does() -> None:
    for kind in KINDS:
        shown = film(kind)
        back = np.abs(shown[LOOP] - shown[0]).max() == 0
        assert back is np.bool_(kind in ("still", "loop"))


def test_there_is_no_other_kind() -> None:
    with pytest.raises(ValueError, match="kind must be"):
        next(made("hologram", drawn(), 1.0, 1))


def test_a_picture_that_is_turned_is_narrower_where_it_is_farther() -> None:
    image = np.zeros((96, 128, 3), np.uint8)
    image[28:68, 44:84] = 255
    assert np.array_equal(turned(image, 0, 0, (64, 48)), image)
    columns = (turned(image, 40, 0, (64, 48))[..., 0] > 128).sum(0)[20:108]  # the rest mirrors
    wide = np.flatnonzero(columns)
    assert len(wide) < 36
    assert columns[wide[2]] != columns[wide[-3]]
    rows = (turned(image, 0, 40, (64, 48))[..., 0] > 128).sum(1)[16:80]
    assert np.count_nonzero(rows) < 36
