"""Comparisons of unit vectors, counted: every genuine and every impostor pair, block by block.

No score is sampled and none is kept: scores go into bins of 1e-4, so memory does not grow with the
number of pairs, and every rate at a threshold of that grid is exact. No files, no nets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from server.tools.evaluation.statistics import Indices

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

BINS = 20_000
STEP = 2.0 / BINS
"""Cosine: the resolution of every threshold."""
ROUNDING = 1e-3
"""Of a bin: float32 products differ by 1e-7 from one BLAS to the next."""
AT_ONCE = 2**21
"""Scores at once: 8 MB, and ten times as much for what is counted of them, however many there
are. Two million are enough to keep the arithmetic busy."""


class Scores:
    """How often each score came, -1..1 in bins of STEP."""

    def __init__(self) -> None:
        self.counts: Indices = np.zeros(BINS + 1, np.int64)

    def add(self, scores: Floats) -> None:
        """Count scores of any shape."""
        place = bins(scores.ravel())
        self.counts += np.bincount(place, minlength=BINS + 1)

    @property
    def n(self) -> int:
        """Scores counted."""
        return int(self.counts.sum())

    def at_least(self) -> Indices:
        """int64 (BINS + 2,): for each threshold of the grid, how many scores reach it; the last
        threshold is reached by none."""
        return np.append(self.counts[::-1].cumsum()[::-1], 0)

    def mean(self) -> float:
        """nan for none."""
        if not self.n:
            return float("nan")
        return float((self.counts * thresholds()[:-1]).sum() / self.n + STEP / 2)

    def quantile(self, share: float) -> float:
        """The bin's lower end below or at which that share of scores lies; nan for none."""
        if not self.n:
            return float("nan")
        place = int(np.searchsorted(self.counts.cumsum(), share * self.n))
        return float(thresholds()[min(place, BINS)])

    def to_json(self) -> list[list[int]]:
        """[bin, count] of the bins that are not empty."""
        return [[int(k), int(self.counts[k])] for k in np.flatnonzero(self.counts)]

    @classmethod
    def from_json(cls, pairs: Sequence[Sequence[int]]) -> Scores:
        """Read back `to_json`. Raises ValueError for anything else."""
        found = cls()
        for k, count in pairs:
            if not 0 <= k <= BINS or count < 0:
                raise ValueError("not a histogram of scores")
            found.counts[k] = count
        return found


def bins(scores: Floats) -> Indices:
    """int64: the bin of each score; outside -1..1 the nearest."""
    inside = np.clip(scores.astype(np.float64), -1.0, 1.0)
    return np.floor((inside + 1.0) / STEP + ROUNDING).astype(np.int64)


def thresholds() -> NDArray[np.float64]:
    """float64 (BINS + 2,): the grid; a score is accepted at a threshold that it reaches."""
    return np.round(np.arange(BINS + 2) * STEP - 1.0, 6)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """False matches and false non-matches at every threshold of the grid."""

    genuine: Scores
    impostor: Scores

    def fmr(self) -> NDArray[np.float64]:
        """float64 (BINS + 2,), falling."""
        return self.impostor.at_least() / max(self.impostor.n, 1)

    def fnmr(self) -> NDArray[np.float64]:
        """float64 (BINS + 2,), rising."""
        return 1.0 - self.genuine.at_least() / max(self.genuine.n, 1)

    def at_fmr(self, target: float) -> float:
        """The least threshold at which the FMR is at most `target`."""
        return float(thresholds()[int(np.argmax(self.fmr() <= target))])

    def equal(self) -> float:
        """The threshold at which the two rates are nearest to each other; the lowest of several."""
        return float(thresholds()[int(np.argmin(np.abs(self.fmr() - self.fnmr())))])


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """What went wrong at one threshold, by identity."""

    genuine_trials: Indices
    """int64 (identities,)."""
    false_non_matches: Indices
    """int64 (identities,)."""
    false_matches: sparse.csr_array
    """(identities, identities): reference's owner, probe's owner."""


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """References against probes. Symmetric: every row against every other one, once."""

    references: Floats
    """float32 (r, d), unit rows."""
    owners: Indices
    """int64 (r,): whose each is, 0..identities - 1."""
    probes: Floats
    """float32 (p, d), unit rows."""
    probe_owners: Indices
    """int64 (p,)."""
    identities: int
    """Of the whole evaluation, those without rows included."""
    symmetric: bool = False
    reference_files: tuple[frozenset[str], ...] = field(default=(), repr=False)
    """What each row was made of, for groups by file."""
    probe_files: tuple[frozenset[str], ...] = field(default=(), repr=False)

    @classmethod
    def among(cls, rows: Floats, owners: Indices, identities: int) -> Trials:
        """Every row against every other one."""
        return cls(rows, owners, rows, owners, identities, symmetric=True)

    def enrolled(self) -> Indices:
        """int64 (identities,): references of each."""
        return np.bincount(self.owners, minlength=self.identities).astype(np.int64)

    def probed(self) -> Indices:
        """int64 (identities,): probes of each."""
        return np.bincount(self.probe_owners, minlength=self.identities).astype(np.int64)

    def only(self, references: Bools, probes: Bools) -> Trials:
        """Those rows alone; identities keep their numbers."""
        return Trials(
            self.references[references],
            self.owners[references],
            self.probes[probes],
            self.probe_owners[probes],
            self.identities,
            self.symmetric,
        )

    def curve(self) -> Curve:
        """Every score, counted."""
        genuine, impostor = Scores(), Scores()
        for _, scores, same, wanted in self._blocks():
            genuine.add(scores[same & wanted])
            impostor.add(scores[~same & wanted])
        return Curve(genuine, impostor)

    def errors(self, *, at: Sequence[float]) -> list[Errors]:
        """What goes wrong at each threshold."""
        grid = bins(np.asarray(at, np.float32))
        # a threshold beyond 1 accepts nothing; `bins` would put it at 1
        grid = np.where(np.asarray(at) > 1.0, BINS + 1, grid)
        size = self.identities
        missed = np.zeros((len(at), size), np.int64)
        tried = np.zeros(size, np.int64)
        pairs: list[dict[str, list[Indices]]] = [{"code": [], "count": []} for _ in at]
        for start, scores, same, wanted in self._blocks():
            place = bins(scores)
            own = np.broadcast_to(self.owners[start : start + len(scores), None], scores.shape)
            other = np.broadcast_to(self.probe_owners[None, :], scores.shape)
            tried += np.bincount(own[same & wanted], minlength=size)
            for k, limit in enumerate(grid):
                low = same & wanted & (place < limit)
                missed[k] += np.bincount(own[low], minlength=size)
                high = ~same & wanted & (place >= limit)
                code, count = np.unique(own[high] * size + other[high], return_counts=True)
                pairs[k]["code"].append(code)
                pairs[k]["count"].append(count.astype(np.int64))
        return [
            Errors(tried, missed[k], _matrix(pairs[k]["code"], pairs[k]["count"], size))
            for k in range(len(at))
        ]

    def _blocks(self) -> Iterator[tuple[int, Floats, Bools, Bools]]:
        """First row, scores (b, p), whether both are one identity's, whether it is a trial."""
        height = _rows(len(self.probes))
        for start in range(0, len(self.references), height):
            rows = self.references[start : start + height]
            scores: Floats = rows @ self.probes.T
            same = self.owners[start : start + len(rows), None] == self.probe_owners[None, :]
            wanted = np.ones(scores.shape, np.bool_)
            if self.symmetric:
                number = np.arange(start, start + len(rows))
                wanted = np.arange(len(self.probes))[None, :] > number[:, None]
            yield start, scores, same, wanted


def _rows(width: int) -> int:
    """Of that many scores each, how many at once."""
    return max(1, AT_ONCE // max(width, 1))


def _matrix(codes: list[Indices], counts: list[Indices], size: int) -> sparse.csr_array:
    code = np.concatenate(codes) if codes else np.zeros(0, np.int64)
    count = np.concatenate(counts) if counts else np.zeros(0, np.int64)
    return sparse.csr_array((count, (code // size, code % size)), shape=(size, size))


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """One search of a gallery per probe: one template an identity."""

    owners: Indices
    """int64 (p,): whose each probe is."""
    own: Floats
    """float32 (p,): score against the own template; -inf if it is not in the gallery."""
    best: Floats
    """float32 (p,): the best other one."""
    second: Floats
    """float32 (p,): the runner-up among the others, which counts where the own one is left out."""

    @classmethod
    def of(cls, trials: Trials) -> Searches:
        """Search with every probe. The references must be one per identity."""
        own, best, second = [], [], []
        height = _rows(len(trials.references))
        for start in range(0, len(trials.probes), height):
            scores = trials.probes[start : start + height] @ trials.references.T
            owners = trials.probe_owners[start : start + len(scores), None]
            same = owners == trials.owners[None, :]
            own.append(np.where(same, scores, -np.inf).max(axis=1, initial=-np.inf))
            others = np.where(same, -np.inf, scores)
            others = np.pad(others, ((0, 0), (2, 0)), constant_values=-np.inf)
            top = np.partition(others, -2, axis=1)[:, -2:]
            second.append(top[:, 0])
            best.append(top[:, 1])
        parts = [np.concatenate(p).astype(np.float32) if p else np.zeros(0, np.float32)
                 for p in (own, best, second)]  # fmt: skip
        return cls(trials.probe_owners, *parts)

    def first(self) -> Bools:
        """Whether the own template came first."""
        return self.own > self.best

    def at_fpir(self, target: float) -> float:
        """The least threshold that at most this share of searches without the own template
        passes."""
        alarms = Scores()
        alarms.add(self.best)
        share = alarms.at_least() / max(alarms.n, 1)
        return float(thresholds()[int(np.argmax(share <= target))])

    def identified(self, threshold: float, margin: float = -np.inf) -> Bools:
        """Whether the own template came first, reached the threshold and led by the margin."""
        reached = bins(self.own) >= bins(np.asarray([threshold], np.float32))[0]
        if threshold > 1.0:
            return np.zeros(len(self.own), np.bool_)
        ahead = self.own - np.maximum(self.best, np.float32(-2.0)) >= margin
        found: Bools = self.first() & reached & ahead
        return found

    def alarmed(self, threshold: float, margin: float = -np.inf) -> Bools:
        """Whether the search without the own template would have found somebody."""
        if threshold > 1.0:
            return np.zeros(len(self.best), np.bool_)
        reached = bins(self.best) >= bins(np.asarray([threshold], np.float32))[0]
        ahead = self.best - np.maximum(self.second, np.float32(-2.0)) >= margin
        found: Bools = reached & ahead & np.isfinite(self.best)
        return found
