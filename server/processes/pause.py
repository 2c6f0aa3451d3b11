"""How long to wait before a process that died is started again.

Pure: times are arguments, monotonic seconds. Not here: starting it (supervisor.py). Source:
exponential back-off as systemd's RestartSteps and Kubernetes' CrashLoopBackOff have it.
"""

from __future__ import annotations

FIRST_S = 0.5
LONGEST_S = 30.0
"""A fault that lasts must not keep the machine busy with starts, 2 CPU seconds each."""
LASTED_S = 60.0
"""Whoever lived for so long died of something new."""


class Pause:
    """Doubled by each death, until one has lived for a while."""

    def __init__(self) -> None:
        self._next_s = FIRST_S

    def after(self, lived_s: float) -> float:
        """Seconds to wait after a death; `lived_s`: between start and death."""
        if lived_s >= LASTED_S:
            self._next_s = FIRST_S
        pause_s, self._next_s = self._next_s, min(LONGEST_S, 2.0 * self._next_s)
        return pause_s
