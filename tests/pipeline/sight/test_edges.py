from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.nets import Image
from pipeline.sight.edges import edges
from tests.pipeline.sight.faces import filled, mesh, plain, texture

FACE = mesh(320, 240, 120)  # 156 px tall


def card(scale: float = 1.0, roll_deg: float = 0.0) -> Image:
    """A bright sheet around a grey face in a dark room, 220 x 320 px at scale 1."""
    box = cv2.boxPoints(((320 * scale, 240 * scale), (220 * scale, 320 * scale), roll_deg))
    room = plain(60, round(640 * scale), round(480 * scale))
    sheet = cv2.fillConvexPoly(room, box.astype(np.int32), (190, 190, 190)).astype(np.uint8)
    face = mesh(320 * scale, 240 * scale, 120 * scale, roll_deg)
    # no lens draws stairs
    return cv2.GaussianBlur(filled(sheet, face, (130, 130, 130)), (0, 0), scale).astype(np.uint8)


def test_a_sheet_around_the_face_has_four_edges() -> None:
    found = edges(card(), FACE)
    assert found is not None
    left, right, above, below = found
    assert left == pytest.approx(320 / 156, abs=0.3)
    assert right == pytest.approx(320 / 156, abs=0.3)
    assert above == pytest.approx(220 / 156, abs=0.3)
    assert below == pytest.approx(220 / 156, abs=0.3)


def test_a_wall_and_a_textured_room_have_none() -> None:
    assert edges(filled(plain(180), FACE, (120, 120, 120)), FACE) == (0, 0, 0, 0)
    assert edges(texture(), FACE) == (0, 0, 0, 0)


def test_each_side_is_its_own() -> None:
    for side, part in enumerate((np.s_[:, :230], np.s_[:, 410:], np.s_[:135], np.s_[345:])):
        image = plain(180)
        image[part] = 40
        found = edges(image, FACE)
        assert found is not None
        assert found[side] > 1
        assert [v for n, v in enumerate(found) if n != side] == [0, 0, 0]


def test_a_door_frame_far_away_and_a_slanted_line_are_no_border() -> None:
    image = plain(180)
    image[:, :40] = 40  # 2.3 face widths away
    cv2.line(image, (380, 20), (600, 460), (20, 20, 20), 5)
    assert edges(image, FACE) == (0, 0, 0, 0)


def test_the_end_of_the_frame_is_no_edge() -> None:
    bright = plain(250, 200, 230)
    assert edges(bright, mesh(100, 115, 120)) == (0, 0, 0, 0)
    assert edges(bright, mesh(60, 115, 120, roll_deg=12)) == (0, 0, 0, 0)
    assert edges(bright, mesh(10, 20, 120)) == (0, 0, 0, 0)


@pytest.mark.parametrize("roll", [-35.0, 17.0, 60.0])
def test_a_sheet_turned_with_the_face_is_found(roll: float) -> None:
    found = edges(card(roll_deg=roll), mesh(320, 240, 120, roll))
    assert found is not None
    assert min(found) > 0.9


@pytest.mark.parametrize("scale", [0.5, 2.0, 3.0])
def test_the_same_picture_in_another_size(scale: float) -> None:
    face = mesh(320 * scale, 240 * scale, 120 * scale)
    one, other = edges(card(), FACE), edges(card(scale), face)
    assert one is not None
    assert other == pytest.approx(one, abs=0.3)


def test_too_small_a_face_is_not_measured() -> None:
    assert edges(texture(64, 64), mesh(32, 32, 12)) is None
