"""How many sessions the CPUs carry at this moment, learned from the pictures that are looked at.

Pure: it is told how long each look took and how long the session had waited for it; both grow as
soon as others take the CPU, and shrink as soon as they let go. Not here: who measures
(server/frames/inference.py), who may have a session then (occupancy.py). Source: the response time
law of closed queueing networks (Lazowska et al., Quantitative System Performance, 1984, section
3.5): of n sessions that are looked at in turn by w threads, each is looked at every n * look / w
seconds. So the rate of looks sinks by itself, evenly, and people are refused where it would sink
below what a session needs.
"""

from __future__ import annotations

from typing import Protocol

CYCLE_S = 0.12
"""Between two looks at one session, where as many are let in as the threads carry; a camera gives a
picture every 67 ms. Measured (`python -m benchmarks.capacity`): from .1 to .14 as many log in, and
more at once only take longer."""
FIRST_S = 0.012
"""A look, as long as none was measured: docs/benchmarks.md."""
LONGEST_S = 0.25
"""One that took longer stood still for another reason, such as a file that was read for the first
time."""
WEIGHT = 1 / 24
"""Of the newest look: a look takes 2 to 40 ms by what is measured in it, and one session's dear
looks come every sixth. Two busy cores make so many looks in a fifth of a second."""
SETTLE_S = 0.6
"""From the offer until a session's looks are part of what was learned: 0.2 s until it shows a
picture, and some looks."""


class Capacity(Protocol):
    """What bounds sessions beside their number."""

    def sessions(self) -> int:
        """How many are carried now; at least 1."""

    def at_once(self) -> int:
        """How many may begin within SETTLE_S on an idle server, because their cost is not measured
        yet."""


class Pressure:
    """Capacity of the threads of one process."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._look_s = FIRST_S
        self._wait_s = 0.0

    def waited(self, seconds: float) -> None:
        """A session waited so long for its turn."""
        self._wait_s += WEIGHT * (min(seconds, LONGEST_S) - self._wait_s)

    def looked(self, seconds: float) -> None:
        """A look took so long, from its beginning in a thread until the event loop knew of it."""
        self._look_s += WEIGHT * (min(seconds, LONGEST_S) - self._look_s)

    def sessions(self) -> int:
        """As Capacity says."""
        carried = self._workers * CYCLE_S / self._look_s
        # Nobody waits longer than a cycle if the law holds; where it does not, fewer are carried.
        return max(1, round(carried * min(1.0, CYCLE_S / max(self._wait_s, 1e-9))))

    def at_once(self) -> int:
        """As Capacity says: two for each thread."""
        return 2 * self._workers
