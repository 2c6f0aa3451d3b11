from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.nets import mesh
from pipeline.nets.warp import to_frame
from pipeline.observation import EYE_LEFT, EYE_RIGHT, Roi
from tests.pipeline.stub import Stub, a_mesh

IMAGE = np.zeros((480, 640, 3), np.uint8)
ROI = Roi(300, 200, 240, 0.0)


def turned(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """A mesh whose rigid points are the mean face, turned by degrees as a head turns."""
    points = np.zeros((mesh.POINTS, 3))
    for left, right, x, y, z in mesh.RIGID:
        points[left], points[right] = (-x, y, z), (x, y, z)
    a, b, c = np.radians([yaw, pitch, roll])
    nod = [[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]]
    shake = [[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]]
    tilt = [[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]]
    out = points @ (np.array(tilt) @ np.array(shake) @ np.array(nod)).T
    return (out * 100 + [300, 200, 0]).astype(np.float32)


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"),
    [(0, 0, 0), (25, 0, 0), (-25, 0, 0), (0, 20, 0), (0, -20, 0), (0, 0, 30), (20, 0, -40)],
)
def test_pose_is_what_the_head_did(yaw: float, pitch: float, roll: float) -> None:
    assert mesh.pose_deg(turned(yaw, pitch, roll)) == pytest.approx((yaw, pitch, roll), abs=1e-3)


def test_pose_signs_are_those_of_the_picture() -> None:
    nose, between_eyes = 195, 168
    right = turned(yaw=25)
    assert right[nose, 0] > right[between_eyes, 0]  # the nose went to image right
    up = turned(pitch=25)
    level = turned()
    lift = (up[nose] - up[between_eyes])[1] - (level[nose] - level[between_eyes])[1]
    assert lift < 0  # and up in the picture
    clockwise = turned(roll=25)
    assert clockwise[mesh.EYE_RIGHT, 1] > clockwise[mesh.EYE_LEFT, 1]


def test_pose_does_not_depend_on_place_or_size() -> None:
    points = turned(12, -7, 5)
    assert mesh.pose_deg(points * 3 + 50) == pytest.approx(mesh.pose_deg(points), abs=1e-3)


def test_points_come_back_in_frame_pixels() -> None:
    run = Stub(mesh=a_mesh())
    seen = mesh.landmarks(IMAGE, ROI, run)
    assert seen is not None
    assert seen.score > 0.99
    scale = 240 / 192
    expected = (a_mesh()[0][0, :, :2] - 96) * scale + [300, 200]
    assert np.abs(seen.points_px[:, :2] - expected).max() < 1e-3
    assert np.abs(seen.points_px[:, 2] - a_mesh()[0][0, :, 2] * scale).max() < 1e-4


def test_the_net_gets_rgb_between_0_and_1_and_the_edge_repeats() -> None:
    image = np.full((480, 640, 3), (0, 51, 255), np.uint8)
    run = Stub(mesh=a_mesh())
    mesh.landmarks(image, Roi(10, 10, 300, 0.3), run)
    assert np.allclose(run.feeds["mesh"], [1, 0.2, 0])


def test_a_turned_square_turns_the_points_with_it() -> None:
    seen = mesh.landmarks(IMAGE, Roi(300, 200, 240, math.radians(20)), Stub(mesh=a_mesh()))
    assert seen is not None
    assert mesh.pose_deg(seen.points_px) == pytest.approx((0, 0, 20), abs=0.01)


def test_the_next_square_is_the_same_square_for_a_face_at_rest() -> None:
    roi = Roi(300, 200, 240, 0.2)
    for _ in range(3):
        seen = mesh.landmarks(IMAGE, roi, Stub(mesh=a_mesh()))
        assert seen is not None
        roi = mesh.roi_from_mesh(seen.points_px)
    assert roi.roll_rad == pytest.approx(0.2, abs=1e-4)
    assert roi.side_px == pytest.approx(240, rel=0.02)
    assert math.hypot(roi.x_px - 300, roi.y_px - 200) < 5


def test_a_detection_gives_an_upright_square() -> None:
    points = np.array([[80, 100], [120, 100], [100, 120], [85, 140], [115, 140]], np.float32)
    roi = mesh.roi_from_detection((50, 40, 100, 140), points)
    assert roi.roll_rad == 0
    assert roi.side_px == pytest.approx(1.34 * 140)
    assert (roi.x_px, roi.y_px) == pytest.approx((100, 110 + 0.033 * roi.side_px))


@pytest.mark.parametrize(
    "roi",
    [
        Roi(math.nan, 200, 240, 0),
        Roi(300, math.inf, 240, 0),
        Roi(300, 200, math.nan, 0),
        Roi(300, 200, 240, math.inf),
        Roi(300, 200, 0, 0),
        Roi(300, 200, -240, 0),
        Roi(300, 200, 1e9, 0),
        Roi(9000, 200, 240, 0),
    ],
)
def test_a_useless_square_is_not_looked_at(roi: Roi) -> None:
    run = Stub(mesh=a_mesh())
    assert mesh.landmarks(IMAGE, roi, run) is None
    assert run.calls == []


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e9, 0.0])
def test_a_broken_answer_is_no_face(bad: float) -> None:
    points, logit = a_mesh()
    run = Stub(mesh=(np.full_like(points, bad), logit))
    assert mesh.landmarks(IMAGE, ROI, run) is None


@given(st.floats(-1000, 1000), st.floats(20, 900), st.floats(-3.1, 3.1))
def test_crop_centre_is_the_square_centre(x: float, side: float, roll: float) -> None:
    matrix = to_frame(Roi(x, 50, side, roll), mesh.SIZE_PX)
    assert matrix @ [96, 96, 1] == pytest.approx([x, 50], abs=0.01)


def test_box_and_five_points_follow_the_mesh() -> None:
    points = a_mesh()[0][0]
    x, y, w, h = mesh.box(points)
    assert x < 96 < x + w
    assert y < 96 < y + h
    five = mesh.five_points(points)
    assert five[0, 0] < five[2, 0] < five[1, 0]
    assert five[0, 1] < five[2, 1] < five[3, 1]
    assert five[2] == pytest.approx([96, 104])


def test_of_a_mesh_the_rigid_points_and_every_fourth_are_kept() -> None:
    points = a_mesh()[0][0]
    rigid, shape = mesh.rigid(points), mesh.shape(points)
    assert rigid.shape == (28, 3)
    assert shape.shape == (118, 2)
    eyes = points[[EYE_LEFT, EYE_RIGHT]]
    assert rigid[:2].tolist() == eyes.tolist()
    assert shape[:2].tolist() == eyes[:, :2].tolist()
    rest = [k for k in range(3, 468, 4) if k != EYE_RIGHT]
    assert shape[2:].tolist() == points[rest, :2].tolist()
