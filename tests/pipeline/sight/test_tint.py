from __future__ import annotations

import numpy as np
import pytest

from pipeline.nets import Floats, Image
from pipeline.sight import patch
from pipeline.sight.tint import REGIONS, tint
from tests.pipeline.sight.faces import filled, mesh, plain, texture

FACE = mesh(320, 240, 150)


def measured(image: Image, face: Floats = FACE) -> Floats:
    near = patch.near(image, face)
    assert near is not None
    return tint(near, face)


def painted(*colours: tuple[int, int, int]) -> Image:
    image = filled(plain(70), FACE, (100, 100, 100))
    for ids, colour in zip(REGIONS, colours, strict=True):
        image = filled(image, FACE[list(ids)], colour, 1.15)
    return image


def test_each_region_has_its_colour() -> None:
    seen = measured(painted((50, 60, 70), (80, 90, 200), (30, 210, 40)))
    assert seen.shape == (4, 3)
    assert seen.dtype == np.float32
    wanted = [(50, 60, 70), (80, 90, 200), (30, 210, 40), (70, 70, 70)]
    assert np.allclose(seen, wanted, atol=8)
    assert np.allclose(seen[3], 70, atol=1e-3)


def test_a_faint_change_of_light_is_seen() -> None:
    rng = np.random.default_rng(1)
    image = np.clip(rng.normal(120, 12, (480, 640, 3)), 0, 255).astype(np.uint8)
    tinted = (image + np.array([0, 1, 2])).astype(np.uint8)
    change = measured(tinted) - measured(image)
    assert np.allclose(change, [0, 1, 2], atol=0.05)


def test_burnt_pixels_are_left_out_and_a_burnt_region_is_unknown() -> None:
    image = painted((50, 60, 70), (80, 90, 120), (255, 255, 255))
    x, y = FACE[list(REGIONS[0]), :2].mean(0).astype(int)
    image[y - 3 : y + 3, x - 3 : x + 3] = 255
    seen = measured(image)
    assert np.allclose(seen[0], (50, 60, 70), atol=12)
    assert np.isnan(seen[2]).all()
    assert np.isfinite(seen[[0, 1, 3]]).all()


def test_what_the_frame_does_not_show_is_unknown() -> None:
    seen = measured(texture(640, 480), mesh(70, 240, 150))
    assert np.isfinite(seen[0]).all()
    tight = measured(texture(150, 200), mesh(75, 100, 150))
    assert np.isnan(tight[3]).all()
    assert np.isfinite(tight[:3]).all()


@pytest.mark.parametrize("width", [24.0, 150.0, 600.0])
def test_the_size_of_the_face_does_not_change_its_colour(width: float) -> None:
    face = mesh(960, 540, width)
    image = filled(plain(70, 1920, 1080), face, (90, 110, 160))
    seen = measured(image, face)
    known = seen[:3][np.isfinite(seen[:3]).all(1)]
    assert np.allclose(known, (90, 110, 160), atol=3)  # the forehead ends at the outline
    assert np.allclose(seen[3], 70, atol=1)
    assert len(known) == 3 or width < 60
