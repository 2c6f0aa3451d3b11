"""Borders that a camera adds: found whatever their colour, and nothing that only looks like one."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.nets import Image
from pipeline.observation import NO_BARS, Bars
from pipeline.sight import bars

WIDE, TALL = 320, 180
BLACK, WHITE, GREEN = (0, 0, 0), (255, 255, 255), (20, 200, 20)
LETTERBOX = Bars(0, 30, 0, 30)


def picture(seed: int = 1, low: int = 60, high: int = 220) -> Image:
    return np.random.default_rng(seed).integers(low, high, (TALL, WIDE, 3), np.uint8)


def framed(inner: Image, by: Bars, colour: tuple[int, int, int] = BLACK) -> Image:
    tall = inner.shape[0] + by.top_px + by.bottom_px
    wide = inner.shape[1] + by.left_px + by.right_px
    whole = np.full((tall, wide, 3), colour, np.uint8)
    whole[by.top_px : tall - by.bottom_px, by.left_px : wide - by.right_px] = inner
    return whole


def noisy(image: Image, levels: float, seed: int = 2) -> Image:
    noise = np.random.default_rng(seed).normal(0.0, levels, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("colour", [BLACK, WHITE, GREEN, (128, 128, 128)])
@pytest.mark.parametrize(
    "around",
    [
        LETTERBOX,
        Bars(60, 0, 60, 0),
        Bars(0, 30, 0, 0),
        Bars(0, 0, 0, 8),
        Bars(40, 22, 40, 22),
        Bars(190, 0, 190, 0),
    ],
)
def test_constant_borders_are_found_whatever_their_colour(
    around: Bars, colour: tuple[int, int, int]
) -> None:
    whole = framed(picture(), around, colour)
    assert bars.find(whole) == around
    assert np.array_equal(bars.without(whole, around), picture())
    assert bars.stay(whole, around)


def test_a_picture_without_borders_has_none() -> None:
    assert bars.find(picture()) == NO_BARS
    assert bars.without(picture(), NO_BARS).shape == (TALL, WIDE, 3)


@pytest.mark.parametrize("level", [0, 16, 128, 255])
def test_a_picture_of_one_colour_is_no_border(level: int) -> None:
    assert bars.find(np.full((TALL, WIDE, 3), level, np.uint8)) == NO_BARS


def test_what_a_codec_leaves_of_a_border_is_one() -> None:
    assert bars.find(noisy(framed(picture(), LETTERBOX, (20, 20, 20)), 1.5)) == LETTERBOX


def test_a_picture_that_is_dark_in_places_at_its_edge_begins_where_it_begins() -> None:
    inner = picture()
    inner[:40, : WIDE // 2] = 2
    assert bars.find(framed(inner, LETTERBOX)) == LETTERBOX


def test_an_edge_that_is_askew_is_a_devices() -> None:
    """A screen's border that is filmed: 1.5 degrees from level, else as flat as a painted one."""
    whole = framed(picture(), LETTERBOX)
    for x in range(WIDE):
        whole[: 30 + x * 9 // WIDE, x] = 0
    assert bars.find(whole).top_px == 0


def test_a_border_with_a_gradient_of_light_or_noise_is_a_devices() -> None:
    around = Bars(16, 16, 16, 16)
    whole = framed(picture(), around, (30, 30, 30))
    lit = whole.astype(float) + np.linspace(0, 25, whole.shape[1])[None, :, None]
    assert bars.find(np.clip(lit, 0, 255).astype(np.uint8)).top_px == 0
    assert bars.find(noisy(whole, 5.0)) == NO_BARS


def test_a_telephone_in_a_dark_room_is_no_picture_with_borders_on_all_sides() -> None:
    assert bars.find(framed(picture(), Bars(40, 22, 90, 22))) == NO_BARS
    assert bars.find(framed(picture(), Bars(40, 22, 40, 60))) == NO_BARS


def test_narrow_and_wide_ones_are_left_alone() -> None:
    assert bars.find(framed(picture(), Bars(0, 2, 0, 2))) == NO_BARS
    assert bars.find(framed(picture(), Bars(0, 200, 0, 0))) == NO_BARS


def test_borders_that_went_are_not_there_any_more() -> None:
    assert not bars.stay(framed(picture(), Bars(0, 15, 0, 45)), LETTERBOX)
    assert not bars.stay(picture(), LETTERBOX)
    # A picture of another size, of which they would leave nothing.
    assert not bars.stay(picture()[:50], LETTERBOX)
    assert bars.without(picture()[:50], LETTERBOX).shape == (50, WIDE, 3)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 2), (9, 9)])
def test_tiny_pictures_have_none(size: tuple[int, int]) -> None:
    assert bars.find(np.zeros((*size, 3), np.uint8)) == NO_BARS
