"""The scenes by name, and the one function that films them.

Here: which surfaces stand where, and what is in front of the camera when. Not here: how anything is
drawn. The same arguments give the same bytes on the same machine and library versions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.synth import Image, flat
from pipeline.synth.camera import Camera, Sensor
from pipeline.synth.expression import expressed
from pipeline.synth.light import FAR, Glow, Lamp, tinted
from pipeline.synth.motion import Hand, Manner, Person, Pose, as_usual, looking_aside, sleeping
from pipeline.synth.portrait import Portrait
from pipeline.synth.room import Shoulders, room
from pipeline.synth.surface import Surface, draw
from pipeline.synth.worn import THINGS, wearing

PIVOT = 0.45
"""Where a head turns: the neck's axis behind the face, in face widths."""
LOOP_S = 0.8
"""Length of the film that the looped scene repeats."""
STILL = 0.25
"""How lively somebody is who keeps still."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One film. Raises ValueError for what cannot be filmed."""

    kind: str
    """A key of KINDS."""
    seconds: float = 5.0
    seed: int = 0
    """Of everything that is drawn by lot: room, movement, noise."""
    camera: Camera = field(default_factory=Camera)
    face: float = 0.35
    """Width of the face over the shorter side of the picture."""
    place: tuple[float, float] = (0.5, 0.5)
    """Middle of the face, as shares of width and height; 0.93 across is at the edge."""
    yaw_deg: float = 9.0
    """Amplitude of the head's turn; prints tilt by twice as much."""
    worn: tuple[str, ...] = ()
    """What is in front of the face: keys of worn.THINGS."""
    change_s: float | None = None
    """When swap, leaves and frozen change; None: half-way."""
    light: Lamp | None = None
    """A screen that lights the scene in colours."""
    manner: Manner = as_usual
    """What the living do in place of what they would; it may change while the film is made."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        if not 0 < self.seconds <= 3600:
            raise ValueError("seconds must be above 0 and at most 3600")
        if self.seed < 0:
            raise ValueError("seed must not be negative")
        if not 0.02 <= self.face <= 1.5:
            raise ValueError("face must be in 0.02..1.5")
        if not all(-1 <= share <= 2 for share in self.place):
            raise ValueError("place must be in -1..2")
        if not 0 <= self.yaw_deg <= 35:
            raise ValueError("yaw must be in 0..35 degrees: the photo has no other side")
        if unknown := sorted(set(self.worn) - set(THINGS)):
            raise ValueError(f"worn must be of {', '.join(THINGS)}, not {unknown[0]}")

    @property
    def changes_s(self) -> float:
        """`change_s`, or half-way."""
        return self.seconds / 2 if self.change_s is None else self.change_s


def frames(
    scene: Scene, person: Portrait | None = None, other: Portrait | None = None
) -> Iterator[tuple[float, Image]]:
    """Film it: seconds from 0, and uint8 HxWx3 BGR pictures, each a new array.

    Raises ValueError if a portrait that the scene needs is missing.
    """
    kind = KINDS[scene.kind]
    if kind.person and person is None:
        raise ValueError(f"{scene.kind} needs a portrait")
    if kind.other and other is None:
        raise ValueError(f"{scene.kind} needs a second portrait")
    people = [p for p in (person, other) if p is not None]
    return _film(scene, kind, people)


def _film(scene: Scene, kind: Kind, people: list[Portrait]) -> Iterator[tuple[float, Image]]:
    # Independent streams: another camera does not change how the person moves
    to_show, to_time, to_sense = np.random.default_rng(scene.seed).spawn(3)
    shown = kind.shows(scene, people, to_show)
    sensor = Sensor(scene.camera, to_sense)
    last: Image | None = None
    taken: list[Image] = []
    for n, t_s in enumerate(scene.camera.times_s(to_time, scene.seconds)):
        if kind.held and last is not None and t_s >= scene.changes_s:
            yield t_s, last.copy()
            continue
        if kind.looped and t_s >= LOOP_S:
            yield t_s, taken[n % len(taken)].copy()
            continue
        image = sensor.take(shown(n, t_s))
        if kind.held:
            last = image.copy()
        if kind.looped:
            taken.append(image.copy())
        yield t_s, image


Shown = Callable[[int, float], Image]
"""What is in front of the camera: number of the picture, seconds."""


class _Stage:
    """A room of the camera's size, and where the face goes."""

    def __init__(self, scene: Scene, rng: np.random.Generator, size: tuple[int, int]) -> None:
        self.room = room(rng, size)
        self.unit_px = scene.face * min(size)
        self.middle_px = scene.place[0] * size[0], scene.place[1] * size[1]
        self.light = scene.light

    def glow(self, t_s: float) -> Glow | None:
        """What lights the things in it; nothing while the whole picture is tinted instead."""
        glow = None if self.light is None else self.light.glow(t_s)
        return None if glow is None or glow.whole else glow

    def empty(self, t_s: float) -> Image:
        """A new picture of the room."""
        glow = self.glow(t_s)
        return self.room.copy() if glow is None else tinted(self.room, glow, FAR)

    def finished(self, picture: Image, t_s: float) -> Image:
        """With the tint that covers everything, if there is one."""
        glow = None if self.light is None else self.light.glow(t_s)
        return tinted(picture, glow) if glow is not None and glow.whole else picture

    def placed(self, pose: Pose, unit_px: float) -> Pose:
        """From face widths about the place to pixels."""
        x, y = self.middle_px
        return replace(pose, x_px=x + pose.x_px * unit_px, y_px=y + pose.y_px * unit_px)


class _Body:
    """A person in a scene: head and shoulders."""

    def __init__(
        self,
        scene: Scene,
        stage: _Stage,
        portrait: Portrait,
        rng: np.random.Generator,
        lively: float,
        manner: Manner = as_usual,
    ) -> None:
        bare = portrait.scaled(stage.unit_px)
        # At the scene's size, not before: what is drawn is sharp then
        self._portrait = wearing(bare, scene.worn)
        self._person = Person(rng, scene.yaw_deg * lively, lively)
        self._shoulders = Shoulders(rng, bare)
        self._stage = stage
        self._manner = manner

    def draw(self, picture: Image, t_s: float) -> None:
        """Onto a picture of the stage, as at a time."""
        act, seen, stage = self._manner(self._person.at(t_s)), self._portrait, self._stage
        pose, glow = stage.placed(act.pose, stage.unit_px), stage.glow(t_s)
        still = replace(act.pose, x_px=0.6 * act.pose.x_px, y_px=0.5 * act.pose.y_px)
        self._shoulders.draw(picture, stage.placed(still, stage.unit_px), act.breath, glow)
        face = expressed(seen.photo, seen.mesh_px, act.lids, act.mouth, act.gaze)
        head = Surface(
            face, seen.head, seen.depth_px, seen.middle_px, PIVOT * stage.unit_px, seen.width_px
        )
        draw(picture, head, pose, glow)


def _living(
    scene: Scene,
    people: list[Portrait],
    rng: np.random.Generator,
    lively: float,
    manner: Manner = as_usual,
) -> Shown:
    stage = _Stage(scene, rng, scene.camera.size)
    body = _Body(scene, stage, people[0], rng, lively, manner)

    def shown(n: int, t_s: float) -> Image:
        picture = stage.empty(t_s)
        body.draw(picture, t_s)
        return stage.finished(picture, t_s)

    return shown


def _live(scene: Scene, people: list[Portrait], rng: np.random.Generator) -> Shown:
    return _living(scene, people, rng, 1.0, scene.manner)


def _live_still(scene: Scene, people: list[Portrait], rng: np.random.Generator) -> Shown:
    return _living(scene, people, rng, STILL, scene.manner)


def _asleep(scene: Scene, people: list[Portrait], rng: np.random.Generator) -> Shown:
    return _living(scene, people, rng, 1.0, sleeping)


def _averted(scene: Scene, people: list[Portrait], rng: np.random.Generator) -> Shown:
    return _living(scene, people, rng, 1.0, looking_aside)


def _print(
    scene: Scene,
    people: list[Portrait],
    rng: np.random.Generator,
    tilts: float,
    shake: float = 1.0,
    bends: float = 0.0,
    cut: bool = False,
) -> Shown:
    stage = _Stage(scene, rng, scene.camera.size)
    worn = wearing(people[0].scaled(stage.unit_px), scene.worn)
    sheet = flat.mask(worn) if cut else flat.paper(worn)
    hand = Hand(rng, tilts * scene.yaw_deg, shake)

    def shown(n: int, t_s: float) -> Image:
        picture = stage.empty(t_s)
        seen = flat.bent(sheet, bends * hand.bend(t_s)) if bends else sheet
        draw(picture, seen, stage.placed(hand.at(t_s), stage.unit_px), stage.glow(t_s))
        return stage.finished(picture, t_s)

    return shown


def _print_flat(scene: Scene, people: list[Portrait], rng: np.random.Generator) -> Shown:
    return _print(scene, people, rng, 0.2)


def _print_tilted(scene: Scene, people: list[Portrait], rng: np.random.Generator) -> Shown:
    return _print(scene, people, rng, 2.0)


def _print_bent(scene: Scene, people: list[Portrait], rng: np.random.Generator) -> Shown:
    return _print(scene, people, rng, 1.0, bends=1.0)


def _print_still(scene: Scene, people: list[Portrait], rng: np.random.Generator) -> Shown:
    return _print(scene, people, rng, 0.0, shake=0.05)


def _print_cut(scene: Scene, people: list[Portrait], rng: np.random.Generator) -> Shown:
    return _print(scene, people, rng, 1.0, cut=True)


def _replay(
    scene: Scene,
    people: list[Portrait],
    rng: np.random.Generator,
    glass: tuple[float, float],
    rim: tuple[float, float],
) -> Shown:
    """`glass`: width and height of the picture on the device, `rim`: beside and above, in faces."""
    stage = _Stage(scene, rng, scene.camera.size)
    unit = stage.unit_px
    size = (max(16, round(glass[0] * unit)), max(16, round(glass[1] * unit)))
    # The film on it was taken elsewhere, by another camera, of a face as wide as the scene's; light
    # in front of the device does not reach into it
    film = replace(scene, place=(0.5, 0.5), light=None)
    elsewhere = _Stage(film, rng, size)
    elsewhere.unit_px = unit
    body = _Body(film, elsewhere, people[0], rng, 0.8)
    edges = (max(1, round(rim[0] * unit)), max(1, round(rim[1] * unit)))
    hand = Hand(rng, 0.4 * scene.yaw_deg, 0.5)

    def shown(n: int, t_s: float) -> Image:
        played = elsewhere.empty(t_s)
        body.draw(played, t_s)
        device = flat.device(flat.screen(played, n, size, edges), unit)
        picture = stage.empty(t_s)
        glow = stage.glow(t_s)
        mirror = None if glow is None else glow.times(flat.GLOSS)
        draw(picture, device, stage.placed(hand.at(t_s), unit), mirror)
        return stage.finished(picture, t_s)

    return shown


def _replay_phone(scene: Scene, people: list[Portrait], rng: np.random.Generator) -> Shown:
    return _replay(scene, people, rng, (1.75, 2.35), (0.06, 0.14))


def _replay_monitor(scene: Scene, people: list[Portrait], rng: np.random.Generator) -> Shown:
    return _replay(scene, people, rng, (3.1, 2.3), (0.13, 0.13))


def _two_faces(scene: Scene, people: list[Portrait], rng: np.random.Generator) -> Shown:
    stage = _Stage(scene, rng, scene.camera.size)
    width = scene.camera.width_px
    stage.unit_px = min(stage.unit_px, 0.27 * width)
    bodies = []
    for portrait, share in zip(people, (-0.24, 0.24), strict=True):
        here = replace(scene, place=(scene.place[0] + share, scene.place[1]))
        beside = _Stage(here, rng, scene.camera.size)
        beside.unit_px = stage.unit_px
        bodies.append(_Body(here, beside, portrait, rng, 0.6))

    def shown(n: int, t_s: float) -> Image:
        picture = stage.empty(t_s)
        for body in bodies:
            body.draw(picture, t_s)
        return stage.finished(picture, t_s)

    return shown


def _swap(scene: Scene, people: list[Portrait], rng: np.random.Generator) -> Shown:
    stage = _Stage(scene, rng, scene.camera.size)
    first, second = (_Body(scene, stage, portrait, rng, 1.0) for portrait in people)

    def shown(n: int, t_s: float) -> Image:
        picture = stage.empty(t_s)
        (first if t_s < scene.changes_s else second).draw(picture, t_s)
        return stage.finished(picture, t_s)

    return shown


def _leaves(scene: Scene, people: list[Portrait], rng: np.random.Generator) -> Shown:
    stage = _Stage(scene, rng, scene.camera.size)
    body = _Body(scene, stage, people[0], rng, 1.0)

    def shown(n: int, t_s: float) -> Image:
        picture = stage.empty(t_s)
        if t_s < scene.changes_s:
            body.draw(picture, t_s)
        return stage.finished(picture, t_s)

    return shown


def _empty(scene: Scene, people: list[Portrait], rng: np.random.Generator) -> Shown:
    stage = _Stage(scene, rng, scene.camera.size)
    return lambda n, t_s: stage.finished(stage.empty(t_s), t_s)


def _black(scene: Scene, people: list[Portrait], rng: np.random.Generator) -> Shown:
    width, height = scene.camera.size
    return lambda n, t_s: np.zeros((height, width, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the list."""

    says: str
    """What it is, for people."""
    shows: Callable[[Scene, list[Portrait], np.random.Generator], Shown]
    person: bool = True
    """Whether it needs a portrait."""
    other: bool = False
    """Whether it needs a second one."""
    held: bool = False
    """The camera stops delivering new pictures half-way."""
    looped: bool = False
    """The first pictures come again and again."""


KINDS: dict[str, Kind] = {
    "live": Kind("somebody at a webcam: turns, sways, blinks, talks, breathes", _live),
    "live_still": Kind("the same, hardly moving, still blinking and breathing", _live_still),
    "asleep": Kind("the same as live, but the eyes are shut throughout", _asleep),
    "averted": Kind("the same as live, but the head is turned away throughout", _averted),
    "print_flat": Kind("a print in a hand, facing the camera", _print_flat),
    "print_tilted": Kind("a print that is tilted to and fro", _print_tilted),
    "print_bent": Kind("a print that is bent to and fro", _print_bent),
    "print_still": Kind("a print that hardly moves", _print_still),
    "print_cut": Kind("a print cut out along the head", _print_cut),
    "replay_phone": Kind("a film of the person on a telephone", _replay_phone),
    "replay_monitor": Kind("the same on a monitor", _replay_monitor),
    "two_faces": Kind("two people side by side", _two_faces, other=True),
    "swap": Kind("midway, another person from one picture to the next", _swap, other=True),
    "leaves": Kind("midway, nobody is there any more", _leaves),
    "frozen": Kind("midway, the same picture for ever", _live, held=True),
    "looped": Kind("the same 0.8 s again and again", _live, looped=True),
    "empty": Kind("a room with nobody in it", _empty, person=False),
    "black": Kind("a covered lens", _black, person=False),
}
"""Every scene."""
