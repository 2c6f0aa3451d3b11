"""Did both eyes close and open again? Speaks for a face, never against one.

In 3 s only 15 % of live people blink, and a film blinks, too (AUC .53 to .56, docs/liveness.md).
Source of the measure: eye aspect ratio, Soukupova and Cech (2016), here from the iris net.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from pipeline.cue import Cue
from pipeline.decision import Evidence, Species, Stand, Topic, leaning
from pipeline.observation import Observation
from pipeline.policy import Policy
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


class Blink(Cue):
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

    def row(self, policy: Policy) -> Evidence:
        """FOR a blink, UNKNOWN without one."""
        numbers = {"samples": float(len(self._eyes))}
        if len(self._eyes) < LEAST or not self._blinked():
            reason = "none_seen" if len(self._eyes) >= LEAST else "too_few_samples"
            return Evidence("blink", Topic.LIVENESS, Stand.UNKNOWN, reason, numbers=numbers)
        return leaning(
            "blink", policy.blink_llr, "blinked", "blinked", numbers, species=(Species.PRINT,)
        )

    def _blinked(self) -> bool:
        both = self._both
        if min(both) >= CLOSED * max(both):
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
