"""Is the picture new, or frozen, looping, or one still with noise on top?

The anti-spoof net accepts a digital photo fed as a camera, so this row is required. It looks at two
things: distances between the observations' sketches (grey-level differences between frames), and
how much the face changes shape beyond turning and moving. Both are needed: a browser's encoder
sharpens a still picture over the first seconds, which drifts like life does, but moves no eyelid.
A shaken picture changes its shape in the mesh's eyes as well, from frame to frame; a face goes
somewhere. Who sits calmly is known by a blink. Measured with real Chromium and with VP8 alone,
docs/freshness.md. Never turns a *person's* stillness into a veto.

A picture that comes twice is counted once, except where stillness is measured: else whoever repeats
frames could weigh the votes and hide a loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import inf, isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from pipeline.decision import Evidence, Stand, Topic
from pipeline.lids import Lids
from pipeline.observation import SAME_PICTURE, Observation, apart
from pipeline.policy import Policy
from pipeline.quantile import quantile

Floats64 = NDArray[np.float64]

MOST = 64
"""Frames kept: 3 s at 15 frames/s and room; older ones are forgotten, cost stays bounded."""
FIRST_LAG = 3
"""Shortest loop looked for, in frames: below it a loop cannot be told from slow motion."""
SHORT_LOOP = 12
"""Longest loop looked for, in frames, that the window need not be twice as long as."""
LOOP_PAIRS = 3
"""Pairs of pictures that such a loop is judged on at least: of 16 people in 148 windows of 14
frames none came back nearer than 1.12 steps, of 487 loops of 4 to 11 frames none stayed farther
than .63 (docs/freshness.md)."""
FIRST_ECHO = 5
"""Shortest lag of an echo, in frames: neighbouring steps of any smooth motion are alike."""
LEAST_PAIRS = 6
"""Steps that an echo needs at least: fewer are alike by chance."""
LATE = 10
"""Frames whose change is judged: by then the encoder has done most of its sharpening."""
SHAPES = 48
"""Faces whose shape is compared: 3 s at 15 frames/s; a living face leaves its mean shape with time,
a stiff one does not."""
FAR_SHAPES = 15
"""Faces from one to the other over which a change of shape is compared with that of neighbours: 1
or 2 s; half of them where there are fewer."""
NEIGHBOURS_S = 0.2
"""Mean time from face to face up to which neighbours say how a shape shakes: with fewer than 5
faces a second a living one has gone as far in one step as in many."""


class Freshness:
    """Collects the sketches and face shapes of one window.

    What they say together is measured when a row is wanted, of all that are kept.
    """

    def __init__(self) -> None:
        self._last: NDArray[np.float32] | None = None
        self._steps: list[float] = []
        self._times_s: list[float] = []
        self._sketches: deque[NDArray[np.float32]] = deque(maxlen=MOST)
        self._shapes = _Shapes()
        self._lids = Lids()

    def add(self, obs: Observation) -> bool:
        """Take one observation. False: it shows the picture before it once more."""
        step = inf if self._last is None else apart(obs.sketch, self._last)
        self._last = obs.sketch
        self._steps.append(step)
        self._times_s.append(obs.arrival_s)
        if len(self._steps) > 2 * MOST:
            del self._steps[:-MOST], self._times_s[:-MOST]
        if step <= SAME_PICTURE:
            return False
        self._sketches.append(obs.sketch)
        if obs.face is not None:
            self._shapes.add(obs.face.shape_px, obs.arrival_s)
        self._lids.add(obs)
        return True

    def share(self, policy: Policy) -> float:
        """How much of the evidence needed is in, 0..1."""
        return min(1.0, len(self._shapes) / policy.min_frames)

    def row(self, policy: Policy) -> Evidence:
        """AGAINST for frozen and looping pictures; OPEN while it cannot be told, UNKNOWN with too
        few frames."""
        frames = min(len(self._times_s), MOST)
        if frames < policy.min_frames:
            return self._say(Stand.UNKNOWN, "too_few_frames", {"frames": float(frames)})
        step = self._step()
        still_s = self._still_s(policy)
        n = len(self._sketches)
        numbers = {"frames": float(n), "step": step, "still_s": still_s}
        if still_s >= policy.frozen_s or step <= policy.frozen_step:
            return self._say(Stand.AGAINST, "frozen", numbers)
        if min(n, len(self._shapes)) < policy.min_frames:
            return self._say(Stand.UNKNOWN, "too_few_frames", numbers)
        wobble, drift = self._shapes.wobble()
        numbers |= {"wobble": wobble, "blinked": float(self._lids.blinked)}
        if drift is not None:
            numbers["drift"] = drift
        if step < policy.fresh_step and wobble <= policy.frozen_wobble:
            return self._say(Stand.AGAINST, "stiff", numbers)
        pairs = _Pairs(self._sketches)
        means = pairs.means()
        # Lags up to half the window, each judged on at least as many pairs as its length; the
        # shorter ones as soon as they come, so that no early verdict is had by a loop.
        half = max(FIRST_LAG, n // 2)
        far = means[FIRST_LAG : max(half, min(n - LOOP_PAIRS, SHORT_LOOP)) + 1]
        ratio, growth = float(np.minimum.reduce(far) / means[1]), float(means[half] / means[1])
        echo = pairs.echo(means <= min(policy.echo_near, policy.echo_ratio * float(means[1])))
        numbers |= {"ratio": ratio, "growth": growth, "echo": echo}
        if not all(map(isfinite, numbers.values())):  # nan is neither side of any limit
            return self._say(Stand.UNKNOWN, "not_measured", {"frames": float(n)})
        if ratio < policy.loop_ratio or echo >= policy.loop_echo:
            return self._say(Stand.AGAINST, "looping", numbers)
        if ratio < policy.alive_ratio or echo >= policy.alive_echo:
            return self._say(Stand.OPEN, "repeats", numbers)
        if step < policy.fresh_step or (wobble < policy.fresh_wobble and not self._lids.blinked):
            return self._say(Stand.OPEN, "hardly_moves", numbers)
        between = policy.fresh_wobble <= wobble < policy.sure_wobble
        if between and drift is not None and drift < policy.drift_ratio:
            return self._say(Stand.OPEN, "shakes", numbers)
        if step < policy.noise_step and growth < policy.growth_ratio:
            return self._say(Stand.OPEN, "only_noise", numbers)
        return self._say(Stand.FOR, "fresh", numbers)

    def _step(self) -> float:
        # The first step led to nothing.
        return quantile(self._steps[-min(LATE, len(self._steps) - 1) :], 0.75)

    def _still_s(self, policy: Policy) -> float:
        """Length of the run without change that ends now, seconds."""
        began = len(self._times_s) - 1
        least = max(0, began - MOST + 1)
        while began > least and self._steps[began] <= policy.frozen_step:
            began -= 1
        return self._times_s[-1] - self._times_s[began]

    @staticmethod
    def _say(stand: Stand, reason: str, numbers: dict[str, float]) -> Evidence:
        # Carries no LLR of its own: freshness forbids, it does not vouch for a face.
        return Evidence("freshness", Topic.LIVENESS, stand, reason, numbers=numbers)


class _Pairs:
    """How far each of the newest sketches is from each other, and how much alike the steps are that
    lead to them: both follow from the sketches' scalar products."""

    def __init__(self, sketches: Iterable[NDArray[np.float32]]) -> None:
        rows = np.array(list(sketches), np.float64)
        rows -= rows[0]  # so that little is lost by rounding: no distance changes
        self.n = len(rows)
        # Halves: OpenBLAS would wake its own threads, which then spin (measured: two thirds of a
        # login's CPU), for more than 2^18 products (its interface/gemm.c).
        half, columns = self.n // 2, rows.T.copy()
        self._products: Floats64 = np.concatenate((rows[:half] @ columns, rows[half:] @ columns))

    def means(self) -> Floats64:
        """Mean distance at each lag, (n,); at lag 0 it is 0."""
        squares = self._products.diagonal()
        gaps = squares[:, None] + squares
        gaps -= self._products
        gaps -= self._products
        np.sqrt(np.maximum(gaps, 0.0, out=gaps), out=gaps)
        means: Floats64 = _by_lag(gaps) / np.arange(self.n, 0, -1)
        return means

    def echo(self, near: NDArray[np.bool_]) -> float:
        """Greatest correlation of the steps with the steps of some frames before, 0..1.

        A loop takes the same steps again; the encoder's noise, which hides a quiet loop from
        `means`, is another one each time round. Only at lags (n,) that are `near`: who nods takes
        the same steps again, but does not come back to the same picture. 0 with too few frames.
        """
        n = self.n - 1
        if n < FIRST_ECHO + LEAST_PAIRS or not near[FIRST_ECHO : n - LEAST_PAIRS + 1].any():
            return 0.0
        to = self._products[1:] - self._products[:-1]
        alike = to[:, 1:] - to[:, :-1]
        sums = _by_lag(alike)[FIRST_ECHO : n - LEAST_PAIRS + 1]
        # Squares of the n - lag newest steps, and of the n - lag oldest ones.
        squares = alike.diagonal()
        squares = np.add.accumulate(squares[::-1]) * np.add.accumulate(squares)
        scales = np.sqrt(squares[n - 1 - FIRST_ECHO : LEAST_PAIRS - 2 : -1])
        ratios = sums / np.maximum(scales, 1e-9)
        ratios[~near[FIRST_ECHO : n - LEAST_PAIRS + 1]] = 0.0
        return max(0.0, float(np.maximum.reduce(ratios)))


def _by_lag(pairs: Floats64) -> Floats64:
    """Sum of all pairs that are so many frames apart, (n,), of a symmetric matrix (n, n)."""
    n = len(pairs)
    # Read as rows of one more, what was a diagonal is a column.
    wide = np.zeros((n + 1, 2 * n))
    wide[:n, :n] = pairs
    columns: Floats64 = wide.reshape(-1)[: n * (2 * n + 1)].reshape(n, 2 * n + 1)
    sums: Floats64 = np.add.reduce(columns)[:n]
    return sums


class _Shapes:
    """The newest faces, and how much they differ in shape."""

    def __init__(self) -> None:
        self._faces: NDArray[np.complex128] | None = None
        """complex128 (SHAPES, points): x + iy of the nth face that came in row n modulo SHAPES, so
        that sums are rounded alike whenever they are made. Made for the first one."""
        self._came = 0
        self._times_s: deque[float] = deque(maxlen=SHAPES)

    def add(self, shape_px: NDArray[np.float32], now_s: float) -> None:
        """Take the shape of one face, float32 (points, 2)."""
        self._times_s.append(now_s)
        if self._faces is None:
            self._faces = np.empty((SHAPES, len(shape_px)), np.complex128)
        face = self._faces[self._came % SHAPES]
        face.real, face.imag = shape_px[:, 0], shape_px[:, 1]
        self._came += 1

    def __len__(self) -> int:
        return min(SHAPES, self._came)

    def wobble(self) -> tuple[float, float | None]:
        """Mean RMS distance of each face to the mean face after the best turn, scale and shift, in
        eye distances: least squares in the plane, so no reflection. And its drift, the distance of
        faces that are far apart in time over that of neighbours; None where neighbours are far
        apart as well.

        With c a face and m the mean, complex numbers about their middle, the best turn and scale
        leave |m|^2 - |<c, m>|^2 / |c|^2: a small difference, for which float64 is enough.
        """
        assert self._faces is not None, "no face was taken"
        faces = self._faces[: len(self)]
        n, points = faces.shape
        faces = faces - np.add.reduce(faces, axis=1, keepdims=True) * (1.0 / points)
        mean = np.add.reduce(faces) * (1.0 / n)
        # Row by row, not @: see _Pairs.
        squares = np.maximum(np.vecdot(faces, faces).real, 1e-6)
        turns = np.vecdot(faces, mean)
        along = np.abs(turns)
        left = np.maximum(np.vdot(mean, mean).real - along * along / squares, 0.0)
        rms = float(np.add.reduce(np.sqrt(left))) / (n * sqrt(points))
        eyes = abs(complex(mean[0] - mean[1]))  # the outer corners
        wobble = float(rms / max(eyes, 1.0))
        if self._times_s[-1] - self._times_s[0] > NEIGHBOURS_S * (n - 1):
            return wobble, None
        with np.errstate(invalid="ignore"):  # what is no number stays none
            faces *= (turns / squares)[:, None]
        if self._came > SHAPES:
            faces = np.roll(faces, -(self._came % SHAPES), axis=0)
        lag = max(1, min(n // 2, FAR_SHAPES))
        return wobble, _apart(faces, lag) / max(_apart(faces, 1), 1e-9)


def _apart(faces: NDArray[np.complex128], lag: int) -> float:
    """Mean distance of faces (n, points) that are so many rows apart, in their own unit."""
    gaps = faces[lag:] - faces[:-lag]
    return float(np.sqrt(np.vecdot(gaps, gaps).real).mean())
