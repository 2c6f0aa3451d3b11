"""What senders are told of their bandwidth: how often, and how the rate of arrival is counted.

Pure: times are arguments, ms. Not here: the estimate itself, which is aiortc's (its module rate,
after libwebrtc's). Source: draft-alvestrand-rmcat-remb-03; libwebrtc's remb_throttler.cc.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import aiortc.rate

REMB_MS = 200
"""Between two reports to a sender, kRembSendInterval of libwebrtc. aiortc sends one with each
packet while it takes the line for overused, which a busy server makes it believe: 17 % of the event
loop's time (measured)."""
FALLEN = 0.97
"""Of what was reported: an estimate below goes out at once, kSendThresholdPercent of libwebrtc."""

_add_of_stack = aiortc.rate.RemoteBitrateEstimator.add


def add(
    self: Any, arrival_time_ms: int, abs_send_time: int, payload_size: int, ssrc: int
) -> tuple[int, list[int]] | None:
    """In place of RemoteBitrateEstimator.add: what is to be reported, or None if nothing is."""
    estimate = _add_of_stack(self, arrival_time_ms, abs_send_time, payload_size, ssrc)
    if estimate is None:
        return None
    last: tuple[int, int] | None = getattr(self, "reported", None)
    if last is not None:
        at_ms, bitrate = last
        if arrival_time_ms - at_ms < REMB_MS and estimate[0] >= FALLEN * bitrate:
            return None
    self.reported = (arrival_time_ms, estimate[0])
    return estimate


class RateCounter:
    """In place of aiortc's, with the same numbers: bits per second over the last `window_size` ms.

    That one has an object for each ms of the window, 0.2 MB a session, and goes over each ms that
    passes.
    """

    def __init__(self, window_size: int, scale: int = 8000) -> None:
        self._scale = scale
        self._window_ms = window_size
        self._origin_ms: int | None = None
        self.reset()

    def add(self, value: int, now_ms: int) -> None:
        """So many bytes came."""
        if self._origin_ms is None:
            self._origin_ms = now_ms
        else:
            self._forget(now_ms)
        self._came.append((now_ms, value))
        self._total += value

    def rate(self, now_ms: int) -> int | None:
        """Bits per second; None if nothing came within the window, or within one ms."""
        if self._origin_ms is None:
            return None
        self._forget(now_ms)
        active_ms = now_ms - self._origin_ms + 1
        if not self._came or active_ms <= 1:
            return None
        return round(self._scale * self._total / active_ms)

    def reset(self) -> None:
        """Begin again."""
        self._came: deque[tuple[int, int]] = deque()
        self._total = 0
        self._origin_ms = None

    def _forget(self, now_ms: int) -> None:
        first_ms = now_ms - self._window_ms + 1
        if self._origin_ms is not None and self._origin_ms < first_ms:
            self._origin_ms = first_ms
        while self._came and self._came[0][0] < first_ms:
            self._total -= self._came.popleft()[1]
