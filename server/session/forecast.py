"""How long somebody in line will wait: what is known now, played forward.

Those who have a place leave it when sessions of their age did of late, and those in line take what
is free as occupancy.py gives it, slow start included. So ages count, and not only how many there
are: sessions that were let in together end together. Pure: times are arguments, monotonic seconds.
Not here: who may have a place (occupancy.py), the order of those who wait (line.py). Measured with
tests/server/session/test_forecast.py and `python -m benchmarks.capacity`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush

from server.session.occupancy import slow_start
from server.session.pressure import SETTLE_S

STAY_S = 2.0
"""How long a session keeps its place, as long as none was measured (docs/benchmarks.md)."""
STAYS = 64
"""The newest count: ten seconds of two cores, so that a few long ones do not say how all are."""
OLDER = 0.5
"""A session older than all of them stays for so much of its age."""
LIMIT_S = 5.0
"""What is carried swings within seconds; the mean of so many is what it comes back to."""
BACK_S = 1.0
"""In which it does, by two thirds."""
STEP_S = 0.25
"""Between two looks at the limit on its way back."""
LEAST_S = 0.5
"""The least that is told, because nobody knows a session's end to a tenth of a second. It says
"within a second"."""


class Forecast:
    """Remembers how long sessions stayed and how many were carried."""

    def __init__(self) -> None:
        self._stays_s: deque[float] = deque([STAY_S], STAYS)
        self._limit: float | None = None
        """The mean of late."""
        self._limit_s = 0.0
        """When that was told."""

    def left(self, stay_s: float) -> None:
        """A session kept its place for so long."""
        self._stays_s.append(stay_s)

    def carried(self, limit: int, now_s: float) -> None:
        """So many are let in now."""
        if self._limit is None:
            self._limit = limit
        else:
            gap_s = now_s - self._limit_s
            self._limit += (1.0 - math.exp(-gap_s / LIMIT_S)) * (limit - self._limit)
        self._limit_s = now_s

    def wait_s(self, ahead: int, ages_s: Iterable[float], limit: int, at_once: float) -> float:
        """Until who has `ahead` before has a place.

        `ages_s`: of those who have one. `limit`, `at_once`: as Occupancy has them now.
        """
        known_s = sorted(self._stays_s)
        ages = list(ages_s)
        ends_s = [_rest_s(age_s, known_s) for age_s in ages]
        settled_s = [SETTLE_S - age_s for age_s in ages if age_s < SETTLE_S]
        heapify(ends_s)
        heapify(settled_s)
        usual = limit if self._limit is None else self._limit
        in_s, swings = 0.0, limit != round(usual)
        while True:
            most = max(1, round(usual + (limit - usual) * math.exp(-in_s / BACK_S)))
            there = len(ends_s)
            if there < most and slow_start(there, len(settled_s), at_once):
                if ahead == 0:
                    return max(LEAST_S, in_s)
                ahead -= 1
                heappush(ends_s, in_s + _rest_s(0.0, known_s))
                heappush(settled_s, in_s + SETTLE_S)
                continue
            swings = swings and most != round(usual)
            coming_s = [heap[0] for heap in (ends_s, settled_s) if heap]
            in_s = min([*coming_s, in_s + STEP_S] if swings else coming_s)
            for heap in (ends_s, settled_s):
                while heap and heap[0] <= in_s:
                    heappop(heap)


def _rest_s(age_s: float, known_s: Sequence[float]) -> float:
    """The median of what sessions stayed that became so old; `known_s` is sorted."""
    older = bisect_right(known_s, age_s)
    if older == len(known_s):
        return OLDER * age_s
    return known_s[(older + len(known_s)) // 2] - age_s
