"""Made hands, and what the real nets say of them."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import pytest

from models.manifest import default_dir
from pipeline.nets import Run, hand, palm
from pipeline.nets.ort import PALM, Nets, NetUnusable
from pipeline.synth import Image
from pipeline.synth import hand as made
from pipeline.synth.flat import bent
from pipeline.synth.motion import Pose
from pipeline.synth.surface import Surface, draw

ROOTS = [0, 5, 9, 13, 17]


@pytest.fixture(scope="module")
def palm_nets() -> Nets:
    try:
        return Nets(default_dir(), PALM)
    except NetUnusable as error:
        pytest.skip(f"the nets of the palm are needed (make palm-nets): {error}")


def _scene(surface: Surface, seed: int = 0, **pose: float) -> Image:
    """The surface 640x480 before blurred colours."""
    colours = np.random.default_rng(seed).integers(40, 200, (5, 6, 3)).astype(np.uint8)
    scene = np.asarray(cv2.resize(colours, (640, 480), interpolation=cv2.INTER_CUBIC), np.uint8)
    draw(scene, surface, Pose(320, 290, **pose))
    return scene


def _look(scene: Image, run: Run) -> hand.Landmarks:
    """As it is tracked: the detector's square, and then the landmarks' own."""
    first = hand.landmarks(scene, palm.roi(palm.detect(scene, run)[0]), run)
    assert first is not None
    again = hand.landmarks(scene, hand.roi_from_hand(first.points_px), run)
    assert again is not None
    return again


def _fan_deg(points: np.ndarray[Any, Any]) -> float:
    """From the little finger to the index finger, clockwise."""
    index, little = (points[tip, :2] - points[root, :2] for root, tip in ((5, 8), (17, 20)))
    angles = [math.atan2(x, -y) for x, y in (index, little)]
    return math.degrees(math.remainder(angles[0] - angles[1], math.tau))


def test_a_seed_is_a_person() -> None:
    one, same, other = (made.hand(made.owner(seed), 90) for seed in (3, 3, 4))
    assert np.array_equal(one.surface.colour, same.surface.colour)
    assert np.array_equal(one.surface.cover, same.surface.cover)
    assert not np.allclose(one.points_px[:17], other.points_px[:17], atol=1)


def test_a_left_hand_is_mirrored() -> None:
    right, left = (made.hand(made.owner(3), 90, left=side) for side in (False, True))
    assert np.array_equal(left.surface.colour, right.surface.colour[:, ::-1])
    width = right.surface.colour.shape[1]
    assert left.points_px[:, 0] == pytest.approx(width - 1 - right.points_px[:, 0])


@pytest.mark.parametrize("palm_px", [40.0, 90.0, 150.0])
def test_a_hand_has_the_asked_width_and_is_where_its_points_are(palm_px: float) -> None:
    of = made.owner(5)
    drawn = made.hand(of, palm_px)
    at = np.round(drawn.points_px).astype(int)
    assert math.dist(*drawn.points_px[[5, 17]]) == pytest.approx(
        palm_px * math.dist(*of.points[[5, 17]])
    )
    assert (drawn.surface.cover[at[:, 1], at[:, 0]] > 0.99).all()
    assert drawn.surface.cover[0].max() == 0


def test_only_the_fingers_spread() -> None:
    closed, spread = (made.hand(made.owner(5), 90, fan) for fan in (0.0, 0.2))
    moved = spread.points_px - spread.points_px[0] - (closed.points_px - closed.points_px[0])
    still = [*range(6), 9, 13, 17]
    assert np.abs(moved[still]).max() < 1e-3
    assert moved[8, 0] > 10  # to the thumb
    assert moved[20, 0] < -7
    assert _fan_deg(spread.points_px) - _fan_deg(closed.points_px) == pytest.approx(
        math.degrees(0.4), abs=0.1
    )


def test_a_sheet_is_white_about_the_hand_and_covers_all_behind_it() -> None:
    drawn = made.sheet(made.owner(5), 90)
    assert (drawn.surface.cover == 1).all()
    assert (drawn.surface.colour[:5] == made.PAPER).all()
    x, y = np.round(drawn.points_px[9]).astype(int)
    assert drawn.surface.colour[y, x].max() < min(made.PAPER)


@pytest.mark.models
@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
def test_the_nets_find_made_hands(palm_nets: Nets, left: bool) -> None:
    for seed in range(12):
        drawn = made.hand(made.owner(seed), 100, left=left)
        found = _look(_scene(drawn.surface, seed), palm_nets)
        assert found.score > 0.9
        assert (found.right > 0.5) is not left
        assert found.shows_palm
        # The scene has the surface's middle at 320, 290
        want = drawn.points_px - drawn.surface.middle_px + np.float32((320, 290))
        off = np.hypot(*(found.points_px[ROOTS, :2] - want[ROOTS]).T)
        assert off.mean() < 0.15 * found.palm_px


@pytest.mark.models
@pytest.mark.parametrize("pose", [{"yaw_deg": 25}, {"pitch_deg": -20}, {"roll_deg": 30}])
@pytest.mark.parametrize("palm_px", [100, 150])
def test_they_find_tilted_ones(palm_nets: Nets, pose: dict[str, float], palm_px: float) -> None:
    for seed in range(3):
        found = _look(_scene(made.hand(made.owner(seed), palm_px).surface, seed, **pose), palm_nets)
        assert found.score > 0.9
        assert found.shows_palm
        assert found.right > 0.5


@pytest.mark.models
def test_they_read_the_fan_as_it_is_drawn(palm_nets: Nets) -> None:
    for seed in range(3):
        read = []
        for fan in (-0.15, -0.05, 0.05, 0.15):
            drawn = made.hand(made.owner(seed), 100, fan)
            read.append(_fan_deg(_look(_scene(drawn.surface, seed), palm_nets).points_px))
        assert np.diff(read).min() > 6  # drawn: 11.5 degrees each


@pytest.mark.models
@pytest.mark.parametrize("bend", [0.0, 0.5, 1.0])
def test_they_take_sheets_for_hands(palm_nets: Nets, bend: float) -> None:
    for seed in range(3):
        paper = made.sheet(made.owner(seed), 100).surface
        found = _look(_scene(bent(paper, bend) if bend else paper, seed, yaw_deg=10), palm_nets)
        assert found.score > 0.9
        assert found.shows_palm
