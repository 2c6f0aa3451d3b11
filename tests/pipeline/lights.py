"""Synthetic answers to a light challenge: a face, a wall behind it, a screen, a camera, an encoder.

Physics in linear light: what is seen is albedo x (room + screen); then the camera's white balance
drifts, levels are gamma encoded and quantised by the encoder in steps. Not here: pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.challenge import Draws, Light, draw_light
from pipeline.cues.light import LightAnswer
from pipeline.decision import Evidence
from pipeline.observation import Face, Observation
from pipeline.policy import Policy
from pipeline.sight.tint import BURNT, CRUSHED
from tests.pipeline.observations import face

Floats = NDArray[np.float64]
POLICY = Policy()


@dataclass
class Room:
    """Who answers, before what; change the fields for another attack."""

    seed: int = 0
    strength: float = 0.05
    """Screen light on the face over the room's, per channel at full level."""
    behind: float = 0.15
    """The same on the background, as a share of the face's."""
    delay_s: float = 0.12
    """From the paint to the arrival of the picture that shows it."""
    fps: float = 15.0
    noise: float = 0.25
    """Grey levels of noise of a region's mean, per frame (a region has thousands of pixels)."""
    coarse: float = 0.5
    """The encoder changes a region by multiples of this, grey levels: small changes wait."""
    drift: float = 0.03
    """How far white balance wanders, natural log units."""
    skin: tuple[float, float, float] = (0.42, 0.28, 0.20)
    """Linear RGB under the room's light."""
    wall: tuple[float, float, float] = (0.30, 0.28, 0.24)
    jitter_s: float = 0.012
    """Of arrivals."""
    answers: Light | None = None
    """Another sequence than the one that was asked (a replay)."""
    also: tuple[Light, float] | None = None
    """One more sequence that falls on face and wall, and how strong it is."""
    alpha: float = 0.0
    """Mix the colour into the whole picture, in its own levels: a digital tint."""
    frozen: bool = False
    trip_s: float = 0.01
    """What the page's reports take."""
    skips: int | None = None
    """A step that the page does not report."""
    again_s: float | None = None
    """How much later the page reports each step once more."""
    lag: Callable[[], float] = field(default=lambda: 0.008)
    """How late a step is painted, seconds."""

    def answer(self, light: Light, policy: Policy = POLICY) -> Evidence:
        """The row of a whole challenge."""
        rng = np.random.default_rng(self.seed)
        sent_s = 100.0
        answer = LightAnswer(light, sent_s)
        painted = [ms / 1000 + self.lag() for ms in light.starts_ms]
        for k, at_s in enumerate(painted):
            if k == self.skips:
                continue
            answer.painted(k, 1000 * at_s, sent_s + at_s + self.trip_s)
            if self.again_s is not None:
                later_s = at_s + self.again_s
                answer.painted(k, 1000 * later_s, sent_s + later_s + self.trip_s)
        shows = self.answers or light
        starts = painted if self.answers is None else [ms / 1000 for ms in shows.starts_ms]
        end_s = light.length_s + 0.6
        times = np.arange(0.0, end_s, 1 / self.fps) + rng.uniform(0, 1 / self.fps)
        screen = shows.shown(starts, times - self.delay_s, min(0.033, 1 / self.fps))
        if self.also is not None:
            other, weight = self.also
            due = [ms / 1000 for ms in other.starts_ms]
            screen = screen + weight * other.shown(
                due, times - self.delay_s, min(0.033, 1 / self.fps)
            )
        wander = np.cumsum(rng.standard_normal((len(times), 3)), axis=0)
        swing = self.drift * np.sin(
            times[:, None] * rng.uniform(0.5, 1.5, 3) + rng.uniform(0, 6, 3)
        )
        balance = np.exp(swing + 0.001 * wander)
        tints = np.empty((len(times), 4, 3))
        for region in range(4):
            base = np.array(self.wall if region == 3 else self.skin) * rng.uniform(0.85, 1.15)
            share = self.strength * (self.behind if region == 3 else rng.uniform(0.75, 1.25))
            light_in = base * (1 + share * screen / screen.mean()) * balance
            level = 255 * np.clip(light_in, 0, 1) ** (1 / 2.2)
            if self.alpha:
                level = level * (1 - self.alpha) + self.alpha * 255 * screen ** (1 / 2.2)
            level += self.noise * rng.standard_normal(level.shape)
            tints[:, region] = _held(level, self.coarse)
        clipped = ((tints < CRUSHED) | (tints > BURNT)).any(axis=2)
        tints[clipped] = np.nan  # as sight/tint.py says of them: they do not follow the light
        if self.frozen:
            tints[:] = tints[0]
        arrivals = sent_s + times + np.abs(rng.normal(0, self.jitter_s, len(times)))
        for seq, at_s in enumerate(np.maximum.accumulate(arrivals)):
            seen = face(tint=tints[seq, :, ::-1].astype(np.float32))
            answer.add(observation(seq, float(at_s), seen))
        return answer.row(policy, float(arrivals[-1]))


def _held(level: Floats, coarse: float) -> Floats:
    """Like an encoder: a change below the quantiser's step is not sent until it has grown."""
    if not coarse:
        return level
    out = level.copy()
    for k in range(1, len(level)):
        moved = np.abs(level[k] - out[k - 1]) > coarse
        out[k] = np.where(moved, level[k], out[k - 1])
    return out


def observation(seq: int, at_s: float, seen: Face | None) -> Observation:
    """A frame of which only the face matters."""
    return Observation(
        seq=seq,
        arrival_s=at_s,
        media_s=at_s,
        width_px=640,
        height_px=480,
        luma=110.0,
        sketch=np.zeros(64, np.float32),
        faces=None,
        rival=0.0,
        face=seen,
    )


def drawn(seed: int) -> Light:
    """One sequence."""
    return draw_light(Draws(b"test %d" % seed), 1)
