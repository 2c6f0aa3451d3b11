"""Did both eyes close and open again? Speaks for a face, never against one.

In 3 s only 15 % of live people blink, and a film blinks, too (AUC .53 to .56, docs/liveness.md).
Source of the measure: eye aspect ratio, Soukupova and Cech (2016), here from the iris net.
"""

from __future__ import annotations

from math import isfinite

import numpy as np

from pipeline.decision import Evidence, Stand, Topic
from pipeline.observation import Observation
from pipeline.policy import Policy

OPEN_QUANTILE = 0.8
"""Of a window's ratios: what counts as this person's open eye."""
CLOSED, ONE_CLOSED, OPENED = 0.55, 0.7, 0.8
"""Share of the open ratio below which the mean of both eyes, and each eye, is closed; and above
which they are open. Fit with the other cues' features; a wink is none."""
BEFORE_S, AFTER_S = 0.5, 0.6
"""How long before and after it the eyes must be seen open: a blink is short."""
LEAST = 5
"""Samples needed for an idea of the open eye."""
MOST = 64
"""Samples kept: 8 s at 8 a second."""


class Blink:
    """Collects the eye aspect ratios of one window."""

    def __init__(self) -> None:
        self._times_s: list[float] = []
        self._eyes: list[tuple[float, float]] = []

    def add(self, obs: Observation) -> None:
        """Take one observation's eyes, if they were measured."""
        if obs.face is not None and obs.face.eyes is not None and all(map(isfinite, obs.face.eyes)):
            self._times_s.append(obs.arrival_s)
            self._eyes.append(obs.face.eyes)
            del self._times_s[:-MOST], self._eyes[:-MOST]

    def row(self, policy: Policy) -> Evidence:
        """FOR a blink, UNKNOWN without one."""
        numbers = {"samples": float(len(self._eyes))}
        if len(self._eyes) < LEAST or not self._blinked():
            reason = "none_seen" if len(self._eyes) >= LEAST else "too_few_samples"
            return Evidence("blink", Topic.LIVENESS, Stand.UNKNOWN, reason, numbers=numbers)
        return Evidence(
            "blink", Topic.LIVENESS, Stand.FOR, "blinked", policy.blink_llr, numbers=numbers
        )

    def _blinked(self) -> bool:
        eyes = np.asarray(self._eyes, dtype=np.float64)
        times_s = np.asarray(self._times_s)
        both = eyes.mean(axis=1)
        both = both / max(float(np.quantile(both, OPEN_QUANTILE)), 1e-6)
        each = eyes / np.maximum(np.quantile(eyes, OPEN_QUANTILE, axis=0), 1e-6)
        wide = both > OPENED
        for k in np.flatnonzero((both < CLOSED) & (each.max(axis=1) < ONE_CLOSED)):
            ago_s = times_s[k] - times_s
            before = (ago_s > 0) & (ago_s <= BEFORE_S)
            after = (ago_s < 0) & (-ago_s <= AFTER_S)
            if (wide & before).any() and (wide & after).any():
                return True
        return False
