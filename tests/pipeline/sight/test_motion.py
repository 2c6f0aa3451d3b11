from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, fields

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.nets import Floats, Image
from pipeline.observation import Motion, Tracks
from pipeline.sight import patch
from pipeline.sight.edges import edges
from pipeline.sight.glow import glow
from pipeline.sight.motion import follow, start
from pipeline.sight.tint import tint
from tests.pipeline.sight.faces import mesh, plain, texture

FACE = mesh(320, 260, 160)
EYES = float(np.hypot(*(FACE[263, :2] - FACE[33, :2])))
ROOM = texture()


def begun(image: Image = ROOM, face: Floats = FACE) -> Tracks:
    motion = start(image, face)
    assert motion is not None
    return motion.tracks


def moved(points: Floats, by: np.ndarray) -> Floats:
    out = points.copy()
    out[:, :2] = cv2.perspectiveTransform(points[:, None, :2], by)[:, 0]
    return out


def warped(image: Image, by: np.ndarray) -> Image:
    size = image.shape[1], image.shape[0]
    return cv2.warpPerspective(image, by, size, borderMode=cv2.BORDER_REFLECT).astype(np.uint8)


def similar(dx: float, dy: float, degrees: float = 0.0, scale: float = 1.0) -> np.ndarray:
    by = np.eye(3)
    by[:2] = cv2.getRotationMatrix2D((320, 260), -degrees, scale)
    by[:2, 2] += dx, dy
    return by


def over(room: Image, head: Image, face: Floats) -> Image:
    """The head's picture where the face is, the room's elsewhere."""
    mask = np.zeros(room.shape[:2], np.uint8)
    hull = face[list(patch.OVAL), :2]
    grown = (hull - hull.mean(0)) * 1.3 + hull.mean(0)
    cv2.fillConvexPoly(mask, grown.astype(np.int32), (255,))
    return np.where(mask[..., None] > 0, head, room)


def seen(image: Image, face: Floats, tracks: Tracks, reference: Image = ROOM) -> Motion:
    motion = follow(image, face, reference, tracks)
    assert motion is not None
    return motion


def numbers(motion: Motion) -> dict[str, float]:
    return {f.name: getattr(motion, f.name) for f in fields(motion) if f.name != "tracks"}


def test_a_reference_has_points_on_face_and_background_and_nothing_measured() -> None:
    motion = start(ROOM, FACE)
    assert motion is not None
    tracks = motion.tracks
    assert motion.moved == 0
    assert all(math.isnan(v) for name, v in numbers(motion).items() if name != "moved")
    assert 50 <= tracks.on_face.sum() <= 100
    assert 30 <= (~tracks.on_face).sum() <= 60
    assert tracks.alive.all()
    assert tracks.mesh_px.shape == (468, 2)
    hull = cv2.convexHull(FACE[list(patch.OVAL), :2])
    sides = [cv2.pointPolygonTest(hull, p, False) for p in tracks.reference_px.tolist()]
    assert all((side >= 0) == on for side, on in zip(sides, tracks.on_face, strict=True))


def test_nothing_moved() -> None:
    motion = seen(ROOM, FACE, begun())
    assert motion.tracks.alive.all()
    for name, value in numbers(motion).items():
        assert value == pytest.approx(
            1 if "background_" in name and "moved" not in name else 0, abs=0.01
        ), name


def test_everything_moved_together_as_a_screen_in_a_hand_does() -> None:
    half, by = similar(7, -3, 2.5, 1.03), similar(14, -6, 5, 1.06)
    on_the_way = seen(warped(ROOM, half), moved(FACE, half), begun())
    motion = seen(warped(ROOM, by), moved(FACE, by), on_the_way.tracks)
    assert motion.tracks.alive.mean() > 0.8
    where = moved(motion.tracks.reference_px, by)
    alive = motion.tracks.alive
    # a texture of noise has a few places that look like another
    assert np.percentile(np.abs(motion.tracks.now_px - where)[alive], 95) < 0.6
    assert motion.moved == pytest.approx(15.2 / EYES, rel=0.3)
    assert motion.background_moved > 0.1
    assert motion.background_follows > 0.95
    assert motion.background_stays < 0.1
    assert motion.similarity < 0.005
    assert motion.homography < 0.005
    assert max(motion.eye_change, motion.mouth_change) < 0.3


def test_only_the_face_moved_as_a_person_does() -> None:
    by = similar(12, 5, 2)
    face = moved(FACE, by)
    motion = seen(over(ROOM, warped(ROOM, by), face), face, begun())
    assert motion.background_stays > 0.9
    assert motion.background_follows < 0.1
    assert motion.moved == pytest.approx(13 / EYES, rel=0.2)
    assert motion.similarity < 0.01


def test_a_tilted_plane_is_a_plane_and_no_similarity() -> None:
    x, y = 320, 260
    to, back = np.eye(3), np.eye(3)
    to[:2, 2], back[:2, 2] = (-x, -y), (x, y)
    tilt = np.array([[0.9, 0, 0], [0, 1, 0], [9e-4, 0, 1]])
    by = back @ tilt @ to
    motion = seen(warped(ROOM, by), moved(FACE, by), begun())
    assert motion.similarity > 0.012
    assert motion.homography < 0.35 * motion.similarity


def test_eyes_that_move_by_themselves_are_told_from_noise_and_from_the_mouth() -> None:
    by = similar(8, 0, 3)
    image = warped(ROOM, by)
    face = moved(FACE, by)
    other = texture(seed=9)
    for ids in (patch.EYE_IMAGE_LEFT, patch.EYE_IMAGE_RIGHT):
        mask = np.zeros(image.shape[:2], np.uint8)
        cv2.fillConvexPoly(mask, cv2.convexHull(face[list(ids), :2].astype(np.int32)), (255,))
        image = np.where(mask[..., None] > 0, other, image)
    motion = seen(image, face, begun())
    assert motion.eye_change > 0.5
    assert motion.eye_change > 4 * motion.rest_change
    assert motion.mouth_change < 0.3


def test_light_alone_is_no_motion() -> None:
    dimmer = (ROOM * 0.7 + 10).astype(np.uint8)
    motion = seen(dimmer, FACE, begun())
    assert motion.moved < 0.005
    assert motion.eye_change < 0.2
    assert motion.background_stays > 0.9


def test_a_point_that_was_covered_is_found_again() -> None:
    tracks = begun()
    covered = ROOM.copy()
    covered[:, 320:] = texture(seed=4)[:, 320:]
    hidden = seen(covered, FACE, tracks)
    assert 0.2 < hidden.tracks.alive.mean() < 0.8
    again = seen(ROOM, FACE, hidden.tracks)
    assert again.tracks.alive.mean() > 0.95


def test_another_picture_altogether_says_nothing() -> None:
    motion = seen(texture(seed=4), FACE, begun())
    assert motion.tracks.alive.mean() < 0.2
    assert all(math.isnan(v) for v in numbers(motion).values())


def test_without_a_reference_of_that_size_there_is_no_motion() -> None:
    assert follow(texture(320, 240), FACE, ROOM, begun()) is None
    assert follow(ROOM, FACE, texture(640, 481), begun()) is None
    assert start(ROOM, mesh(320, 240, 20)) is None


def test_a_plain_picture_has_no_points() -> None:
    grey = plain(128)
    tracks = begun(grey)
    assert len(tracks.alive) == 0
    motion = seen(grey, FACE, tracks, grey)
    assert all(math.isnan(v) for v in numbers(motion).values())


def test_a_large_face_costs_and_says_as_much() -> None:
    image, face = texture(1920, 1080, grain_px=9), mesh(960, 560, 480)
    by = np.eye(3)
    by[:2, 2] = 36, -12
    motion = seen(warped(image, by), moved(face, by), begun(image, face), image)
    assert motion.moved == pytest.approx(np.hypot(36, 12) / (3 * EYES), rel=0.05)
    assert motion.background_follows > 0.95


def test_the_same_bits_in_any_thread() -> None:
    by = similar(9, 4, 4, 1.03)
    image, face, tracks = warped(ROOM, by), moved(FACE, by), begun()
    image = np.clip(image + np.random.default_rng(2).normal(0, 6, image.shape), 0, 255)
    noisy = image.astype(np.uint8)

    def bits(_: int) -> bytes:
        cv2.setRNGSeed(_)
        motion = seen(noisy, face, tracks)
        return np.array(list(numbers(motion).values())).tobytes() + motion.tracks.now_px.tobytes()

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(bits, range(6)))) == 1


sizes = st.integers(16, 160) | st.sampled_from([480, 1080])
places = st.floats(-4000, 4000) | st.floats(0, 200)


@settings(max_examples=80, deadline=None)
@given(sizes, sizes, places, places, st.floats(0, 3000), st.floats(-180, 180), st.integers(0, 9))
def test_no_picture_and_no_face_makes_anything_raise(
    width: int, height: int, x: float, y: float, wide: float, roll: float, seed: int
) -> None:
    image = plain(seed, width, height) if seed < 3 else texture(width, height, seed)
    face, other = mesh(x, y, wide, roll), mesh(width / 2, height / 2, width / 2)
    for one, two in ((face, other), (other, face), (face, face)):
        edges(image, one)
        near = patch.near(image, one)
        if near is not None:
            glow(near, one)
            assert tint(near, one).shape == (4, 3)
        begin = start(image, one)
        if begin is not None:
            motion = follow(image, two, texture(width, height, seed + 1), begin.tracks)
            assert motion is None or all(isinstance(v, float) for v in astuple(motion)[1:])
