"""What is drawn, and that nothing that can be drawn harms anybody (WCAG 2.2, 2.3.1)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import challenge
from pipeline.challenge import (
    COLORS,
    NEUTRAL,
    Direction,
    Draws,
    Light,
    Step,
    draw_light,
    draw_turns,
    flashes,
    is_harmless,
    luminance,
)

SEEDS = st.binary(min_size=16, max_size=32)


@given(SEEDS, st.integers(1, 50))
def test_every_sequence_is_harmless(seed: bytes, n: int) -> None:
    light = draw_light(Draws(seed), n)
    assert is_harmless(light.steps)
    assert flashes(light.steps) == 0
    assert challenge.changes(light.steps) <= 4
    assert (light.n, len(light.steps)) == (n, 1 + challenge.STEPS)
    assert light.steps[0].color == NEUTRAL
    assert all(a.color != b.color for a, b in pairwise(light.steps))
    assert all(250 <= step.ms <= 400 for step in light.steps)
    assert 2.9 <= light.length_s <= 4.4


def test_no_two_of_all_colours_can_flash() -> None:
    everything = (NEUTRAL, *COLORS)
    for one in everything:
        assert challenge.redness(one) < 0.8
        for other in everything:
            assert abs(luminance(one) - luminance(other)) < 0.01
            assert not challenge.general_change(one, other)
            assert not challenge.red_change(one, other)


@given(SEEDS, SEEDS)
def test_a_seed_is_a_sequence(one: bytes, other: bytes) -> None:
    assert draw_light(Draws(one), 1) == draw_light(Draws(one), 1)
    assert (one == other) == (draw_light(Draws(one), 1) == draw_light(Draws(other), 1))


def test_a_seed_goes_on() -> None:
    draws = Draws(bytes(16))
    assert len({draw_light(draws, 1) for _ in range(50)}) == 50


def test_all_numbers_come_alike() -> None:
    draws = Draws(b"0123456789abcdef")
    counts = np.bincount([draws.below(3) for _ in range(6000)], minlength=3)
    assert len(counts) == 3
    assert np.abs(counts - 2000).max() < 150  # 4 standard deviations


@given(SEEDS)
def test_turns_are_never_the_same_way_twice(seed: bytes) -> None:
    turns = draw_turns(Draws(seed))
    assert len(turns) == challenge.TURNS
    assert set(turns) <= set(Direction)
    assert all(a is not b for a, b in pairwise(turns))


def test_every_order_of_turns_comes() -> None:
    draws = Draws(bytes(16))
    assert len({draw_turns(draws) for _ in range(2000)}) == 108


@pytest.mark.parametrize(
    ("color", "expected"), [((255, 255, 255), 1.0), ((0, 0, 0), 0.0), ((255, 0, 0), 0.2126)]
)
def test_luminance_is_that_of_wcag(color: challenge.Color, expected: float) -> None:
    assert luminance(color) == pytest.approx(expected, abs=1e-4)


def blinks(one: challenge.Color, other: challenge.Color, ms: int, n: int = 12) -> list[Step]:
    return [Step((one, other)[k % 2], ms) for k in range(n)]


def test_flashes_are_counted() -> None:
    black, white, red, blue = (0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255)
    assert flashes(blinks(black, white, 100)) == 5
    assert flashes(blinks(black, white, 500)) == 1
    assert flashes(blinks((250, 250, 250), white, 100)) == 0  # both bright, hardly apart
    assert flashes(blinks((240, 240, 240), white, 100)) == 0  # darker one above .80
    # Isoluminant enough not to be a general flash, and yet a red one.
    assert not challenge.general_change(red, (0, 130, 0))
    assert flashes(blinks(red, (0, 130, 0), 100)) == 5
    assert flashes(blinks(red, blue, 100)) > 0
    assert not is_harmless(blinks(black, white, 500))
    assert not is_harmless(blinks(COLORS[0], COLORS[1], 100))  # no flash, but ten changes a second


def test_light_is_integrated_over_the_exposure() -> None:
    light = Light(1, (Step(NEUTRAL, 400), Step(COLORS[1], 300)))
    grey, green = challenge.linear(NEUTRAL), challenge.linear(COLORS[1])
    times_s = np.array([0.0, 0.2, 0.42, 0.44, 0.6])
    shown = light.shown([0.0, 0.4], times_s, 0.04)
    wanted = [grey, grey, (grey + green) / 2, green, green]
    assert shown == pytest.approx(np.array(wanted), abs=1e-9)
    assert light.starts_ms == (0, 400)
    assert light.length_s == pytest.approx(0.7)
