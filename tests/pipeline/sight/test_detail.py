"""Fine detail of a face at one size: against waves of a known length."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from pipeline.nets import Floats, Image
from pipeline.observation import EYE_LEFT, EYE_RIGHT
from pipeline.sight.detail import BRIDGE, MIN_EYES_PX, detail

COARSE, FINE = 0.07, 0.18
"""Cycles a pixel in the middle of each band, where the eyes are 64 px apart."""


def mesh(eyes_px: float, at: tuple[float, float] = (320.0, 240.0), turn_rad: float = 0.0) -> Floats:
    """Three points of a face whose head is turned by `turn_rad`."""
    points = np.zeros((468, 3), np.float32)
    half = eyes_px / 2
    aside = (half * math.cos(turn_rad), 0.0, half * math.sin(turn_rad))
    points[BRIDGE, :2] = at
    points[EYE_LEFT] = np.array((*at, 0.0)) - aside
    points[EYE_RIGHT] = np.array((*at, 0.0)) + aside
    return points


def waves(coarse: float, fine: float, eyes_px: float = 64.0) -> Image:
    """Two waves across the picture, grey levels, as long for the face as at 64 px."""
    x = np.arange(640) * 64.0 / eyes_px
    row = 128 + coarse * np.sin(2 * np.pi * COARSE * x) + fine * np.sin(2 * np.pi * FINE * x)
    luma = np.repeat(np.rint(row).astype(np.uint8)[None], 480, axis=0)
    image: Image = cv2.cvtColor(luma, cv2.COLOR_GRAY2BGR)
    return image


def test_it_is_the_power_of_fine_waves_over_coarse_ones() -> None:
    found = [detail(waves(50.0, fine), mesh(64.0)) for fine in (5.0, 10.0, 40.0)]
    one, two, three = (value for value in found if value is not None)
    assert two - one == pytest.approx(2 * math.log(2), abs=0.1)
    assert three - two == pytest.approx(2 * math.log(4), abs=0.1)


def test_a_blurred_picture_has_less() -> None:
    sharp = waves(30.0, 30.0)
    soft = cv2.GaussianBlur(sharp, (0, 0), 1.5)
    was, now = detail(sharp, mesh(64.0)), detail(soft, mesh(64.0))
    assert was is not None
    assert now is not None
    assert now < was - 1.0


@pytest.mark.parametrize("eyes_px", [48.0, 96.0, 128.0])
def test_the_size_of_the_face_makes_no_difference(eyes_px: float) -> None:
    usual, other = (detail(waves(40.0, 20.0, px), mesh(px)) for px in (64.0, eyes_px))
    assert other == pytest.approx(usual, abs=0.6)


def test_a_turned_head_is_measured_at_its_own_size() -> None:
    image = waves(40.0, 20.0)
    assert detail(image, mesh(64.0, turn_rad=1.0)) == detail(image, mesh(64.0))


def test_small_faces_and_those_outside_the_frame_have_none() -> None:
    image = waves(40.0, 20.0)
    assert detail(image, mesh(MIN_EYES_PX)) is not None
    assert detail(image, mesh(MIN_EYES_PX - 0.1)) is None
    for at in ((60.0, 240.0), (580.0, 240.0), (320.0, 60.0), (320.0, 420.0)):
        assert detail(image, mesh(64.0, at)) is None
    assert detail(image, np.full((468, 3), np.nan, np.float32)) is None


def test_a_picture_without_any_has_none() -> None:
    assert detail(np.full((480, 640, 3), 90, np.uint8), mesh(64.0)) is None
