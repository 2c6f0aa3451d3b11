"""Borders of the frame over time: what stays is the camera's, what moves is a device's."""

from __future__ import annotations

from dataclasses import replace

from pipeline.observation import NO_BARS, Ask, Bars, Observation
from pipeline.session.borders import AGREE, NEAR_PX, PATIENCE, Borders
from tests.pipeline.observations import Camera

LETTERBOX = Bars(0, 60, 0, 60)


def looks(borders: Borders, *seen: Bars | None, size: tuple[int, int] = (640, 480)) -> list[bool]:
    """What each observation changed."""
    return [borders.changed(_seeing(bars, size)) for bars in seen]


def _seeing(seen: Bars | None, size: tuple[int, int]) -> Observation:
    return replace(Camera().shot(Ask()), bars_seen=seen, width_px=size[0], height_px=size[1])


def test_a_frame_without_borders_settles_it_at_once() -> None:
    borders = Borders()
    assert not borders.settled
    assert looks(borders, NO_BARS) == [False]
    assert borders.known == NO_BARS


def test_borders_must_be_seen_again_before_they_are_taken_off() -> None:
    borders = Borders()
    looks(borders, *[LETTERBOX] * (AGREE - 1))
    assert borders.known is None
    looks(borders, Bars(0, 60, 0, 60 - NEAR_PX))
    assert borders.known == LETTERBOX  # the widest


def test_frames_that_were_not_looked_at_say_nothing() -> None:
    borders = Borders()
    assert looks(borders, *[None] * 20) == [False] * 20
    assert borders.known is None


def test_a_border_that_moves_stays_in_the_picture() -> None:
    borders = Borders()
    moving = [Bars(0, 20 + 2 * NEAR_PX * (n % 5), 0, 0) for n in range(PATIENCE)]
    assert not any(looks(borders, *moving))
    assert borders.known == NO_BARS


def test_borders_that_move_later_make_the_evidence_void() -> None:
    borders = Borders()
    looks(borders, *[LETTERBOX] * AGREE)
    other = Bars(0, 30, 0, 90)
    assert looks(borders, other, other, other) == [False, False, True]
    assert not borders.settled


def test_one_look_that_misses_them_is_forgiven() -> None:
    borders = Borders()
    looks(borders, *[LETTERBOX] * AGREE)
    assert not any(looks(borders, NO_BARS, LETTERBOX, NO_BARS, NO_BARS, LETTERBOX))
    assert borders.known == LETTERBOX


def test_borders_that_come_later_are_found() -> None:
    borders = Borders()
    looks(borders, NO_BARS)
    assert looks(borders, *[LETTERBOX] * AGREE)[-1]
    looks(borders, *[LETTERBOX] * AGREE)
    assert borders.known == LETTERBOX


def test_another_size_of_the_camera_is_looked_at_afresh() -> None:
    borders = Borders()
    looks(borders, *[LETTERBOX] * AGREE)
    looks(borders, Bars(0, 30, 0, 30), size=(320, 240))
    assert borders.known is None
    looks(borders, *[Bars(0, 30, 0, 30)] * AGREE, size=(320, 240))
    assert borders.known == Bars(0, 30, 0, 30)
