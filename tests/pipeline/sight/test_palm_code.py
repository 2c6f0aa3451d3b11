from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.sight import palm_code
from pipeline.synth import Image
from pipeline.synth import hand as made
from pipeline.synth.motion import Pose
from pipeline.synth.surface import draw, turn

Floats = np.ndarray[Any, Any]


def _points(scale: float = 80.0, angle: float = 0.0, x: float = 300.0, y: float = 200.0) -> Floats:
    """All 21 points float32, those of SHAPE exactly in place."""
    points = np.array(made.SKELETON)
    points[list(palm_code.IDS)] = palm_code.SHAPE
    c, s = math.cos(angle) * scale, math.sin(angle) * scale
    return (points @ np.array([[c, s], [-s, c]]) + (x, y)).astype(np.float32)


def _mirrored(points: Floats) -> Floats:
    return (points * (-1, 1) + (639, 0)).astype(np.float32)


@pytest.mark.parametrize("angle", [0.0, 0.7, -2.5])
@pytest.mark.parametrize("scale", [30.0, 150.0])
@pytest.mark.parametrize("right", [True, False])
def test_the_square_lies_on_the_palm(scale: float, angle: float, right: bool) -> None:
    points = _points(scale, angle)
    matrix = palm_code.to_frame(points if right else _mirrored(points), right=right)
    assert matrix is not None
    x, y = matrix @ (32, 32, 1)
    c, s = math.cos(angle), math.sin(angle)
    u, v = (0.463 + 0.117 - 0.196 - 0.499) / 4, (-0.373 - 0.395 - 0.295 - 0.100) / 4
    u, v = (u + 0.117) / 2 + 0.12, (v + 1.164) / 2
    want_x = 300 + scale * (c * u - s * v)
    assert (x if right else 639 - x) == pytest.approx(want_x, abs=0.01)
    assert y == pytest.approx(200 + scale * (s * u + c * v), abs=0.01)
    assert math.hypot(*matrix[:, 0]) * 64 == pytest.approx(1.2 * scale, rel=1e-4)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_points_of_no_hand_have_no_square(value: float) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    points = _points()
    points[5, 0] = value
    assert palm_code.square(image, points, right=True) is None
    assert palm_code.square(image, np.zeros((21, 3), np.float32), right=True) is None


def test_a_square_far_outside_does_not_raise() -> None:
    image = np.full((48, 64, 3), 7, np.uint8)
    for points in (_points(x=9000), _points(3000.0), _points(2.0)):
        palm = palm_code.square(image, points, right=True)
        assert palm is not None
        assert palm.shape == (64, 64)


@pytest.mark.parametrize("scale", [40.0, 100.0, 200.0])
def test_one_size_and_no_alias(scale: float) -> None:
    """A bright patch is in its place at every size, and stripes of one pixel are grey."""
    image = np.zeros((480, 640, 3), np.uint8)
    points = _points(scale)
    matrix = palm_code.to_frame(points, right=True)
    assert matrix is not None
    x, y = matrix @ (16, 40, 1)
    at = round(16 * x), round(16 * y)  # in sixteenths of a pixel
    cv2.circle(image, at, round(1.6 * scale), (255, 255, 255), -1, cv2.LINE_AA, 4)
    palm = palm_code.square(image, points, right=True)
    assert palm is not None
    v, u = np.mgrid[0:64, 0:64]
    middle = (palm * u).sum() / palm.sum(), (palm * v).sum() / palm.sum()
    assert middle == pytest.approx((16, 40), abs=0.15)
    if scale == 200:
        image[:, ::2], image[:, 1::2] = 255, 0
        striped = palm_code.square(image, points, right=True)
        assert striped is not None
        assert np.ptp(striped[4:-4, 4:-4].astype(int)) < 130


@pytest.mark.parametrize("degrees", [0, 30, 60, 90, 120, 150])
def test_a_dark_line_has_its_angle_doubled(degrees: int) -> None:
    angle = math.radians(degrees)  # of the line's normal
    palm = np.full((64, 64), 150, np.uint8)
    c, s = math.cos(angle), math.sin(angle)
    ends = [(round((32 - 60 * s * k) * 16), round((32 + 60 * c * k) * 16)) for k in (-1, 1)]
    cv2.line(palm, ends[0], ends[1], 90, 3, cv2.LINE_AA, 4)
    along, across = palm_code.field(palm)[:, 14:18, 14:18].mean((1, 2))
    assert math.hypot(along, across) > 0.3
    off = math.remainder(math.atan2(across, along) - 2 * angle, math.tau)
    assert abs(off) < math.radians(12)


def test_a_bright_line_is_none() -> None:
    palm = np.full((64, 64), 150, np.uint8)
    palm[30:34] = 90
    dark = palm_code.field(palm)[0].mean(1)
    bright = palm_code.field((300 - palm.astype(int)).astype(np.uint8))[0].mean(1)
    assert dark[15:17].max() < -0.3
    assert np.abs(bright[15:17]).max() < 0.1


@pytest.mark.parametrize("level", [0, 128, 255])
def test_nothing_seen_is_zero(level: int) -> None:
    assert np.abs(palm_code.field(np.full((64, 64), level, np.uint8))).max() < 1e-3


def test_brightness_and_contrast_change_little() -> None:
    palm = _palm(3)
    other = np.clip(palm * 0.6 + 20, 0, 255).astype(np.uint8)
    assert _score(palm_code.field(palm), palm_code.field(other)) > 0.85


def test_same_picture_same_bits() -> None:
    palm = _palm(3)
    assert np.array_equal(palm_code.field(palm), palm_code.field(palm.copy()))
    assert palm_code.field(palm).shape == (2, 32, 32)
    assert palm_code.field(palm).dtype == np.float32
    assert np.abs(palm_code.field(palm)).max() <= 1


def _palm(seed: int, px: float = 90.0, *, left: bool = False, **pose: float) -> Image:
    """The square of a made hand before grey, found by where its points were drawn."""
    drawn = made.hand(made.owner(seed), px, left=left)
    scene = np.full((480, 640, 3), 90, np.uint8)
    draw(scene, drawn.surface, Pose(320, 290, **pose))
    noise = np.random.default_rng(int(px)).normal(0, 3, scene.shape)
    about = drawn.points_px - np.array(drawn.surface.middle_px)
    turned = about @ turn(Pose(**pose)).astype(np.float64)[:2, :2].T
    points = (turned + np.array([320, 290])).astype(np.float32)
    seen = np.clip(scene + noise, 0, 255).astype(np.uint8)
    palm = palm_code.square(seen, points, right=not left)
    assert palm is not None
    return palm


def _score(a: Floats, b: Floats, reach: int = 3) -> float:
    """1 - 2 x the share of signs that differ, at the best of the shifts within `reach` cells."""
    inner = slice(reach, 32 - reach)
    best = -1.0
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            moved = np.roll(b, (dy, dx), (1, 2))
            differ = (a[:, inner, inner] > 0) != (moved[:, inner, inner] > 0)
            best = max(best, 1 - 2 * float(differ.mean()))
    return best


def test_a_left_hand_gives_what_the_same_right_hand_gives() -> None:
    right, left = (palm_code.field(_palm(3, left=side)) for side in (False, True))
    assert _score(right, left) > 0.6


def test_made_hands_are_told_apart_across_sizes_and_turns() -> None:
    people = range(8)
    first = [palm_code.field(_palm(seed)) for seed in people]
    again = [palm_code.field(_palm(seed, 120.0, roll_deg=20.0, yaw_deg=8.0)) for seed in people]
    scores = np.array([[_score(a, b) for b in again] for a in first])
    own = scores[np.eye(len(people), dtype=bool)]
    other = scores[~np.eye(len(people), dtype=bool)]
    assert own.min() > other.max() + 0.1
