from __future__ import annotations

import math

import pytest

from pipeline.nets import Image
from pipeline.sight import patch
from pipeline.sight.glow import glow
from tests.pipeline.sight.faces import filled, mesh, plain

FACE = mesh(320, 240, 120)


def measured(image: Image, face: object = None) -> float | None:
    where = FACE if face is None else face
    near = patch.near(image, where)  # type: ignore[arg-type]
    return None if near is None else glow(near, where)  # type: ignore[arg-type]


def test_even_light_is_zero() -> None:
    assert measured(plain(90)) == pytest.approx(0, abs=1e-6)
    assert measured(plain(0)) == pytest.approx(0, abs=1e-6)


def test_a_bright_face_in_the_dark_glows_and_a_backlit_one_does_the_opposite() -> None:
    bright = measured(filled(plain(20), FACE, (200, 200, 200)))
    dark = measured(filled(plain(200), FACE, (20, 20, 20)))
    assert bright is not None
    assert dark is not None
    # the oval fills pi/4 of the face's rectangle, that 1 / 2.6 / (1 + 0.3/1.3) of the surroundings
    share = math.pi / 4 / 2.6 / (1 + 0.3 / 1.3)
    assert bright == pytest.approx(math.log(205 / (20 + 180 * share + 5)), abs=0.05)
    assert dark == pytest.approx(math.log(25 / (200 - 180 * share + 5)), abs=0.05)


def test_brightness_of_the_whole_picture_hardly_matters() -> None:
    one, other = (measured(filled(plain(level), FACE, (2 * level,) * 3)) for level in (50, 120))
    assert one == pytest.approx(other, abs=0.06)


def test_a_face_outside_the_frame_is_not_measured() -> None:
    assert measured(plain(90), mesh(-300, 240, 120)) is None
    assert measured(plain(90), mesh(320, 900, 120)) is None
    assert measured(plain(90), mesh(320, 240, 8)) is None
