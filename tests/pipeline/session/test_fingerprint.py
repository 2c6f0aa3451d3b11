"""Paths of made pictures: the same film again is known, another film of the same scene is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.observation import Observation
from pipeline.session.fingerprint import MOST, NUMBERS, REPLAYED, Path

ROOM = np.random.default_rng(1).normal(0, 60, 64)
AXES = np.random.default_rng(2).normal(0, 4, (16, 64))
"""Ways in which the picture changes, the same for every film. Of four there are chance likenesses
above REPLAYED (docs/replayed.md)."""

SEEN = Observation(
    seq=0,
    arrival_s=0.0,
    media_s=0.0,
    width_px=640,
    height_px=480,
    luma=100.0,
    sketch=np.zeros(64, np.float32),
    faces=None,
    rival=0.0,
    face=None,
    looked=False,
)

Film = Callable[[float], np.ndarray]


def film(seed: int) -> Film:
    """Slow motions, no two of one period."""
    rng = np.random.default_rng(seed)
    rates, phases = rng.uniform(1.5, 9, len(AXES)), rng.uniform(0, 6, len(AXES))
    return lambda at_s: ROOM + np.sin(rates * at_s + phases) @ AXES


def path(
    shown: Film, *, begin_s: float = 0.0, seconds: float = 5.0, fps: float = 15.0, noise: int = 0
) -> Path:
    """What a session has of it; `noise` is a codec's, by its seed."""
    rng = np.random.default_rng(noise)
    found = Path()
    for n in range(int(seconds * fps)):
        sketch = shown(begin_s + n / fps) + rng.normal(0, 0.3, 64)
        found.add(replace(SEEN, arrival_s=100 + n / fps, sketch=sketch.astype(np.float32)))
    return found


def still() -> Path:
    """A picture that stands still, but for what the quietest camera and a codec make of it."""
    rng = np.random.default_rng(0)
    quiet = Path()
    for n in range(75):
        sketch = (ROOM + rng.normal(0, 0.03, 64)).astype(np.float32)
        quiet.add(replace(SEEN, arrival_s=n / 15, sketch=sketch))
    return quiet


def kept(found: Path) -> bytes:
    value = found.kept()
    assert value is not None
    return value


def test_the_same_film_coded_again_is_known() -> None:
    likeness = path(film(7), noise=1).likeness([kept(path(film(7), noise=2))])
    assert likeness is not None
    assert likeness > 0.9


@pytest.mark.parametrize("begin_s", [-1.0, 0.35, 1.0, 3.0])
def test_it_is_known_wherever_it_begins(begin_s: float) -> None:
    likeness = path(film(7), begin_s=begin_s, noise=1).likeness([kept(path(film(7), noise=2))])
    assert likeness is not None
    assert likeness >= REPLAYED


@pytest.mark.parametrize("seconds", [0.9, 1.0, 1.5, 2.0])
def test_a_session_that_is_decided_soon_is_known(seconds: float) -> None:
    """Against all of the film, and against as short a session."""
    shown = path(film(7), seconds=seconds, noise=1)
    for before in (5.0, seconds):
        likeness = shown.likeness([kept(path(film(7), seconds=before, noise=2))])
        assert likeness is not None
        assert likeness > 0.9


def test_short_films_of_the_same_scene_are_not_known() -> None:
    others = [kept(path(film(seed), seconds=1.0, noise=seed)) for seed in range(20)]
    likeness = path(film(30), seconds=1.0, noise=50).likeness(others)
    assert likeness is not None
    assert likeness < REPLAYED


def test_long_films_are_not_compared_by_half_a_second() -> None:
    """The end of one is the beginning of the other: for too short a time to be told from chance."""
    one = path(film(7), seconds=5.0, noise=1)
    value = one.likeness([kept(path(film(7), begin_s=4.3, seconds=5.0, noise=2))])
    assert value is not None
    assert value < REPLAYED


def test_it_is_known_at_another_frame_rate_and_among_others() -> None:
    others = [kept(path(film(seed), noise=seed)) for seed in range(20)]
    likeness = path(film(7), fps=24, noise=50).likeness(others)
    assert likeness is not None
    assert likeness > 0.9


def test_other_films_of_the_same_scene_are_not_known() -> None:
    others = [kept(path(film(seed), noise=seed)) for seed in range(20)]
    likeness = path(film(30), noise=50).likeness(others)
    assert likeness is not None
    assert likeness < REPLAYED


def test_a_camera_that_opens_its_iris_makes_no_two_films_alike() -> None:
    def brighter(shown: Film) -> Film:
        return lambda at_s: shown(at_s) * (1 - 0.6 * np.exp(-at_s))

    likeness = path(brighter(film(7)), noise=1).likeness([kept(path(brighter(film(8)), noise=2))])
    assert likeness is not None
    assert likeness < REPLAYED


def test_of_still_pictures_nothing_is_known() -> None:
    noisy, quiet = path(lambda _: ROOM, noise=0), still()
    assert quiet.likeness([kept(quiet)]) is None
    assert noisy.likeness([kept(quiet)]) is None


def test_what_is_too_short_is_neither_kept_nor_compared() -> None:
    assert path(film(7), seconds=0.6).kept() is None
    assert path(film(7), seconds=0.6).likeness([kept(path(film(7)))]) is None
    assert path(film(7)).likeness([]) is None
    assert Path().kept() is None


def test_little_is_kept_however_long_it_lasts() -> None:
    assert len(kept(path(film(7), seconds=60))) == 1 + MOST * NUMBERS <= 2000


def test_time_that_stands_still_adds_nothing() -> None:
    once = path(film(7))
    again = path(film(7))
    again.add(replace(SEEN, arrival_s=0.0))
    assert again.kept() == once.kept()


@pytest.mark.parametrize("broken", [b"", b"\1", b"\1" + bytes(33), b"\2" + bytes(640)])
def test_what_is_no_path_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match="no path"):
        path(film(7)).likeness([kept(path(film(8))), broken])
