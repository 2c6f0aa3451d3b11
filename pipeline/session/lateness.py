"""Is it the connection that is slow, and not the camera? Guidance alone.

A slow camera takes few pictures, and each is here at once. A slow line holds back what comes too
fast: pictures are here later and later after they were taken. Not here: whether pictures are too
few at all (guidance.py). The sender's times are a claim, so nothing but a sentence rests on it.
"""

from __future__ import annotations

from math import inf

from pipeline.observation import Observation
from pipeline.reasons import Hint

LATE_S = 0.3
"""By how much later than the quickest picture the newest one must be: queues of home routers hold
0.3 to 1 s (RFC 8290 section 1 calls it bufferbloat), a camera and a codec differ by 0.1."""


class Lateness:
    """Compares when pictures were taken, by the sender, with when they were here."""

    def __init__(self) -> None:
        self._least_s, self._newest_s = inf, inf

    def add(self, obs: Observation) -> None:
        """Take one observation."""
        self._newest_s = obs.arrival_s - obs.media_s
        self._least_s = min(self._least_s, self._newest_s)

    def cause(self) -> Hint:
        """What to say where pictures are too few."""
        late = self._newest_s - self._least_s > LATE_S  # nan and inf are no lateness
        return Hint.CONNECTION_SLOW if late else Hint.CAMERA_SLOW
