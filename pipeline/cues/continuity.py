"""One face, the same face, no jump, no cut: says when evidence must be thrown away.

Otherwise a live accomplice could warm the session up for a photo of somebody else. This is no row:
a break ends the window, so nothing that was gathered before it can count after it. What a cut is
was measured on films of people and on films made of two: docs/liveness.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import acos, cos, hypot, pi, sqrt
from statistics import median

import numpy as np
from numpy.typing import NDArray

from pipeline.observation import SAME_PICTURE, Face, Observation, apart
from pipeline.policy import Policy

Floats = NDArray[np.float32]

SIZE_JUMP = 1.5
"""Factor by which a face box may grow or shrink within `lost_s`: a step towards the camera is
slower, a swap of faces is not."""
SLOW_FRAME_S = 0.5
"""Frames further apart than this do not continue each other, whatever they show."""
NEWEST, LEAST = 8, 4
"""Steps that a step is compared with, half a second at 15 frames/s, and how few of them will do."""


class Break(StrEnum):
    """Why the evidence is void."""

    LOST = "lost"
    SLOW = "slow"
    """Too long after the frame before it."""
    JUMPED = "jumped"
    RESIZED = "resized"
    """The picture has another size than that in which the face was seen, so nothing of where it was
    holds, and the frame's own face was looked for in the wrong place."""
    ANOTHER_FACE = "another_face"
    UNLIKE = "unlike"
    """One picture's face is not like one other's, but not certainly another's."""
    SECOND_FACE = "second_face"
    CUT = "cut"
    BORDERS = "borders"
    """Others than before (session/borders.py)."""


class Continuity:
    """Follows one face for as long as it is certainly the same."""

    def __init__(self) -> None:
        self._face: Face | None = None
        self._seen_s = float("-inf")
        self._size_px = (0, 0)
        self._embeddings: list[Floats] = []
        self._steps = _Steps()

    @property
    def doubts(self) -> bool:
        """Whether the newest frame gives cause to ask at once whose face it shows."""
        return self._steps.doubtful

    def glance(self, obs: Observation) -> None:
        """Take a frame whose face was not looked for: what it shows may have been cut before it."""
        self._steps.glance(obs)

    def broken(self, obs: Observation, policy: Policy) -> Break | None:
        """Judge one observation against what was followed so far, then follow it."""
        face, before, size_px = obs.face, self._face, (obs.width_px, obs.height_px)
        gap_s = obs.arrival_s - self._seen_s
        cut = self._steps.cut(obs, policy)
        if before is not None and size_px != self._size_px:
            return Break.RESIZED
        if face is None:
            return Break.LOST if before is not None and gap_s > policy.lost_s else None
        self._face, self._seen_s, self._size_px = face, obs.arrival_s, size_px
        if face.embedding is not None:
            self._embeddings.append(face.embedding)
            del self._embeddings[:-8]
        if obs.rival >= policy.max_rival:
            return Break.SECOND_FACE
        if before is None:
            return None
        if gap_s > SLOW_FRAME_S and gap_s > policy.lost_s:
            return Break.SLOW
        if not face.same:
            return Break.LOST
        if _jumped(before, face, policy):
            return Break.JUMPED
        if cut:
            return Break.CUT
        if face.embedding is not None and len(self._embeddings) > 1:
            others = np.add.reduce(self._embeddings[:-1])  # as long as it may be: its direction
            length = max(sqrt(others.dot(others)), 1e-6)
            if not others.dot(face.embedding) >= policy.same_face * length:  # nan is nobody
                single = len(self._embeddings) == 2
                unsure = single and others.dot(face.embedding) >= policy.unlike_face * length
                return Break.UNLIKE if unsure else Break.ANOTHER_FACE
        return None


def _jumped(before: Face, now: Face, policy: Policy) -> bool:
    """Whether its centre moved farther than a face does, in face widths, or it grew or shrank so
    much."""
    (x0, y0, w0, h0), (x1, y1, w1, h1) = before.box_px, now.box_px
    away_px = hypot(x1 - x0 + (w1 - w0) / 2, y1 - y0 + (h1 - h0) / 2)
    least, most = (w0, w1) if w0 < w1 else (w1, w0)
    return away_px > policy.max_jump * max(w0, 1.0) or max(most, 1.0) > SIZE_JUMP * max(least, 1.0)


@dataclass(frozen=True, slots=True)
class _Step:
    """From one picture to the next."""

    gap_s: float
    """Between their arrivals."""
    picture: float
    """Distance of their sketches, grey levels; where frames between them were glanced at, the
    greatest from one to the next."""
    shape: float
    """How far the rigid points are from where they were, RMS in eye distances, after the best turn
    in space, scale and shift."""


class _Steps:
    """The newest steps, and whether the last one is a cut.

    A cut changes the picture *and* the shape of the face by more than life does, all at once. Light
    changes the picture alone; a quick turn of the head comes with steps like it before or after.
    """

    def __init__(self) -> None:
        self.doubtful = False
        """The last step changed the face's shape more than those before it, or was too long to
        tell."""
        self._last: Observation | None = None
        self._between: list[Floats] = []
        """Sketches of what was glanced at since."""
        self._shape: _Shape | None = None
        self._steps: list[_Step] = []

    def glance(self, obs: Observation) -> None:
        """Keep what the picture was between two looks."""
        self._between = [*self._between[1 - NEWEST :], obs.sketch]

    def cut(self, obs: Observation, policy: Policy) -> bool:
        """Take one observation; True where the picture was cut before it."""
        self.doubtful = False
        between, self._between = self._between, []
        face, last, old_shape = obs.face, self._last, self._shape
        if face is None:
            return False
        if last is None or old_shape is None or not face.same or _resized(last, obs):
            self._last, self._shape = obs, _Shape(face.rigid_px)
            self._steps = []
            return False
        way = [last.sketch, *between, obs.sketch]
        picture = max(apart(one, other) for one, other in pairwise(way))
        if picture <= SAME_PICTURE:
            return False
        self._last, self._shape = obs, _Shape(face.rigid_px)
        gap_s = obs.arrival_s - last.arrival_s
        if gap_s > policy.lost_s:
            self.doubtful = True
            self._steps = []
            return False
        step, before = _Step(gap_s, picture, self._shape.changed(old_shape)), self._steps
        self._steps = [*before[1 - NEWEST :], step]
        if len(before) < LEAST or not step.shape >= policy.doubt_shape:
            return False
        if any(old.shape > step.shape for old in before):
            return False
        self.doubtful = True
        # Where frames are missing, one step holds the motion of several.
        late = max(1.0, gap_s / max(median(old.gap_s for old in before), 0.02))
        most = max(old.picture for old in before)
        sudden = picture >= max(policy.cut_picture, policy.cut_step * late * most)
        return sudden and step.shape >= policy.cut_shape


def _resized(last: Observation, now: Observation) -> bool:
    return (last.width_px, last.height_px) != (now.width_px, now.height_px)


class _Shape:
    """A face's rigid points, as a blink or an open mouth is no other face."""

    __slots__ = ("_n", "_points", "_square", "eyes_px")

    def __init__(self, rigid_px: Floats) -> None:
        self._n = len(rigid_px)
        points = rigid_px.astype(np.float64)
        x_px, y_px, _ = (points[1] - points[0]).tolist()
        self.eyes_px = max(hypot(x_px, y_px), 1.0)  # the outer eye corners
        points -= np.add.reduce(points) / self._n
        self._points, self._square = points, float(np.vdot(points, points))
        """About their middle, and the sum of their squares."""

    def changed(self, before: _Shape) -> float:
        """As `_Step.shape`. The best turn need not be known: its residual follows from the sum of
        the covariance's singular values, the least one negative if the covariance mirrors (Kabsch,
        Acta Cryst. A32, 1976)."""
        fit = _turned((before._points.T @ self._points).tolist())
        rest = self._square - fit * fit / max(before._square, 1e-9)
        return sqrt(max(rest, 0.0) / self._n) / self.eyes_px


def _turned(m: list[list[float]]) -> float:
    """Greatest trace that a rotation gives a 3x3 matrix M: the sum of its singular values with the
    sign of its determinant on the least. Two are the roots of eigenvalues of M'M, which a cubic has
    (Smith, Comm. ACM 4, 1961), the third divides the determinant by them; np.linalg takes twenty
    times as long."""
    (a, b, c), (d, e, f), (g, h, i) = m
    p, q, r = a * a + d * d + g * g, b * b + e * e + h * h, c * c + f * f + i * i
    u, v, w = a * b + d * e + g * h, a * c + d * f + g * i, b * c + e * f + h * i
    mean = (p + q + r) / 3
    p, q, r = p - mean, q - mean, r - mean
    size = sqrt((p * p + q * q + r * r + 2 * (u * u + v * v + w * w)) / 6)
    most = middle = mean
    if size > 1e-12 * mean and size**3 > 0.0:
        half = (p * (q * r - w * w) - u * (u * r - w * v) + v * (u * w - q * v)) / (2 * size**3)
        angle = acos(min(1.0, max(-1.0, half))) / 3
        most = mean + 2 * size * cos(angle)
        middle = max(mean + 2 * size * cos(angle - 2 * pi / 3), 0.0)
    two = sqrt(most * middle)
    det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return sqrt(most) + sqrt(middle) + (det / two if two > 1e-12 * most else 0.0)
