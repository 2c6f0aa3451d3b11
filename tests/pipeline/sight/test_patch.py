from __future__ import annotations

import numpy as np
import pytest

from pipeline.sight import patch
from tests.pipeline.sight.faces import mesh, plain, texture


@pytest.mark.parametrize("factor", [1, 2, 5])
def test_there_and_back(factor: int) -> None:
    low, high = np.array([100.4, 50.6], np.float32), np.array([300.2, 330.9], np.float32)
    cut = patch.cut(texture(), low, high, factor)
    assert cut is not None
    points = np.array([[100, 50], [222.5, 111.25], [299, 330]], np.float32)
    assert np.allclose(cut.back(cut.here(points)), points, atol=1e-3)
    assert abs(cut.image.shape[1] * factor - 202) <= factor
    assert abs(cut.image.shape[0] * factor - 282) <= factor


def test_averaging_keeps_places() -> None:
    image = plain(0)
    image[120:132, 240:252] = 255  # middle at 245.5, 125.5
    low, high = np.array([101, 33], np.float32), np.array([500, 300], np.float32)
    for factor in (1, 3, 4):
        cut = patch.cut(image, low, high, factor)
        assert cut is not None
        bright = cut.image[..., 0].astype(float)
        rows, columns = np.indices(bright.shape)
        seen = np.array([(columns * bright).sum(), (rows * bright).sum()]) / bright.sum()
        assert cut.here(np.array([[245.5, 125.5]], np.float32))[0] == pytest.approx(seen, abs=0.02)


def test_only_what_the_frame_has() -> None:
    low, high = np.array([-500, -500], np.float32), np.array([9000, 60], np.float32)
    cut = patch.cut(texture(), low, high, 1)
    assert cut is not None
    assert cut.image.shape == (61, 640, 3)
    assert patch.cut(texture(), low - 2000, high, 100) is None
    assert patch.cut(texture(), low, low + 10, 1) is None
    assert patch.cut(texture(), high, high + 100, 1) is None


def test_a_face_is_brought_to_its_size_and_never_magnified() -> None:
    for width in (30.0, 100.0, 300.0, 900.0):
        face = mesh(960, 540, width)
        near = patch.near(texture(1920, 1080), face)
        assert near is not None
        seen = float(np.ptp(near.here(face)[:, 0]))
        assert seen <= min(width, 2 * patch.NEAR_PX) + 0.01
        assert seen >= min(width, patch.NEAR_PX) - 0.01
    assert patch.near(texture(), mesh(320, 240, 10)) is None


def test_the_ring_is_around_the_face_and_ends_at_the_chin() -> None:
    face = mesh(320, 240, 120)
    near = patch.near(plain(0), face)
    assert near is not None
    points = near.here(face)
    ring, oval = near.ring(points), near.mask(points[list(patch.OVAL)])
    assert ring.any()
    assert oval.any()
    assert not (ring & oval).any()
    rows = np.flatnonzero(ring.any(1))
    assert rows.max() < points[:, 1].max()
    assert rows.min() < points[:, 1].min()
