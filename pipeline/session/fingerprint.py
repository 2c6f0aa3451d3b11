"""Whether a session shows what an earlier one showed: the same film, played again.

A path is how the picture went during a session: the steps of its sketches, 10 a second, each of
length 0 to 1, without what only brightens the whole. Two films of one person at one desk share the
picture and not the path; a film that is coded again, scaled or trimmed keeps it. Not here: how
paths are kept and what follows from a likeness (server/session/replays.py).
Source: docs/replayed.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.observation import Floats, Observation

NUMBERS = 32
"""Of a sketch's 64: any of a random projection do, and 60 steps of them are below 2 kB."""
RATE_HZ = 10
LAG = 2
"""A step leads from a sketch to the one 0.2 s later: over 0.1 s the codec's noise counts for more
(measured when it was chosen)."""
MOST = 60
"""Steps of a path, the newest 6 s."""
NOISE = 1.0
"""Grey levels. A step of that length counts half (1 / sqrt 2), a shorter one less: what a codec
makes of a picture that stands still."""
PHASES_S = (0.0, 1 / 30, 2 / 30)
"""Where between two samples of the stored path those of the open session may fall."""
LEAST = 5
"""Steps of a path, at least: a session that was decided 1 s after its first picture has 7 or 8."""
SHARED = 0.4
OVERLAP = 10
"""Two paths must share so much of the shorter one to be compared, LEAST steps at least and OVERLAP
at most. Else two paths of 6 s have a hundred chances to be alike for half a second."""
MOVED = 0.3
"""Mean of the squared lengths of these steps, at least: of two still pictures nothing is known."""
REPLAYED = 0.75
"""Likeness from which on it is the same film, chosen for what one person does at one desk: of 2,157
pairs of other seconds of one recording 0 have it, and of 1 s of a film shown again in three ways
94 % do (docs/replayed.md; `python -m benchmarks.replayed DATA`)."""
FORM = 1
"""First byte of what is kept; another form is no path that can be compared."""

Steps = NDArray[np.float32]


class Path:
    """How the picture of one session goes."""

    def __init__(self) -> None:
        self._times_s: deque[float] = deque()
        self._sketches: deque[Floats] = deque()

    def add(self, obs: Observation) -> None:
        """One picture; what is older than a path is let go, and time never runs back."""
        if self._times_s and obs.arrival_s <= self._times_s[-1]:
            return
        self._times_s.append(obs.arrival_s)
        self._sketches.append(obs.sketch[:NUMBERS].copy())
        oldest_s = obs.arrival_s - (MOST + LAG + 1) / RATE_HZ
        while self._times_s[0] < oldest_s:
            self._times_s.popleft()
            self._sketches.popleft()

    def kept(self) -> bytes | None:
        """161 to 1,921 bytes to compare others with; None if it is too short for that."""
        steps = self._steps(0.0)
        if len(steps) < LEAST:
            return None
        return bytes([FORM]) + np.round(steps * 127).astype(np.int8).tobytes()

    def likeness(self, others: Sequence[bytes]) -> float | None:
        """The greatest cosine, -1 to 1, of this path with those that were kept, over all lags.

        None where nothing can be compared: none was kept, or too little moves. Raises ValueError if
        one is no path."""
        mine = [self._steps(phase_s) for phase_s in PHASES_S]
        length = min(len(steps) for steps in mine)
        if not others or length < LEAST:
            return None
        return _greatest(np.stack([steps[:length] for steps in mine]), *_opened(others))

    def _steps(self, phase_s: float) -> Steps:
        """float32 (n, 32): steps of the sketches on a grid of RATE_HZ that ends with the newest."""
        empty = np.zeros((0, NUMBERS), np.float32)
        if len(self._times_s) < 2:
            return empty
        times_s = np.array(self._times_s)
        count = int((times_s[-1] - times_s[0] - phase_s) * RATE_HZ) + 1
        if count <= LAG:
            return empty
        grid_s = times_s[-1] - phase_s - np.arange(count - 1, -1, -1) / RATE_HZ
        sketches = np.array(self._sketches, np.float64)
        right = np.clip(np.searchsorted(times_s, grid_s), 1, len(times_s) - 1)
        share = (grid_s - times_s[right - 1]) / (times_s[right] - times_s[right - 1])
        between = sketches[right] - sketches[right - 1]
        on_grid = sketches[right - 1] + np.clip(share, 0, 1)[:, None] * between
        steps = on_grid[LAG:] - on_grid[:-LAG]
        # A camera that opens its iris gives every session the same steps: along its own picture.
        bright = sketches.mean(0)
        norm = float(bright @ bright)
        if norm > 0:
            steps -= np.outer(steps @ bright, bright / norm)
        lengths = np.sqrt((steps * steps).sum(1) + NOISE * NOISE)
        found: Steps = (steps / lengths[:, None]).astype(np.float32)[-MOST:]
        return found


def _opened(others: Sequence[bytes]) -> tuple[Steps, NDArray[np.intp]]:
    """float32 (k, MOST, 32), filled up with zeros, and how many steps each has."""
    steps = np.zeros((len(others), MOST, NUMBERS), np.float32)
    counts = np.zeros(len(others), np.intp)
    for row, kept in enumerate(others):
        count, rest = divmod(len(kept) - 1, NUMBERS)
        if rest or not LEAST <= count <= MOST or kept[0] != FORM:
            raise ValueError("no path")
        steps[row, :count] = np.frombuffer(kept, np.int8, offset=1).reshape(count, NUMBERS)
        counts[row] = count
    steps /= 127
    return steps, counts


def _greatest(mine: Steps, others: Steps, counts: NDArray[np.intp]) -> float | None:
    """Of `mine`, float32 (phases, n, 32), with any of the others at any lag."""
    phases, n, _ = mine.shape
    k = len(others)
    # Of step i with step j, in rows from the last i to the first: shifted by its number, each
    # row's column is the lag j - i, and a column's sum the product of the paths at that lag.
    products = np.zeros((phases, k, n, MOST + n), np.float32)
    flat = mine[:, ::-1].reshape(-1, NUMBERS) @ others.reshape(-1, NUMBERS).T
    products[..., :MOST] = flat.reshape(phases, n, k, MOST).transpose(0, 2, 1, 3)
    width = MOST + n - 1
    shifted = products.reshape(phases, k, -1)[..., : n * width].reshape(phases, k, n, width)
    sums = shifted.sum(2)
    lags = np.arange(width) - (n - 1)
    begin = np.broadcast_to(np.maximum(0, -lags), (k, width))
    end = np.clip(counts[:, None] - lags, 0, n)
    needed = np.clip(np.minimum(n, counts) * SHARED, LEAST, OVERLAP).astype(np.intp)[:, None]
    long_enough = end - begin >= needed
    end = np.maximum(begin, end)
    own = np.zeros((phases, n + 1))
    own[:, 1:] = np.cumsum((mine * mine).sum(2), axis=1)
    its = np.zeros((k, MOST + 1))
    its[:, 1:] = np.cumsum((others * others).sum(2), axis=1)
    moved = own[:, end] - own[:, begin]
    rows = np.arange(k)[:, None]
    its_moved = its[rows, np.minimum(MOST, end + lags)] - its[rows, np.maximum(0, begin + lags)]
    comparable = long_enough & (moved >= MOVED * needed) & (its_moved >= MOVED * needed)
    if not comparable.any():
        return None
    norms = np.sqrt(np.where(comparable, moved * its_moved, 1.0))
    return float(np.where(comparable, sums / norms, -1.0).max())
