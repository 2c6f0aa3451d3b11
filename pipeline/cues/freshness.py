"""Is the picture new, or frozen, looping, or one still with noise on top?

The anti-spoof net accepts a digital photo fed as a camera, so this row is required. Distances
between the observations' sketches stand for grey-level differences between frames; the limits in
the policy were measured after VP8 on 31 live clips against stills and loops made from them.
Never turns stillness of a *person* into a veto: sensors, breath and light move a live picture.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.decision import Evidence, Stand, Topic
from pipeline.observation import Observation
from pipeline.policy import Policy

MOST = 64
"""Sketches kept: 3 s at 15 frames/s and room; older ones are forgotten, cost stays bounded."""
FIRST_LAG = 3
"""Shortest loop looked for, in frames: below it a loop cannot be told from slow motion."""


class Freshness:
    """Collects the sketches of one window."""

    def __init__(self) -> None:
        self._sketches: list[NDArray[np.float32]] = []
        self._times_s: list[float] = []

    def add(self, obs: Observation) -> None:
        """Take one observation."""
        self._sketches.append(obs.sketch)
        self._times_s.append(obs.arrival_s)
        del self._sketches[:-MOST], self._times_s[:-MOST]

    def share(self, policy: Policy) -> float:
        """How much of the evidence needed is in, 0..1."""
        return min(1.0, len(self._sketches) / policy.min_frames)

    def row(self, policy: Policy) -> Evidence:
        """AGAINST for frozen and looping pictures; UNKNOWN while it cannot be told."""
        if len(self._sketches) < policy.min_frames:
            return self._say(Stand.UNKNOWN, "too_few_frames", {"frames": len(self._sketches)})
        sketches = np.stack(self._sketches)
        steps = np.linalg.norm(np.diff(sketches, axis=0), axis=1)
        step = float(np.quantile(steps, 0.75))
        still_s = self._still_s(steps, policy)
        numbers = {"frames": float(len(sketches)), "step": step, "still_s": still_s}
        if still_s >= policy.frozen_s or step <= policy.frozen_step:
            return self._say(Stand.AGAINST, "frozen", numbers)
        mean = float(steps.mean())
        # Lags up to half the window: each is then judged on at least as many pairs as its length.
        lags = range(FIRST_LAG, max(FIRST_LAG + 1, len(sketches) // 2 + 1))
        apart = [float(np.linalg.norm(sketches[k:] - sketches[:-k], axis=1).mean()) for k in lags]
        ratio, growth = min(apart) / mean, apart[-1] / mean
        numbers |= {"ratio": ratio, "growth": growth}
        if ratio < policy.loop_ratio:
            return self._say(Stand.AGAINST, "looping", numbers)
        if ratio < policy.alive_ratio:
            return self._say(Stand.UNKNOWN, "repeats", numbers)
        if step < policy.fresh_step:
            return self._say(Stand.UNKNOWN, "hardly_moves", numbers)
        if step < policy.noise_step and growth < policy.growth_ratio:
            return self._say(Stand.UNKNOWN, "only_noise", numbers)
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
