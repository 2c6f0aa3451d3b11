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

import numpy as np
from numpy.typing import NDArray

from pipeline.decision import Evidence, Stand, Topic
from pipeline.observation import Observation
from pipeline.policy import Policy

MOST = 64
"""Frames kept: 3 s at 15 frames/s and room; older ones are forgotten, cost stays bounded."""
FIRST_LAG = 3
"""Shortest loop looked for, in frames: below it a loop cannot be told from slow motion."""
LATE = 10
"""Frames whose change is judged: by then the encoder has done most of its sharpening."""
SHAPES = 48
"""Faces whose shape is compared: 3 s at 15 frames/s; a living face leaves its mean shape with time,
a stiff one does not."""
SAME = 0.05
"""Grey levels between two sketches below which it is the same picture again; the quietest camera
moves by .81 from frame to frame. What a camera of 10 frames/s shows may be sent at 15."""
LEFT_EYE, RIGHT_EYE = 33, 263
"""Outer eye corners in the MediaPipe mesh: the unit of length."""


class Freshness:
    """Collects the sketches and face shapes of one window."""

    def __init__(self) -> None:
        self._all: list[NDArray[np.float32]] = []
        self._sketches: list[NDArray[np.float32]] = []
        self._times_s: list[float] = []
        self._shapes: list[NDArray[np.complex64]] = []

    def add(self, obs: Observation) -> bool:
        """Take one observation. False: it shows the picture before it once more."""
        new = not self._all or float(np.linalg.norm(obs.sketch - self._all[-1])) > SAME
        self._all.append(obs.sketch)
        self._times_s.append(obs.arrival_s)
        del self._all[:-MOST], self._times_s[:-MOST]
        if not new:
            return False
        self._sketches.append(obs.sketch)
        del self._sketches[:-MOST]
        if obs.face is not None:
            points = obs.face.mesh_px
            self._shapes.append((points[:, 0] + 1j * points[:, 1]).astype(np.complex64))
            del self._shapes[:-SHAPES]
        return True

    def share(self, policy: Policy) -> float:
        """How much of the evidence needed is in, 0..1."""
        return min(1.0, len(self._shapes) / policy.min_frames)

    def row(self, policy: Policy) -> Evidence:
        """AGAINST for frozen and looping pictures; OPEN while it cannot be told, UNKNOWN with too
        few frames."""
        if len(self._all) < policy.min_frames:
            return self._say(Stand.UNKNOWN, "too_few_frames", {"frames": float(len(self._all))})
        steps = np.linalg.norm(np.diff(np.stack(self._all), axis=0), axis=1)
        step = float(np.quantile(steps[-LATE:], 0.75))
        still_s = self._still_s(steps, policy)
        n = len(self._sketches)
        numbers = {"frames": float(n), "step": step, "still_s": still_s}
        if still_s >= policy.frozen_s or step <= policy.frozen_step:
            return self._say(Stand.AGAINST, "frozen", numbers)
        if min(n, len(self._shapes)) < policy.min_frames:
            return self._say(Stand.UNKNOWN, "too_few_frames", numbers)
        wobble = _wobble(np.stack(self._shapes))
        numbers["wobble"] = wobble
        if step < policy.fresh_step and wobble <= policy.frozen_wobble:
            return self._say(Stand.AGAINST, "stiff", numbers)
        sketches = np.stack(self._sketches)
        mean = float(np.linalg.norm(np.diff(sketches, axis=0), axis=1).mean())
        # Lags up to half the window: each is then judged on at least as many pairs as its length.
        lags = range(FIRST_LAG, max(FIRST_LAG + 1, n // 2 + 1))
        apart = [float(np.linalg.norm(sketches[k:] - sketches[:-k], axis=1).mean()) for k in lags]
        ratio, growth = min(apart) / mean, apart[-1] / mean
        numbers |= {"ratio": ratio, "growth": growth}
        if ratio < policy.loop_ratio:
            return self._say(Stand.AGAINST, "looping", numbers)
        if ratio < policy.alive_ratio:
            return self._say(Stand.OPEN, "repeats", numbers)
        if step < policy.fresh_step or wobble < policy.fresh_wobble:
            return self._say(Stand.OPEN, "hardly_moves", numbers)
        if step < policy.noise_step and growth < policy.growth_ratio:
            return self._say(Stand.OPEN, "only_noise", numbers)
        return self._say(Stand.FOR, "fresh", numbers)

    def _still_s(self, steps: NDArray[np.floating], policy: Policy) -> float:
        """Length of the run without change that ends now, seconds."""
        moving = np.flatnonzero(steps > policy.frozen_step)
        since = 0 if not len(moving) else int(moving[-1]) + 1
        return self._times_s[-1] - self._times_s[since]

    @staticmethod
    def _say(stand: Stand, reason: str, numbers: dict[str, float]) -> Evidence:
        # Carries no LLR of its own: freshness forbids, it does not vouch for a face.
        return Evidence("freshness", Topic.LIVENESS, stand, reason, numbers=numbers)


def _wobble(shapes: NDArray[np.complex64]) -> float:
    """Mean RMS distance of each face (n, 468, complex px) to the mean face after the best turn,
    scale and shift, in eye distances: least squares in the complex plane, so no reflection."""
    centred = shapes - shapes.mean(axis=1, keepdims=True)
    mean = centred.mean(axis=0)
    # Sums of products, not @: BLAS would wake its own threads, which then spin (measured: two
    # thirds of a login's CPU).
    turn = (centred.conj() * mean).sum(axis=1) / np.maximum(
        (np.abs(centred) ** 2).sum(axis=1), 1e-6
    )
    rest = np.abs(turn[:, None] * centred - mean)
    eyes = float(np.abs(mean[LEFT_EYE] - mean[RIGHT_EYE]))
    return float(np.sqrt((rest**2).mean(axis=1)).mean()) / max(eyes, 1.0)
