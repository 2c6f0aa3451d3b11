from __future__ import annotations

import dataclasses
import hashlib
from itertools import islice, pairwise

import numpy as np
import pytest

from pipeline.synth import Image
from pipeline.synth.camera import Camera
from pipeline.synth.light import Reflections
from pipeline.synth.motion import as_usual, sleeping
from pipeline.synth.scenes import KINDS, LOOP_S, Scene, frames
from pipeline.synth.worn import THINGS
from tests.pipeline.synth.drawn import drawn

SMALL = Camera(width_px=160, height_px=120)
QUIET = dataclasses.replace(SMALL, noise=0.0)


def film(scene: Scene) -> list[tuple[float, Image]]:
    return list(frames(scene, drawn(), drawn(1)))


def digest(scene: Scene) -> str:
    hashed = hashlib.sha256()
    for t_s, image in film(scene):
        hashed.update(f"{t_s:.9f}".encode() + image.tobytes())
    return hashed.hexdigest()


def pictures(
    kind: str, seconds: float = 1.0, camera: Camera = QUIET, **more: object
) -> list[Image]:
    scene = dataclasses.replace(Scene(kind, seconds=seconds, camera=camera), **more)
    return [image for _, image in film(scene)]


def test_every_scene_that_is_promised_is_there() -> None:
    promised = {
        *("live", "live_still", "print_flat", "print_tilted", "print_bent", "print_still"),
        *("print_cut", "replay_phone", "replay_monitor", "two_faces", "swap", "leaves"),
        *("frozen", "looped", "empty", "black", "asleep", "averted"),
    }
    assert set(KINDS) == promised
    assert set(THINGS) == {"glasses", "mask", "hat", "hand"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_scene_is_a_film_and_the_same_one_for_the_same_seed(kind: str) -> None:
    scene = Scene(kind, seconds=0.6, seed=4, camera=SMALL)
    shown = film(scene)
    assert len(shown) == 9
    assert [t_s for t_s, _ in shown] == pytest.approx([n / 15 for n in range(9)])
    for _, image in shown:
        assert image.shape == (120, 160, 3)
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous
    assert digest(scene) == digest(scene)
    if kind != "black":
        assert digest(scene) != digest(dataclasses.replace(scene, seed=5))


def test_pictures_are_the_callers_own() -> None:
    for kind in ("frozen", "looped", "live"):
        shown = []
        for _, image in frames(Scene(kind, seconds=2, camera=SMALL), drawn()):
            shown.append(image.copy())
            image[:] = 0
        assert all(image.mean() > 50 for image in shown)


def test_movement_does_not_depend_on_the_camera() -> None:
    slow = film(Scene("live", seconds=1, camera=QUIET))
    fast = film(Scene("live", seconds=1, camera=dataclasses.replace(QUIET, fps=60)))
    assert len(fast) == 60
    for (t_s, one), (u_s, other) in zip(slow, fast[::4], strict=True):
        assert t_s == pytest.approx(u_s)
        assert np.array_equal(one, other)


def test_a_room_stays_while_the_person_moves() -> None:
    shown = np.stack(pictures("live", 2.0)).astype(int)
    change = np.ptp(shown, axis=0).max(-1)
    assert change[:, :15].max() == 0
    assert change[30:90, 60:100].mean() > 5


def test_how_much_moves() -> None:
    def moves(kind: str) -> float:
        shown = pictures(kind, 2.0)
        return float(np.mean([np.abs(a - b.astype(int)).mean() for a, b in pairwise(shown)]))

    assert moves("empty") == 0 == moves("black")
    assert 0 < moves("live_still") < 0.5 * moves("live")
    assert 0 < moves("print_still") < 0.2 * moves("print_tilted")


def test_the_living_do_what_they_are_told_and_from_then_on() -> None:
    scene = Scene("live", seconds=0.4, camera=SMALL)
    assert digest(dataclasses.replace(scene, manner=sleeping)) == digest(
        dataclasses.replace(scene, kind="asleep")
    )
    told = [as_usual]
    later = dataclasses.replace(scene, kind="live_still", manner=lambda act: told[-1](act))
    usual = pictures("live_still", seconds=0.4, camera=SMALL)
    for n, (_, image) in enumerate(frames(later, drawn())):
        assert np.array_equal(image, usual[n]) is (n < 3)
        if n == 2:
            told.append(sleeping)


def test_a_frozen_camera_repeats_itself_bit_for_bit_even_with_noise() -> None:
    shown = pictures("frozen", 2.0, SMALL)
    same = [np.array_equal(a, b) for a, b in pairwise(shown)]
    assert same == [False] * 14 + [True] * 15


def test_a_loop_comes_round() -> None:
    shown = pictures("looped", 2.0, SMALL)
    period = round(LOOP_S * 15)
    assert all(np.array_equal(a, b) for a, b in zip(shown, shown[period:], strict=False))
    assert not any(np.array_equal(shown[0], other) for other in shown[1:period])


def test_half_way_things_change() -> None:
    for kind in ("swap", "leaves"):
        shown = [image.astype(int) for image in pictures(kind, 2.0)]
        steps = [np.abs(a - b).mean() for a, b in pairwise(shown)]
        assert int(np.argmax(steps)) == 14, kind
        assert steps[14] > 3 * np.median(steps), kind
    assert np.array_equal(pictures("leaves", 2.0)[-1], pictures("empty", 2.0)[-1])


def test_two_faces_are_two_and_each_needs_its_photo() -> None:
    skin = {hue: drawn(hue).photo[drawn(hue).photo.shape[0] // 2, 205] for hue in (0, 1)}
    image = pictures("two_faces", 0.1)[0].astype(int)
    for hue, half in ((0, image[:, :80]), (1, image[:, 80:])):
        near = (np.abs(half - skin[hue]).max(-1) < 25).mean()
        assert near > 0.05, hue
    for kind in ("two_faces", "swap"):
        with pytest.raises(ValueError, match="second portrait"):
            frames(Scene(kind), drawn())
    with pytest.raises(ValueError, match="needs a portrait"):
        frames(Scene("live"))
    assert len(list(frames(Scene("empty", seconds=0.2)))) == 3


def test_prints_have_white_borders_and_devices_dark_ones() -> None:
    camera = Camera(noise=0)
    bare = np.stack(pictures("empty", 0.1, camera))[0].astype(int)
    for kind, white in (("print_flat", True), ("replay_phone", False), ("replay_monitor", False)):
        image = pictures(kind, 0.1, camera)[0].astype(int)
        changed = np.abs(image - bare).max(-1) > 4
        columns = np.flatnonzero(changed[240])
        left = image[200:280, columns[0] + 3 : columns[0] + 7]
        assert (left.mean() > 215) == white, kind
        assert (left.mean() < 40) != white, kind
    image = pictures("print_cut", 0.1, camera)[0].astype(int)
    columns = np.flatnonzero((np.abs(image - bare).max(-1) > 4)[240])
    assert image[240, columns[0] + 5].mean() < 215


@pytest.mark.parametrize("thing", THINGS)
def test_what_is_worn_covers_its_part_of_the_face(thing: str) -> None:
    camera = Camera(noise=0)
    bare = pictures("live_still", 0.1, camera)[0].astype(int)
    image = pictures("live_still", 0.1, camera, worn=(thing,))[0].astype(int)
    changed = np.abs(image - bare).max(-1) > 20
    zones = {"forehead": (160, 175), "eyes": (205, 220), "mouth": (290, 300), "chin": (328, 338)}
    covered = {zone for zone, (y0, y1) in zones.items() if changed[y0:y1, 290:350].mean() > 0.1}
    assert (
        covered
        == {
            "glasses": {"eyes"},
            "mask": {"mouth", "chin"},
            "hat": {"forehead"},
            "hand": {"mouth", "chin"},
        }[thing]
    )


def test_the_place_and_the_size_of_the_face() -> None:
    def skin(**more: object) -> tuple[float, float]:
        image = pictures("live_still", 0.1, Camera(noise=0), **more)[0].astype(int)
        x = np.nonzero(np.abs(image - drawn().photo[230, 205]).max(-1) < 12)[1]
        return float(x.mean()), float(np.sqrt(len(x)))

    middle, size = skin()
    assert middle == pytest.approx(320, abs=12)
    assert skin(face=0.2)[1] == pytest.approx(size * 0.2 / 0.35, rel=0.15)
    assert skin(place=(0.25, 0.5))[0] == pytest.approx(160, abs=12)
    assert skin(place=(0.98, 0.5))[1] < 0.85 * size


def test_light_comes_back_from_faces_by_strength_delay_and_angle() -> None:
    steps = ((0.0, (0, 0, 0)), (1.0, (255, 255, 255)), (2.0, (0, 0, 255)))
    bare = np.stack(pictures("live_still", 3.0)).astype(float)

    def gain(light: Reflections) -> np.ndarray:
        lit = np.stack(pictures("live_still", 3.0, light=light)).astype(float)
        return (lit + 1) / (bare + 1)

    def mean(ratio: np.ndarray, at_s: float, rows: slice, columns: slice) -> np.ndarray:
        return ratio[int(at_s * 15), rows, columns].mean((0, 1))

    face, wall = (slice(55, 70), slice(72, 88)), (slice(20, 100), slice(0, 15))
    ratio = gain(Reflections(steps, strength=0.15))
    assert mean(ratio, 0.5, *face) == pytest.approx(np.ones(3), abs=0.002)
    white = mean(ratio, 1.5, *face)
    assert (white > 1.045).all()
    assert (white < 1.15 ** (1 / 2.2) + 0.005).all()
    red = mean(ratio, 2.5, *face)
    assert red[2] == pytest.approx(white[2], abs=0.01)
    assert red[:2] == pytest.approx(np.ones(2), abs=0.004)
    assert mean(ratio, 1.5, *wall) == pytest.approx(np.ones(3), abs=0.01)

    late = gain(Reflections(steps, strength=0.15, delay_s=0.8))
    assert mean(late, 1.5, *face) == pytest.approx(np.ones(3), abs=0.002)
    assert (mean(late, 1.9, *face) > 1.045).all()

    whole = gain(Reflections(steps, strength=0.15, whole=True))
    everywhere = [mean(whole, 1.5, *where) for where in (face, wall)]
    assert everywhere[0] == pytest.approx(everywhere[1], abs=0.012)
    assert (everywhere[1] > 1.05).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "alive"},
        {"seconds": 0},
        {"seconds": float("nan")},
        {"seed": -1},
        {"face": 0.0},
        {"place": (9, 0.5)},
        {"yaw_deg": 90},
        {"worn": ("beard",)},
    ],
)
def test_what_cannot_be_filmed_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must|worn"):
        Scene(**{"kind": "live", **wrong})


def test_a_film_begins_at_once_and_ends_when_it_is_left() -> None:
    assert len(list(islice(frames(Scene("live", seconds=3600, camera=SMALL), drawn()), 3))) == 3
