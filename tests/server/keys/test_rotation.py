"""Rotations: cosines stay, two secrets have nothing to do with one another, any length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.template import Floats
from server.keys.rotation import rotation_of

SECRET, OTHER = bytes(range(32)), bytes(range(1, 33))


GOLDEN = [1.5, 0.5, -0.5, -1.5, -1.5, -0.5, 0.5, -0.5]
"""The first row of SECRET's matrix for 8 numbers, times the square root of 8."""


def vectors(count: int, dimensions: int, seed: int = 1) -> Floats:
    rows = np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@given(st.integers(1, 300), st.binary(min_size=32, max_size=32))
def test_it_is_orthogonal_at_any_length(dimensions: int, secret: bytes) -> None:
    matrix = rotation_of(secret, "net", dimensions)
    assert matrix.dtype == np.float32
    exact = matrix.astype(np.float64)
    assert np.abs(exact @ exact.T - np.eye(dimensions)).max() < 1e-6


@pytest.mark.parametrize("dimensions", [96, 127, 128, 129, 512])
def test_scores_change_by_no_more_than_a_millionth(dimensions: int) -> None:
    rows, matrix = vectors(400, dimensions), rotation_of(SECRET, "net", dimensions)
    turned = rows @ matrix
    assert np.abs(turned @ turned.T - rows @ rows.T).max() <= 1e-6
    assert np.abs(turned @ matrix.T - rows).max() <= 1e-6


@pytest.mark.parametrize("dimensions", [96, 128, 512])
def test_what_two_secrets_turn_has_nothing_in_common(dimensions: int) -> None:
    rows = vectors(400, dimensions)
    one = rows @ rotation_of(SECRET, "net", dimensions)
    for matrix in (rotation_of(OTHER, "net", dimensions), rotation_of(SECRET, "n2", dimensions)):
        crossed = np.einsum("nd,nd->n", one, rows @ matrix)  # the same vector under both
        assert abs(crossed.mean()) < 5 / dimensions  # a trace, which is N(0, 1)
        assert 0.8 < crossed.std() * np.sqrt(dimensions) < 1.25  # as of random directions
    assert np.abs(np.einsum("nd,nd->n", one, rows)).mean() < 2 / np.sqrt(dimensions)


def test_every_number_of_a_vector_goes_into_every_number_of_the_turned_one() -> None:
    for dimensions in (96, 128, 200, 512):
        matrix = np.abs(rotation_of(SECRET, "net", dimensions))
        assert matrix.max() < 8 / np.sqrt(dimensions)
        assert (matrix > 0.01 / np.sqrt(dimensions)).mean() > 0.85


def test_a_secret_makes_the_same_matrix_for_ever() -> None:
    """Rows that are stored rest on it."""
    matrix = rotation_of(SECRET, "sface", 8)
    assert np.array_equal(matrix, rotation_of(SECRET, "sface", 8))
    first = matrix[0] * np.sqrt(8)
    assert np.allclose(first, GOLDEN, atol=1e-6)


def test_a_secret_of_another_length_is_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError):
        rotation_of(b"short", "net", 8)
