"""A window's eyelids: did both eyes close and open again?

Here: the samples and the finding. Not here: what it is worth (cues/blink.py, cues/freshness.py),
how eyes are measured (nets/iris.py). Source of the measure: eye aspect ratio, Soukupova and Cech
(2016).
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from pipeline.observation import Observation
from pipeline.quantile import quantile

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
"""Samples kept: 4 s at 15 a second."""


class Lids:
    """Collects the eye aspect ratios of one window."""

    def __init__(self) -> None:
        self._times_s: list[float] = []
        self._eyes: list[tuple[float, float]] = []
        self._both: list[float] = []
        """Their means."""

    def add(self, obs: Observation) -> None:
        """Take one observation's eyes, if they were measured."""
        eyes = obs.face.eyes if obs.face is not None else None
        if eyes is None or not all(map(isfinite, eyes)):
            return
        self._times_s.append(obs.arrival_s)
        self._eyes.append(eyes)
        self._both.append((eyes[0] + eyes[1]) / 2)
        if len(self._both) > MOST:
            del self._times_s[0], self._eyes[0], self._both[0]

    def __len__(self) -> int:
        return len(self._both)

    @property
    def blinked(self) -> bool:
        """Whether a blink was seen."""
        both = self._both
        if len(both) < LEAST or min(both) >= CLOSED * max(both):
            return False
        open_both = _open(both)
        open_left, open_right = (_open(eye) for eye in zip(*self._eyes, strict=True))
        for n, (left, right) in enumerate(self._eyes):
            closed = both[n] / open_both < CLOSED
            if closed and max(left / open_left, right / open_right) < ONE_CLOSED:
                ago_s = [self._times_s[n] - time_s for time_s in self._times_s]
                wide = [s for s, b in zip(ago_s, both, strict=True) if b / open_both > OPENED]
                if any(0 < s <= BEFORE_S for s in wide) and any(-AFTER_S <= s < 0 for s in wide):
                    return True
        return False


def _open(ratios: Iterable[float]) -> float:
    return max(quantile(ratios, OPEN_QUANTILE), 1e-6)
