"""When each measurement was last made, and whether it is due again.

Here: the arithmetic of periods. Not here: the periods (policy.py), what they are periods of
(measurements.py).
"""

from __future__ import annotations

from collections.abc import Mapping

EARLY_S = 0.02
"""Least grace for uneven arrivals; else half a gap, so that the frame nearest to the period is
taken: the fourth for 0.24 s at 15 frames/s, every one at 5."""
GAP_S = 0.5
"""Longest gap that is expected to come again: slower cameras are no film any more."""


class Schedule:
    """The newest time of each measurement, by its name, and how frames follow each other."""

    def __init__(self) -> None:
        self._made_s: dict[str, float] = {}
        self._heard_s: float | None = None
        self._next_s = 0.0

    def heard(self, at_s: float) -> None:
        """A frame arrived; the next one is expected after the same gap again."""
        if self._heard_s is not None:
            gap_s = min(max(at_s - self._heard_s, 0.0), GAP_S)
            self._next_s = at_s + gap_s + max(EARLY_S, gap_s / 2)
        else:
            self._next_s = at_s + EARLY_S
        self._heard_s = at_s

    def made(self, what: str, at_s: float) -> None:
        """It was measured in the frame that arrived at `at_s`."""
        self._made_s[what] = at_s

    def due(self, periods_s: Mapping[str, float]) -> set[str]:
        """What should be measured in the next frame, by when that will probably arrive."""
        made_s, next_s = self._made_s, self._next_s
        return {
            what
            for what, period_s in periods_s.items()
            if what not in made_s or next_s - made_s[what] >= period_s
        }
