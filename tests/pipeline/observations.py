"""Synthetic observations: people, photos and cameras as the session sees them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from pipeline.nets.mesh import rigid, shape
from pipeline.nets.spoof import TIGHT, WIDE
from pipeline.observation import (
    NO_BARS,
    Ask,
    Bars,
    Face,
    Margin,
    Motion,
    Observation,
    Roi,
    Tracks,
)
from pipeline.template import Floats, Gallery, Template

D = 128


def identity(seed: int) -> Floats:
    """A unit vector that stands for a person; two of them have a cosine near 0."""
    vector = np.random.default_rng(seed).standard_normal(D).astype(np.float32)
    return vector / np.linalg.norm(vector)


def near(centre: Floats, cosine: float, seed: int) -> Floats:
    """A unit vector at a given cosine to another."""
    other = np.random.default_rng(10_000 + seed).standard_normal(D).astype(np.float32)
    other -= (other @ centre) * centre
    other /= np.linalg.norm(other)
    return (cosine * centre + np.sqrt(1 - cosine**2) * other).astype(np.float32)


def template(person: int, n: int = 5) -> Template:
    rows = np.stack([near(identity(person), 0.9, 100 * person + k) for k in range(n)])
    return Template("test", rows, 0.9)


def gallery(*people: int) -> Gallery:
    return Gallery.of([(f"person-{k}", template(k)) for k in people])


ROI = Roi(320.0, 240.0, 270.0, 0.0)
MESH = np.random.default_rng(3).uniform(150, 330, (468, 3)).astype(np.float32)
MESH[33, :2], MESH[263, :2] = (280.0, 200.0), (360.0, 200.0)


def of_mesh(mesh: Floats) -> dict[str, Floats]:
    """What is kept of float32 (468, 3)."""
    return {"shape_px": shape(mesh), "rigid_px": rigid(mesh)}


@cache
def chosen_points(seq: int) -> Tracks:
    """What is followed from reference frame `seq` on; the same object each time, as tracks are
    compared by identity."""
    points = np.full((60, 2), seq, np.float32)
    return Tracks(points, points, np.arange(60) < 40, np.ones(60, np.bool_), MESH[:, :2] + seq)


def face(**changes: object) -> Face:
    """A good frontal face in the middle of a 640x480 picture."""
    base = Face(
        box_px=(230.0, 140.0, 180.0, 200.0),
        score=0.99,
        detection=0.95,
        same=True,
        **of_mesh(MESH),
        roi=ROI,
        yaw_deg=0.0,
        pitch_deg=0.0,
        roll_deg=0.0,
        sharpness=400.0,
        luma=120.0,
        clipped=0.0,
        chroma=40.0,
        inside=1.0,
        agreement=0.03,
        quality=0.9,
        embedding=None,
        spoof=None,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def margins(wide: float, tight: float | None = None, reach: float = WIDE) -> tuple[Margin, ...]:
    """As the anti-spoof net gives them."""
    near = wide if tight is None else tight
    return (
        Margin("spoof", WIDE, reach, wide),
        Margin("spoof", TIGHT, min(reach, TIGHT), near),
    )


@dataclass
class Camera:
    """What stands before the camera; answers asks as `see` would. Change its fields mid-way."""

    person: int | None = 1
    margin: float = 4.0
    """Anti-spoof margin, as the net would give it."""
    tight: float | None = None
    """The same on the tight crop; None: as on the wide one."""
    reach: float = WIDE
    """Of the wide crop."""
    detail: float = -3.4
    """Natural log of fine over coarse detail."""
    cosine: float = 0.85
    """How near an embedding lies to the person's centre."""
    fps: float = 15.0
    motion: float = 1.0
    """Grey levels per frame that the picture drifts; 0 is a frozen camera."""
    noise: float = 0.0
    """Grey levels of noise on top."""
    loop: int = 0
    """Repeat every so many frames; 0 for never."""
    wobble: float = 0.01
    """How much the face changes shape, in eye distances; none while `motion` is 0."""
    rival: float = 0.0
    luma: float = 110.0
    edges: tuple[float, float, float, float] = (0.0, 0.0, 0.3, 0.0)
    """Straight edges round the face, face heights; one of a door frame is nothing."""
    glow: float = 0.0
    """Natural log of face over surroundings."""
    lids: float = 0.3
    """Eye aspect ratio of open eyes."""
    blink_s: float = 0.0
    """Seconds from one blink of 0.2 s to the next; 0 for never."""
    bend: float = 0.0
    """How much a turned head changes the face's shape, in eye distances."""
    sway: float = 0.08
    """How far the face moves, eye distances; none while `motion` is 0."""
    flat: bool = False
    """Turns as a plane does."""
    follows: bool = False
    """The background moves with the face."""
    eye_change: float = 0.8
    """Non-rigid change round the eyes, pixels; a print has nearly none."""
    bars: Bars = NO_BARS
    """Borders of the frame."""
    look: dict[str, object] = field(default_factory=dict)
    """Changes to the face."""
    now_s: float = 100.0
    seq: int = 0
    asked: list[Ask] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(7)
        # A walk, not a jitter: a living picture drifts away from where it was.
        self._path = np.cumsum(rng.standard_normal((4000, 64)), axis=0).astype(np.float32) / 8.0
        self._rng = rng
        self._bend = rng.standard_normal((2, 468)).astype(np.float32)
        self._was: int | None = None

    def shot(self, ask: Ask) -> Observation:
        """One frame later."""
        self.asked.append(ask)
        self.now_s += 1.0 / self.fps
        self.seq += 1
        step = self.seq % self.loop if self.loop else self.seq
        sketch = self._path[step] * np.float32(self.motion)
        if self.noise:
            sketch = sketch + np.float32(self.noise / 11.3) * self._rng.standard_normal(64)
        seen = self.person is not None and (ask.detect or ask.roi is not None)
        shown = None
        if seen and self.person is not None:
            same = ask.roi is not None and self._was in (None, self.person)
            self._was = self.person
            shown = face(
                same=same,
                detection=0.95 if ask.detect else None,
                spoof=margins(self.margin, self.tight, self.reach) if ask.spoof else None,
                detail=self.detail if ask.detail else None,
                edges=self.edges if ask.edges else None,
                glow=self.glow if ask.glow else None,
                eyes=self._eyes() if ask.eyes else None,
                motion=self._motion(ask.tracks) if ask.motion else None,
            )
            shown = replace(shown, **of_mesh(self._mesh(step)), **self.look)  # type: ignore[arg-type]
            if ask.embed_above is not None and shown.quality >= ask.embed_above:
                vector = near(identity(self.person), self.cosine, 50_000 + self.seq)
                shown = replace(shown, embedding=vector)
        return Observation(
            seq=self.seq,
            arrival_s=self.now_s,
            media_s=self.seq / self.fps,
            width_px=640,
            height_px=480,
            luma=self.luma,
            sketch=sketch.astype(np.float32),
            faces=(int(shown is not None) + (self.rival > 0)) if ask.detect else None,
            rival=self.rival if ask.detect and shown is not None else 0.0,
            face=shown,
            bars=ask.bars or self.bars,
            bars_seen=self.bars if ask.bars is None or ask.detect else None,
            looked=ask.detect or ask.roi is not None,
        )

    def _eyes(self) -> tuple[float, float]:
        shut = self.blink_s > 0 and self.now_s % self.blink_s < 0.2
        lids = self.lids * (0.2 if shut else 1.0)
        return lids, lids

    def _motion(self, tracks: Tracks | None) -> Motion:
        nan = float("nan")
        if tracks is None:
            tracks = chosen_points(self.seq)
            return Motion(tracks, nan, nan, nan, nan, nan, nan, nan, nan, nan)
        moved = self.sway * abs(np.sin(2.0 * self.now_s)) if self.motion else 0.0
        residual = 0.5 * moved + 0.002
        return Motion(
            tracks=tracks,
            moved=moved,
            similarity=residual,
            homography=residual * (0.3 if self.flat else 0.9),
            background_stays=0.1 if self.follows else 1.0,
            background_follows=0.9 if self.follows else 0.1,
            background_moved=moved,
            eye_change=self.eye_change,
            mouth_change=self.eye_change,
            rest_change=0.1,
        )

    def _mesh(self, step: int) -> Floats:
        mesh = MESH.copy()
        life = self.wobble * 80.0 if self.motion else 0.0
        mesh[:, 0] += np.float32(life * np.sin(3.0 * step / self.fps)) * self._bend[0]
        mesh[:, 1] += np.float32(life * np.cos(3.0 * step / self.fps)) * self._bend[1]
        mesh[:, :2] += np.float32(80.0 * self.bend) * self._bend[::-1].T
        jitter = self._rng.standard_normal((468, 2)).astype(np.float32)
        mesh[:, :2] += np.float32(0.04 * self.noise) * jitter
        return mesh

    def shots(self, ask: Ask, n: int) -> Iterator[Observation]:
        """The same ask, n frames."""
        for _ in range(n):
            yield self.shot(ask)
