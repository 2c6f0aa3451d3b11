"""Is the picture new, or frozen, looping, or one still with noise on top?

The anti-spoof net accepts a digital photo fed as a camera, so this row is required. It looks at two
things: distances between the observations' sketches (grey-level differences between frames), and
how much the face changes shape beyond turning and moving. Both are needed: a browser's encoder
sharpens a still picture over the first seconds, which drifts like life does, but moves no eyelid.
Measured with real Chromium, docs/freshness.md. Never turns a *person's* stillness into a veto:
breath, eyes and light move a live picture by more than twice what a still ever did.

A picture that comes twice is counted once, except where stillness is measured: else whoever repeats
frames could weigh the votes and hide a loop.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray

from pipeline.decision import Evidence, Stand, Topic
from pipeline.observation import EYE_LEFT, EYE_RIGHT, SAME_PICTURE, Observation, apart
from pipeline.policy import Policy
from pipeline.quantile import quantile

MOST = 64
"""Frames kept: 3 s at 15 frames/s and room; older ones are forgotten, cost stays bounded."""
FIRST_LAG = 3
"""Shortest loop looked for, in frames: below it a loop cannot be told from slow motion."""
FIRST_ECHO = 5
"""Shortest lag of an echo, in frames: neighbouring steps of any smooth motion are alike."""
LEAST_PAIRS = 6
"""Steps that an echo needs at least: fewer are alike by chance."""
LATE = 10
"""Frames whose change is judged: by then the encoder has done most of its sharpening."""
SHAPES = 48
"""Faces whose shape is compared: 3 s at 15 frames/s; a living face leaves its mean shape with time,
a stiff one does not."""


class Freshness:
    """Collects the sketches and face shapes of one window."""

    def __init__(self) -> None:
        self._last: NDArray[np.float32] | None = None
        self._steps: deque[float] = deque(maxlen=MOST - 1)
        self._times_s: deque[float] = deque(maxlen=MOST)
        self._lags = _Lags()
        self._shapes = _Shapes()

    def add(self, obs: Observation) -> bool:
        """Take one observation. False: it shows the picture before it once more."""
        step = inf if self._last is None else apart(obs.sketch, self._last)
        if self._last is not None:
            self._steps.append(step)
        self._last = obs.sketch
        self._times_s.append(obs.arrival_s)
        if step <= SAME_PICTURE:
            return False
        self._lags.add(obs.sketch)
        if obs.face is not None:
            self._shapes.add(obs.face.mesh_px)
        return True

    def share(self, policy: Policy) -> float:
        """How much of the evidence needed is in, 0..1."""
        return min(1.0, self._shapes.n / policy.min_frames)

    def row(self, policy: Policy) -> Evidence:
        """AGAINST for frozen and looping pictures; OPEN while it cannot be told, UNKNOWN with too
        few frames."""
        if len(self._times_s) < policy.min_frames:
            frames = float(len(self._times_s))
            return self._say(Stand.UNKNOWN, "too_few_frames", {"frames": frames})
        step = quantile(islice(reversed(self._steps), LATE), 0.75)
        still_s = self._still_s(policy)
        n = self._lags.n
        numbers = {"frames": float(n), "step": step, "still_s": still_s}
        if still_s >= policy.frozen_s or step <= policy.frozen_step:
            return self._say(Stand.AGAINST, "frozen", numbers)
        if min(n, self._shapes.n) < policy.min_frames:
            return self._say(Stand.UNKNOWN, "too_few_frames", numbers)
        wobble = self._shapes.wobble()
        numbers["wobble"] = wobble
        if step < policy.fresh_step and wobble <= policy.frozen_wobble:
            return self._say(Stand.AGAINST, "stiff", numbers)
        means = self._lags.means()
        # Lags up to half the window: each is then judged on at least as many pairs as its length.
        apart = means[FIRST_LAG : max(FIRST_LAG + 1, n // 2 + 1)]
        ratio, growth = float(np.minimum.reduce(apart) / means[1]), float(apart[-1] / means[1])
        near = means <= min(policy.echo_near, policy.echo_ratio * float(means[1]))
        echo = self._lags.echo(near)
        numbers |= {"ratio": ratio, "growth": growth, "echo": echo}
        if not all(map(isfinite, numbers.values())):  # nan is neither side of any limit
            return self._say(Stand.UNKNOWN, "not_measured", {"frames": float(n)})
        if ratio < policy.loop_ratio or echo >= policy.loop_echo:
            return self._say(Stand.AGAINST, "looping", numbers)
        if ratio < policy.alive_ratio or echo >= policy.alive_echo:
            return self._say(Stand.OPEN, "repeats", numbers)
        if step < policy.fresh_step or wobble < policy.fresh_wobble:
            return self._say(Stand.OPEN, "hardly_moves", numbers)
        if step < policy.noise_step and growth < policy.growth_ratio:
            return self._say(Stand.OPEN, "only_noise", numbers)
        return self._say(Stand.FOR, "fresh", numbers)

    def _still_s(self, policy: Policy) -> float:
        """Length of the run without change that ends now, seconds."""
        run = 0
        for step in reversed(self._steps):
            if step > policy.frozen_step:
                break
            run += 1
        return self._times_s[-1] - self._times_s[-1 - run]

    @staticmethod
    def _say(stand: Stand, reason: str, numbers: dict[str, float]) -> Evidence:
        # Carries no LLR of its own: freshness forbids, it does not vouch for a face.
        return Evidence("freshness", Topic.LIVENESS, stand, reason, numbers=numbers)


class _Lags:
    """The newest sketches, how far each is from those before it, and how much the step to it is
    that of some frames before: all measured once, when the sketch comes."""

    def __init__(self) -> None:
        self.n = 0
        """Sketches kept: rows `_first` to `_first + n`. There is room for twice as many, so that
        they need to be moved but now and then."""
        self._first = 0
        self._sketches = np.zeros((2 * MOST, 0), np.float32)
        self._steps = self._sketches
        """Row i: sketch i - 1 minus sketch i."""
        self._apart = np.zeros((2 * MOST, MOST))
        """Row i, column k: distance between sketches i and i - k; 0 if that was forgotten."""
        self._alike = np.zeros((2 * MOST, MOST))
        """Row i, column k: scalar product of steps i and i - k; 0 likewise."""

    def add(self, sketch: NDArray[np.float32]) -> None:
        if not self._sketches.size:
            self._sketches = np.zeros((2 * MOST, len(sketch)), np.float32)
            self._steps = np.zeros_like(self._sketches)
        if self.n == MOST:
            self._forget()
        first, at, n = self._first, self._first + self.n, self.n
        if n:
            gaps = self._sketches[first:at] - sketch
            self._apart[at, n:0:-1] = np.sqrt(np.einsum("ij,ij->i", gaps, gaps))
            self._steps[at] = gaps[-1]
            # Not @: BLAS would wake its own threads, as in wobble.
            self._alike[at, n - 1 :: -1] = np.vecdot(self._steps[first + 1 : at + 1], gaps[-1])
        self._sketches[at] = sketch
        self.n += 1

    def _forget(self) -> None:
        """The oldest sketch, and the step from it."""
        for pairs, oldest in ((self._apart, self._first), (self._alike, self._first + 1)):
            # Along the diagonal: one row further on it is one frame longer ago.
            pairs.reshape(-1)[oldest * MOST :: MOST + 1][: self._first + MOST - oldest] = 0.0
        self._first += 1
        self.n -= 1
        if self._first == MOST:
            for rows in (self._sketches, self._steps, self._apart, self._alike):
                rows[:MOST] = rows[MOST:]
                rows[MOST:] = 0.0
            self._first = 0

    def echo(self, near: NDArray[np.bool_]) -> float:
        """Greatest correlation of the steps with the steps of some frames before, 0..1.

        A loop takes the same steps again; the encoder's noise, which hides a quiet loop from
        `means`, is another one each time round. Only at lags (n,) that are `near`: who nods takes
        the same steps again, but does not come back to the same picture. 0 with too few frames.
        """
        n = self.n - 1
        if n < FIRST_ECHO + LEAST_PAIRS:
            return 0.0
        alike = self._alike[self._first + 1 : self._first + self.n]
        sums = np.add.reduce(alike, axis=0)[FIRST_ECHO : n - LEAST_PAIRS + 1]
        # Squares of the n - lag newest steps, and of the n - lag oldest ones.
        squares = np.add.accumulate(alike[::-1, 0]) * np.add.accumulate(alike[:, 0])
        scales = np.sqrt(squares[n - 1 - FIRST_ECHO : LEAST_PAIRS - 2 : -1])
        ratios = sums / np.maximum(scales, 1e-9)
        ratios[~near[FIRST_ECHO : n - LEAST_PAIRS + 1]] = 0.0
        return max(0.0, float(np.maximum.reduce(ratios)))

    def means(self) -> NDArray[np.float64]:
        """Mean distance at each lag, (n,); at lag 0 it is 0."""
        n = self.n
        sums: NDArray[np.float64] = np.add.reduce(self._apart[self._first : self._first + n])
        return sums[:n] / _PAIRS[MOST - n :]


_PAIRS = np.arange(MOST, 0, -1)


class _Shapes:
    """The newest faces' shapes, (n, 468) points about their middle, and how much they differ."""

    def __init__(self) -> None:
        self.n = 0
        """Shapes kept."""
        self._at = 0
        self._points = np.zeros((SHAPES, 0), np.complex128)
        """Each row: x + iy of all points, px."""
        self._squares = np.zeros(SHAPES)
        self._sum = np.zeros(0, np.complex128)

    def add(self, mesh_px: NDArray[np.float32]) -> None:
        if not self._points.size:
            self._points = np.zeros((SHAPES, len(mesh_px)), np.complex128)
            self._sum = np.zeros(len(mesh_px), np.complex128)
        points = self._points[self._at]
        self._sum -= points
        points.real, points.imag = mesh_px[:, 0], mesh_px[:, 1]
        points -= np.add.reduce(points) / len(points)
        self._sum += points
        self._squares[self._at] = np.vecdot(points, points).real
        self.n = min(self.n + 1, SHAPES)
        self._at = (self._at + 1) % SHAPES
        if self._at == 0:
            self._sum = np.add.reduce(self._points)  # what was lost by rounding

    def wobble(self) -> float:
        """Mean RMS distance of each face to the mean face after the best turn, scale and shift, in
        eye distances: least squares in the complex plane, so no reflection.

        With c a face and m the mean, both complex, the best turn leaves |m|^2 - |<c, m>|^2 / |c|^2.
        """
        mean = self._sum / self.n
        # Row by row, not @: BLAS would wake its own threads, which then spin (measured: two
        # thirds of a login's CPU).
        along = np.vecdot(self._points[: self.n], mean)
        explained = along.real**2 + along.imag**2
        explained /= np.maximum(self._squares[: self.n], 1e-6)
        rest = np.maximum(np.vecdot(mean, mean).real - explained, 0.0)
        eyes = abs(mean[EYE_LEFT] - mean[EYE_RIGHT])
        return float(np.add.reduce(np.sqrt(rest / len(mean)))) / self.n / max(float(eyes), 1.0)
