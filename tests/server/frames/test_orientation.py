"""What a file says of its orientation: the eight ways, and matrices that are none of them."""

from __future__ import annotations

import numpy as np
import pytest

from server.frames.orientation import ONE, of_matrix

PICTURE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
WAYS = {
    1: (1, 0, 0, 1),
    2: (-1, 0, 0, 1),
    3: (-1, 0, 0, -1),
    4: (1, 0, 0, -1),
    5: (0, 1, 1, 0),
    6: (0, 1, -1, 0),
    7: (0, -1, -1, 0),
    8: (0, -1, 1, 0),
}
"""EXIF 2.32 section 4.6.4 A, tag 274: a, b, c, d of the matrix that shows it."""


def matrix(a: float, b: float, c: float, d: float) -> tuple[int, ...]:
    return (round(a * ONE), round(b * ONE), 0, round(c * ONE), round(d * ONE), 0, 0, 0, 1 << 30)


@pytest.mark.parametrize("way", WAYS)
def test_each_pixel_goes_where_the_matrix_shows_it(way: int) -> None:
    a, b, c, d = WAYS[way]
    found = of_matrix(matrix(a, b, c, d))
    turned = found.turned(PICTURE)
    assert found.exact
    assert found.upright is (way == 1)
    assert turned.shape == ((3, 2, 3) if way > 4 else (2, 3, 3))
    for y in range(2):
        for x in range(3):
            right, down = a * x + c * y, b * x + d * y  # negative: counted from the far side
            beyond = (-1 if a + c < 0 else 0, -1 if b + d < 0 else 0)
            there = turned[down + beyond[1], right + beyond[0]]
            assert tuple(there) == tuple(PICTURE[y, x]), (way, x, y)


@pytest.mark.parametrize("degrees", [1, 30, 45, 89, 120, 300])
def test_another_angle_is_told_and_the_nearest_way_is_taken(degrees: int) -> None:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    found = of_matrix(matrix(c, s, -s, c))
    assert not found.exact
    assert found.swapped is (round(degrees / 90) % 2 == 1) or degrees == 45


def test_rounded_sines_and_scaled_pictures_are_quarters_of_a_turn() -> None:
    assert of_matrix(matrix(0.001, 0.9999, -0.9999, 0.001)).exact
    assert of_matrix(matrix(2.0, 0, 0, 2.0)).upright
    assert not of_matrix(matrix(2.0, 0, 0, 1.0)).exact
    assert not of_matrix(matrix(1.0, 0.4, 0, 1.0)).exact


def test_a_matrix_of_nothing_is_told() -> None:
    found = of_matrix((0,) * 9)
    assert found.upright
    assert not found.exact
