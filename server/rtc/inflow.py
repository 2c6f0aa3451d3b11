"""How much one peer may send: what comes beyond that is dropped before anything is spent on it.

Pure: times are arguments. Not here: where datagrams come in (stack.py), which of the frames that
came are decoded (intake.py). Source: docs/decisions/frames-not-decoded.md.
"""

from __future__ import annotations

BYTES_PER_S = 1_000_000.0
"""On average. Chromium sends 0.3 MB/s at most (2.5 Mbit/s, libwebrtc's
GetMaxDefaultVideoBitrateKbps); a megabyte takes 60 ms of CPU to decode, and as much to decrypt and
to put together (measured)."""
BURST_S = 1.0
"""A network that stood still for so long delivers at once what it held back."""
REOPEN = 0.5
"""Of a second's worth must be free again before more is taken: a few long gaps cost the stack less
than many short ones, each of which it reports to the sender."""


class Inflow:
    """One peer's."""

    def __init__(self, now_s: float) -> None:
        self.dropped = 0
        """Datagrams that were not taken."""
        self._free = BYTES_PER_S * BURST_S
        self._at_s = now_s
        self._shut = False

    def takes(self, size: int, now_s: float) -> bool:
        """Whether a datagram of so many bytes is taken."""
        most = BYTES_PER_S * BURST_S
        self._free = min(most, self._free + max(0.0, now_s - self._at_s) * BYTES_PER_S)
        self._at_s = max(self._at_s, now_s)
        if self._free < (most * REOPEN if self._shut else size):
            self._shut = True
            self.dropped += 1
            return False
        self._shut = False
        self._free -= size
        return True
