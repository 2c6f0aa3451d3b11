"""Which borders of the frame belong to the camera: those that stay where they are.

Here: what several looks at them come to, and when they are others than before. Not here: how they
are seen (sight/bars.py), what follows (session.py): evidence with other borders is of another
picture. A device that somebody holds up moves against the frame, so its border never settles.
"""

from __future__ import annotations

from itertools import pairwise

from pipeline.observation import NO_BARS, Bars, Observation

AGREE = 3
"""Looks that must see the same borders: 0.2 s where every frame is looked at."""
NEAR_PX = 4
"""By which the same borders may differ: ringing beside the picture's edge."""
PATIENCE = 12
"""Looks after which borders that still move are a device's, and stay in the picture."""


class Borders:
    """What the looks of one session say."""

    def __init__(self) -> None:
        self.known: Bars | None = None
        """To take off from every frame; None: not settled yet."""
        self._size: tuple[int, int] | None = None
        self._looks: list[Bars] = []
        self._tried = 0

    @property
    def settled(self) -> bool:
        """Whether a window may begin."""
        return self.known is not None

    def changed(self, obs: Observation) -> bool:
        """Take one observation; True where what was taken off before is not the border any more, so
        that evidence must begin afresh."""
        size = obs.width_px, obs.height_px
        if self._size not in (None, size):
            self._forget()  # the camera has another size: what was known is in other pixels
        self._size = size
        seen = obs.bars_seen
        if seen is None:
            return False
        self._looks = [*self._looks[1 - AGREE :], seen]
        if self.known is None:
            return self._settle(seen)
        if _near(seen, self.known) or len(self._looks) < AGREE:
            return False
        if any(_near(look, self.known) for look in self._looks):
            return False
        # Three looks in a row say otherwise, whether or not they agree.
        self._forget()
        return True

    def _settle(self, seen: Bars) -> bool:
        self._tried += 1
        first = self._tried == 1
        if first and seen == NO_BARS:
            self.known = NO_BARS  # nearly everybody: nothing to wait for
        elif len(self._looks) == AGREE and all(_near(*pair) for pair in pairwise(self._looks)):
            self.known = _widest(self._looks)
        elif self._tried >= PATIENCE:
            self.known = NO_BARS
        return False

    def _forget(self) -> None:
        self.known, self._looks, self._tried = None, [], 0


def _sides(bars: Bars) -> tuple[int, int, int, int]:
    return bars.left_px, bars.top_px, bars.right_px, bars.bottom_px


def _near(one: Bars, other: Bars) -> bool:
    pairs = zip(_sides(one), _sides(other), strict=True)
    return all(abs(a - b) <= NEAR_PX for a, b in pairs)


def _widest(looks: list[Bars]) -> Bars:
    return Bars(*map(max, *map(_sides, looks)))
