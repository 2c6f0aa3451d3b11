"""When a peer counts as gone: it never came, it shows nothing, or it has been silent for too long.

Pure: times are arguments, monotonic seconds. Not here: who waits for it (peer.py), how long a
session may last at all (pipeline/session/). Source: RFC 7675 section 5.1, whose consent would
notice a lost peer only after 30 s; aiortc itself waits for ever for a peer that never connects.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a peer may take, seconds."""

    connect_s: float = 10.0
    """From the answer to the open channel."""
    first_frame_s: float = 10.0
    """From the open channel to the first picture."""
    silence_s: float = 3.5
    """Without picture and message; the time that a picture is being measured does not count."""


class Presence:
    """What one peer has let us hear and see."""

    def __init__(self, started_s: float, patience: Patience | None = None) -> None:
        """`started_s`: when its offer is being answered."""
        self.started_s = started_s
        self.opened_s: float | None = None
        """When the channel was open."""
        self.first_s: float | None = None
        """When the first picture was there."""
        self._patience = patience or Patience()
        self._heard_s = started_s
        self._measuring = False

    def open(self, now_s: float) -> None:
        """The channel is open."""
        self.opened_s = now_s
        self.hear(now_s)

    def hear(self, now_s: float) -> None:
        """A message came."""
        self._heard_s = max(self._heard_s, now_s)

    def measure(self, arrival_s: float, now_s: float) -> None:
        """A picture, which arrived a moment ago, is now being measured."""
        if self.first_s is None:
            self.first_s = now_s
        self._measuring = True
        self.hear(arrival_s)

    def measured(self, now_s: float) -> None:
        """That picture was measured. Silence begins now, because while we were busy no newer
        picture could be noticed."""
        self._measuring = False
        self.hear(now_s)

    def gone_s(self) -> float:
        """When this peer counts as gone if nothing more comes; infinite while one measures."""
        if self.opened_s is None:
            return self.started_s + self._patience.connect_s
        silent_s = math.inf if self._measuring else self._heard_s + self._patience.silence_s
        if self.first_s is None:
            return min(silent_s, self.opened_s + self._patience.first_frame_s)
        return silent_s
