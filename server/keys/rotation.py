"""A secret rotation of vectors: cosines stay what they are, and vectors of two secrets say nothing
of one another.

An orthogonal matrix from a secret: three rounds of a permutation, signs and Walsh-Hadamard
transforms. A length that is no power of two takes two transforms that overlap, one over the first
numbers and one over the last, so nothing is padded and the length stays. Who knows the secret can
turn vectors back. Not here: where secrets are kept (server/people/anchors.py), what is sealed
(server/people/templates.py).
Source: Yu et al., "Orthogonal Random Features", NIPS 2016, section 4 (products of HD blocks);
ISO/IEC 24745:2022, renewability and unlinkability.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from pipeline.template import Floats

SECRET_BYTES = 32
ROUNDS = 3
"""As in the paper: after three rounds a product is as good as a random rotation."""


def rotation_of(secret: bytes, model_id: str, dimensions: int) -> Floats:
    """The matrix of a secret for the vectors of one embedder: float32 (d, d), orthogonal.

    `vectors @ matrix` turns rows (n, d), and `turned @ matrix.T` turns them back. Another embedder
    has another matrix, so that nothing is learnt from one person's vectors of two.
    """
    made = np.eye(dimensions)
    for number in range(ROUNDS):
        drawn = _drawn(secret, model_id, dimensions, number)
        order = np.argsort(drawn, kind="stable")
        signs = np.where(drawn & 1, 1.0, -1.0)
        made = _mixed(made[:, order] * signs)
    return made.astype(np.float32)


def _drawn(secret: bytes, model_id: str, dimensions: int, number: int) -> NDArray[np.uint64]:
    """A 64-bit number for each coordinate of a round. SHAKE256 (FIPS 202) with the secret first is
    a keyed function of what follows, because the secret has one length."""
    if len(secret) != SECRET_BYTES:
        raise AssertionError(f"a secret has {SECRET_BYTES} bytes")
    what = f"lookgate rotation|{dimensions}|{number}|{model_id}".encode()
    return np.frombuffer(hashlib.shake_256(secret + what).digest(8 * dimensions), "<u8")


def _mixed(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Walsh-Hadamard of as many of the first numbers as are a power of two, then of the last."""
    dimensions = rows.shape[1]
    block = 1 << (dimensions.bit_length() - 1)
    mixed = rows.copy()
    mixed[:, :block] = _hadamard(mixed[:, :block])
    if block < dimensions:
        mixed[:, -block:] = _hadamard(mixed[:, -block:])
    return mixed


def _hadamard(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The orthonormal Walsh-Hadamard transform of rows (n, 2^k)."""
    count, size = rows.shape
    half = 1
    while half < size:
        pairs = rows.reshape(count, -1, 2, half)
        rows = np.stack([pairs[:, :, 0] + pairs[:, :, 1], pairs[:, :, 0] - pairs[:, :, 1]], axis=2)
        rows = rows.reshape(count, size)
        half *= 2
    turned: NDArray[np.float64] = rows / np.sqrt(size)
    return turned
