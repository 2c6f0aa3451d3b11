"""When each measurement was last made, how often in this window, and which are due the most.

Here: the arithmetic of periods and counts. Not here: the periods (policy.py), what they are periods
of and how many a frame may carry (measurements.py).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from math import inf

EARLY_S = 0.02
"""Least grace for uneven arrivals; else half a gap, so that the frame nearest to the period is
taken: the fourth for 0.24 s at 15 frames/s, every one at 5."""
GAP_S = 0.5
"""Longest gap that is expected to come again: slower cameras are no film any more."""
GAPS = 6
"""Newest gaps whose mean is a camera's pace: networks hold frames up and let them go in bursts."""


class Schedule:
    """The newest time of each measurement, by its name, and how frames follow each other."""

    def __init__(self) -> None:
        self._made_s: dict[str, float] = {}
        self._count: Counter[str] = Counter()
        self._heard_s: deque[float] = deque(maxlen=GAPS + 1)
        self._next_s = 0.0
        self._began_s = inf

    def heard(self, at_s: float) -> None:
        """A frame arrived; the next one is expected after the same gap again."""
        if self._heard_s:
            gap_s = min(max(at_s - self._heard_s[-1], 0.0), GAP_S)
            self._next_s = at_s + gap_s + max(EARLY_S, gap_s / 2)
        else:
            self._next_s = at_s + EARLY_S
        self._heard_s.append(at_s)

    @property
    def gap_s(self) -> float:
        """Mean of the newest gaps between frames; endless until there are enough of them."""
        if len(self._heard_s) <= GAPS:
            return inf
        return (self._heard_s[-1] - self._heard_s[0]) / GAPS

    def begin(self) -> None:
        """A window began with the newest frame: what it needs is counted from here."""
        self._count.clear()
        self._began_s = self._heard_s[-1] if self._heard_s else inf

    def made(self, what: str, at_s: float) -> None:
        """It was measured in the frame that arrived at `at_s`."""
        self._made_s[what] = at_s
        self._count[what] += 1

    def lacks(self, needs: Mapping[str, int]) -> bool:
        """Whether the window has too few of anything."""
        return any(self._count[what] < need for what, need in needs.items())

    def due(
        self, periods_s: Mapping[str, float], needs: Mapping[str, int], within_s: float
    ) -> tuple[list[str], list[str]]:
        """What should be measured in the next frame, by when that will probably arrive: what the
        window has too few of (`needs`, by name), in the order of `periods_s`, and what it has
        enough of, the most overdue by its own period first. What is needed comes so often that all
        of it is in after `within_s`, and not less often than its period says. What a window lacks
        after that time is late, as frames were few, so it is due in every frame."""
        since_s = {what: self._next_s - self._made_s.get(what, -inf) for what in periods_s}
        late = bool(self._heard_s) and self._heard_s[-1] - self._began_s >= within_s
        lacking, rest = [], []
        for what, period_s in periods_s.items():
            need = needs.get(what, 0)
            if self._count[what] >= need:
                if since_s[what] >= period_s:
                    rest.append(what)
            elif late or since_s[what] >= min(period_s, within_s / need):
                lacking.append(what)
        rest.sort(key=lambda what: -since_s[what] / max(periods_s[what], EARLY_S))
        return lacking, rest
