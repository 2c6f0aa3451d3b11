"""What the person (or the hand with the print) does over time, as functions of seconds.

Here: when and how much. Not here: what that looks like. Functions of time, not of frames: the same
seed moves alike at every frame rate. Source: docs/synth.md; with these amplitudes the cues answer
as they do on recordings.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

TURN_S, NOD_S = 3.1, 2.3
"""Periods of the deliberate turn and nod: no multiples of each other, so no pose repeats soon."""
BREATH_S = 3.7
"""About sixteen breaths a minute."""
ASIDE_DEG = 34.0
"""How far a head is turned that looks elsewhere: more would show what the photo does not."""
LID_S = 0.13
"""Half a blink; a blink lasts 0.1 to 0.4 s."""
TALK_S = 0.45
GLANCE = 0.07
"""Greatest glance away from the camera, in eye widths; eyes jump one to four times a second, also
of somebody who keeps still."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a surface is, and how it is turned about its own middle."""

    x_px: float = 0.0
    """Of its middle, from the middle of its place; right is positive."""
    y_px: float = 0.0
    """Down is positive."""
    yaw_deg: float = 0.0
    """Positive to image right."""
    pitch_deg: float = 0.0
    """Positive up."""
    roll_deg: float = 0.0
    """Positive clockwise."""


@dataclass(frozen=True, slots=True)
class Act:
    """What is to be seen of a person at one time."""

    pose: Pose
    """Lengths in face widths."""
    lids: float
    """0 open, 1 closed."""
    mouth: float
    """How far it is open, in eye distances; a little below 0 is pressed together."""
    gaze: tuple[float, float]
    """Where the eyes look, from straight ahead: right and down, in eye widths."""
    breath: float
    """-1..1."""


class Sway:
    """A smooth wandering about 0 that never repeats: three sines drawn from a generator."""

    def __init__(self, rng: np.random.Generator, size: float, slowest_hz: float = 0.12) -> None:
        """`size`: about the greatest departure."""
        self._hz = slowest_hz * np.array([1.0, 2.3, 5.1]) * rng.uniform(0.8, 1.25, 3)
        self._phase = rng.uniform(0, 2 * np.pi, 3)
        self._size = size * np.array([0.55, 0.3, 0.15])

    def __call__(self, t_s: float) -> float:
        """At a time, relative to time 0."""
        now = np.sin(2 * np.pi * self._hz * t_s + self._phase)
        return float((self._size * (now - np.sin(self._phase))).sum())


Manner = Callable[[Act], Act]
"""What somebody does in place of what a person at a webcam does."""


def as_usual(act: Act) -> Act:
    """The same."""
    return act


def sleeping(act: Act) -> Act:
    """With shut eyes."""
    return replace(act, lids=1.0)


def looking_aside(act: Act) -> Act:
    """With the head turned away, as far as the photo allows."""
    return replace(act, pose=replace(act.pose, yaw_deg=ASIDE_DEG + 0.1 * act.pose.yaw_deg))


class Person:
    """Turns, sways, blinks, talks, breathes."""

    def __init__(self, rng: np.random.Generator, yaw_deg: float, lively: float = 1.0) -> None:
        """`yaw_deg`: amplitude of the turn. `lively`: 1 as at a webcam, towards 0 like a statue
        that still blinks and breathes."""
        self._yaw_deg = yaw_deg
        self._lively = lively
        self._x, self._y = Sway(rng, 0.09 * lively), Sway(rng, 0.05 * lively)
        self._yaw, self._pitch = Sway(rng, 1.5 * lively), Sway(rng, 1.2 * lively)
        self._roll = Sway(rng, 2.5 * lively)
        self._lips = Sway(rng, 0.03 * lively, 0.3)
        self._breath = rng.uniform(0, 2 * np.pi)
        gaps = rng.uniform(1.8, 3.6, 400)
        self._blinks_s = np.cumsum(gaps) - gaps[0] + rng.uniform(0.5, 1.3)
        self._talk_s = rng.uniform(1.2, 2.0)
        self._glances_s = np.cumsum(rng.uniform(0.2, 1.1, 4000))
        self._glances = rng.uniform(-1, 1, (4001, 2)) * (GLANCE, 0.4 * GLANCE)

    def at(self, t_s: float) -> Act:
        """What is to be seen at a time."""
        breath = math.sin(2 * math.pi * t_s / BREATH_S + self._breath)
        nod_deg = 0.4 * self._yaw_deg * math.sin(2 * math.pi * t_s / NOD_S)
        pose = Pose(
            self._x(t_s),
            self._y(t_s) + 0.006 * breath,
            self._yaw_deg * math.sin(2 * math.pi * t_s / TURN_S) + self._yaw(t_s),
            nod_deg + self._pitch(t_s),
            self._roll(t_s),
        )
        return Act(pose, self._lids(t_s), self._mouth(t_s), self._gaze(t_s), breath)

    def _gaze(self, t_s: float) -> tuple[float, float]:
        # A saccade takes 20 to 50 ms: less than a picture
        x, y = self._glances[int(np.searchsorted(self._glances_s, t_s))].tolist()
        return x, y

    def _lids(self, t_s: float) -> float:
        apart_s = float(np.abs(self._blinks_s - t_s).min())
        return min(1.0, max(0.0, 1.4 * (1 - apart_s / LID_S)))

    def _mouth(self, t_s: float) -> float:
        talking = (t_s % 3.4) > self._talk_s and self._lively >= 0.5
        word = max(0.0, math.sin(2 * math.pi * t_s / TALK_S)) if talking else 0.0
        return 0.09 * self._lively * word + self._lips(t_s)


class Hand:
    """What holds a print or a telephone: it trembles, and it may tilt."""

    def __init__(self, rng: np.random.Generator, tilt_deg: float, shake: float = 1.0) -> None:
        self._tilt_deg = tilt_deg
        self._x, self._y = Sway(rng, 0.12 * shake, 0.2), Sway(rng, 0.10 * shake, 0.2)
        self._roll = Sway(rng, 2.0 * shake)
        self._tremor = Sway(rng, 0.006 * shake, 1.5), Sway(rng, 0.006 * shake, 1.5)

    def at(self, t_s: float) -> Pose:
        """Lengths in face widths."""
        return Pose(
            self._x(t_s) + self._tremor[0](t_s),
            self._y(t_s) + self._tremor[1](t_s),
            self._tilt_deg * math.sin(2 * math.pi * t_s / TURN_S),
            0.5 * self._tilt_deg * math.sin(2 * math.pi * t_s / NOD_S),
            self._roll(t_s) + 0.2 * self._tilt_deg * math.sin(2 * math.pi * t_s / 2.9),
        )

    def bend(self, t_s: float) -> float:
        """-1..1: how far a sheet is bent."""
        return math.sin(2 * math.pi * t_s / 2.6)
