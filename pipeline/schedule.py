"""When each measurement was last made, and whether it is due again.

Here: the arithmetic of periods. Not here: the periods (policy.py), who wants what (session.py).
"""

from __future__ import annotations

EARLY_S = 0.02
"""Half a frame's grace, so that a period of 0.24 s at 15 frames/s means every fourth frame."""


class Schedule:
    """The newest time of each measurement, by its name."""

    def __init__(self) -> None:
        self._made_s: dict[str, float] = {}

    def made(self, what: str, at_s: float) -> None:
        """It was measured in the frame that arrived at `at_s`."""
        self._made_s[what] = at_s

    def due(self, what: str, period_s: float, now_s: float) -> bool:
        """Whether the frame after the one of `now_s` should be measured."""
        return now_s + EARLY_S - self._made_s.get(what, float("-inf")) >= period_s
