"""Which encoded frames are decoded: those that fit, in time, whose references were decoded.

Pure: times are arguments. What is skipped here is neither decoded nor recorded, so a tape shows
what the server saw. Not here: what a frame says of itself (pipeline/encoded.py), how much a peer
may send (inflow.py), the queue before the decoder (receiving.py).
Source: RFC 4585 section 6.3.1; docs/decisions/frames-not-decoded.md.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from pipeline.encoded import Unfit, is_key, unfit
from server.limits import Bucket

MAX_WAITING = 60
"""Encoded frames that may wait for the decoder: two seconds; a decoder needs 1 ms for each."""
KEYS_PER_S = 30.0
"""Decoded on average, if all frames are key frames; others count half, as they take 0.6 ms of CPU
at 640x480 where a key frame takes 1.1 (measured). The widget asks cameras for 15 frames/s."""
BURST_S = 1.0
"""A network that stood still for so long delivers at once what it held back."""
MAX_TOO_LARGE = 5
"""Frames that are too large, until the stream is given up: a camera does not become smaller."""


class Skipped(StrEnum):
    """Why a frame was not decoded."""

    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    """It does not say for certain how large it is."""
    BEHIND = "behind"
    """The decoder has too much to do already."""
    RATE = "rate"
    """Frames come faster than they are decoded."""
    GAP = "gap"
    """It refers to one that was skipped."""


class Intake:
    """One stream's; told of every frame in order."""

    def __init__(self, now_s: float) -> None:
        self.skipped: Counter[Skipped] = Counter()
        self._frames = Bucket(KEYS_PER_S, KEYS_PER_S * BURST_S, now_s)
        self._gap = False

    @property
    def given_up(self) -> bool:
        """Whether too many frames were too large. Malformed ones come from lost packets, too."""
        return self.skipped[Skipped.TOO_LARGE] >= MAX_TOO_LARGE

    def gap(self) -> None:
        """A frame before the next one never came."""
        self._gap = True

    def skip(self, codec: str, data: bytes, waiting: int, now_s: float) -> Skipped | None:
        """Why the next frame must not be decoded; None if it must. Never raises.

        `waiting`: frames that the decoder has not begun yet. What follows a frame that was skipped
        refers to it, up to the next key frame: so key frames alone can be thinned out freely. The
        newest wins, because none is kept back for later.
        """
        why = self._why(codec, data, waiting, now_s)
        self._gap = why is not None
        if why is not None:
            self.skipped[why] += 1
        return why

    def _why(self, codec: str, data: bytes, waiting: int, now_s: float) -> Skipped | None:
        match unfit(codec, data):
            case Unfit.TOO_LARGE:
                return Skipped.TOO_LARGE
            case Unfit.MALFORMED:
                return Skipped.MALFORMED
        key = is_key(codec, data)
        if self._gap and not key:
            return Skipped.GAP
        if waiting >= MAX_WAITING:
            return Skipped.BEHIND
        if self._frames.take(now_s, 1.0 if key else 0.5) > 0.0:
            return Skipped.RATE
        return None
