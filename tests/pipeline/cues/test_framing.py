"""A covered mouth as guidance; what keeps a frame from being used: test_rows.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.cues.framing import GREY, LIT, Cover, wrong
from pipeline.observation import Ask, Bars
from pipeline.policy import Policy
from pipeline.reasons import Hint
from tests.pipeline.observations import ROI, Camera


def told(*looks: float | None, yaw_deg: float = 0.0) -> bool:
    cover, camera = Cover(), Camera()
    for mouth in looks:
        obs = camera.shot(Ask(detect=True, roi=ROI))
        assert obs.face is not None
        cover.add(replace(obs, face=replace(obs.face, mouth=mouth, yaw_deg=yaw_deg)))
    return cover.seen


@pytest.mark.parametrize(
    ("looks", "covered"),
    [
        ((), False),
        ((3.0, 3.0), False),
        ((0.4,), False),
        ((0.4, 0.4), True),
        ((0.4, None, None, 0.4), True),
        ((0.4, 3.0, 0.4), False),
        ((0.4, 0.4, 3.0), False),
        ((None, None), False),
    ],
)
def test_two_looks_in_a_row_must_see_no_mouth(
    looks: tuple[float | None, ...], covered: bool
) -> None:
    assert told(*looks) is covered


def test_a_turned_face_is_not_judged() -> None:
    assert not told(0.4, 0.4, 0.4, yaw_deg=-30.0)


def test_no_face_is_no_cover() -> None:
    cover = Cover()
    cover.add(Camera(person=None).shot(Ask(detect=True)))
    assert not cover.seen


@pytest.mark.parametrize(
    ("chroma", "luma", "hint"),
    [
        (0.0, 110.0, Hint.CAMERA_GRAY),
        (GREY - 0.1, LIT, Hint.CAMERA_GRAY),
        (GREY, 110.0, None),
        (0.0, LIT - 0.1, None),
    ],
)
def test_a_face_without_colour_is_the_cameras_fault(
    chroma: float, luma: float, hint: Hint | None
) -> None:
    camera = Camera(look={"chroma": chroma, "luma": luma})
    assert wrong(camera.shot(Ask(detect=True)), Policy()) is hint


def told_of(picture_px: tuple[int, int] = (640, 480), **look: object) -> Hint | None:
    obs = Camera(look=look).shot(Ask(detect=True))
    return wrong(replace(obs, width_px=picture_px[0], height_px=picture_px[1]), Policy())


def test_borders_are_no_room_for_a_face() -> None:
    near = Camera(look={"box_px": (200.0, 20.0, 300.0, 440.0)})
    assert wrong(near.shot(Ask(detect=True)), Policy()) is None
    near.bars = Bars(0, 60, 0, 60)
    assert wrong(near.shot(Ask(detect=True)), Policy()) is Hint.MOVE_BACK


@pytest.mark.parametrize(
    ("height_px", "inside", "hint"),
    [
        (480.0, 1.0, None),
        (530.0, 0.95, None),
        (540.0, 0.95, Hint.MOVE_BACK),
        (330.0, 0.89, Hint.MOVE_BACK),
        (310.0, 0.89, Hint.CENTER_FACE),
    ],
)
def test_a_near_face_is_used_until_the_frame_cuts_it(
    height_px: float, inside: float, hint: Hint | None
) -> None:
    assert told_of(box_px=(200.0, 0.0, 200.0, height_px), inside=inside) is hint


@pytest.mark.parametrize(
    ("picture_px", "width_px", "hint"),
    [
        ((640, 480), 64.0, None),
        ((640, 480), 63.0, Hint.COME_CLOSER),
        ((320, 240), 63.0, Hint.COME_CLOSER),
        ((1920, 1080), 116.0, None),
        ((1920, 1080), 114.0, Hint.COME_CLOSER),
        ((1080, 1920), 114.0, Hint.COME_CLOSER),
    ],
)
def test_a_small_face_is_one_of_few_pixels_or_of_a_small_part_of_the_picture(
    picture_px: tuple[int, int], width_px: float, hint: Hint | None
) -> None:
    assert told_of(picture_px, box_px=(100.0, 100.0, width_px, 1.2 * width_px)) is hint
