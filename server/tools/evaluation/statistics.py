"""Rates with their intervals, AUC and error curves. Pure: no file, no clock.

Sources: Clopper and Pearson, Biometrika 26 (1934); Bolle, Ratha and Pankanti, "Error analysis of
pattern recognition systems: the subsets bootstrap", CVIU 93 (2004); ISO/IEC 19795-1:2021, B.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]

CONFIDENCE = 0.95
RESAMPLES = 1000
"""Enough for the 2.5th and 97.5th percentile to be known to about a tenth of the interval."""
AT_ONCE = 100
"""Resamples weighed at once: bounds the memory to 100 numbers an identity."""
SEED = 19795
"""The same data give the same interval."""
EXACT = "clopper-pearson"
RESAMPLED = "bootstrap over identities"
OVER_SOURCES = "bootstrap over sources"
MEANS = "means of the two intervals"
BOUNDS = "from the bounds of precision and recall"
FEW = "clopper-pearson over independent units"


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate, what it was counted on, and how sure it is."""

    count: float
    """Trials of which it is the share; fractions where two rates were averaged."""
    n: int
    """Trials."""
    low: float
    """Bounds of the 95 % interval, 0..1."""
    high: float
    method: str = EXACT
    """How the interval was made."""

    @property
    def rate(self) -> float | None:
        """0..1; None where nothing was tried."""
        return self.count / self.n if self.n else None

    def to_json(self) -> dict[str, object]:
        """{rate, n, low, high} and where they are from."""
        return {
            "rate": self.rate,
            "n": self.n,
            "low": self.low,
            "high": self.high,
            "count": self.count,
            "method": self.method,
        }

    def complement(self) -> Rate:
        """1 - rate, of the same trials."""
        return Rate(self.n - self.count, self.n, 1 - self.high, 1 - self.low, self.method)

    def __str__(self) -> str:
        """As in `1.50 % [0.04, 8.04] (1/67)`; a dash where nothing was tried."""
        if self.rate is None:
            return "-"
        digits = 2 if self.rate >= 0.001 or not self.rate else 4
        low, high = 100 * self.low, 100 * self.high
        if self.method in (MEANS, BOUNDS):  # no count of anything
            return f"{100 * self.rate:.{digits}f} % [{low:.{digits}f}, {high:.{digits}f}]"
        count = f"{self.count:.12g}/{self.n}"
        return f"{100 * self.rate:.{digits}f} % [{low:.{digits}f}, {high:.{digits}f}] ({count})"


def interval(count: float, n: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Clopper-Pearson bounds of independent trials, each 0..1; (0, 1) for none.

    `count` and `n` may be fractions of trials (an average over dependent ones)."""
    if n <= 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    low = 0.0 if count <= 0 else float(stats.beta.ppf(tail, count, n - count + 1))
    high = 1.0 if count >= n else float(stats.beta.ppf(1 - tail, count + 1, n - count))
    return low, high


def upper(count: float, n: float, confidence: float = CONFIDENCE) -> float:
    """One-sided upper bound; for a count of 0 it is about 3 / n, the rule of three."""
    return interval(count, n, 1 - 2 * (1 - confidence))[1]


def needed(target: float) -> int:
    """Independent trials without any error that support a rate of at most `target` at 95 %: the
    rule of three (ISO/IEC 19795-1, B.1.1)."""
    return math.ceil(round(3 / target, 6))


def exact(count: int, n: int) -> Rate:
    """Of independent trials."""
    return Rate(count, n, *interval(count, n))


def clustered(
    errors: Sequence[int] | Indices, trials: Sequence[int] | Indices, method: str = RESAMPLED
) -> Rate:
    """Of trials that share people (or sources): errors and trials per identity, identities
    resampled.

    Without any error (or any success) resampling would claim certainty; then the bound is the
    exact one for as many trials as there are identities."""
    e, n = np.asarray(errors, np.int64), np.asarray(trials, np.int64)
    count, total = int(e.sum()), int(n.sum())
    units = int((n > 0).sum())
    if count in (0, total) or units < 2:
        return _few(count, total, units)
    rates = []
    for weights in _resamples(len(n)):
        below = weights @ n
        rates.append((weights @ e)[below > 0] / below[below > 0])
    low, high = _middle(np.concatenate(rates))
    return Rate(count, total, low, high, method)


def crossed(
    errors: sparse.csr_array, enrolled: Indices, probed: Indices, *, symmetric: bool
) -> Rate:
    """Of impostor trials: `errors[i, j]` among the trials of identity i's references against
    identity j's probes; `enrolled` and `probed` say how many each has. Symmetric: both are the same
    pictures, and the upper triangle alone counts.

    Both sides of each pair are resampled together, as each identity is in many pairs. Without any
    error the bound is the exact one for as many trials as there are pairs of identities."""
    share = 0.5 if symmetric else 1.0
    own = enrolled * probed
    total = round(share * (int(enrolled.sum()) * int(probed.sum()) - int(own.sum())))
    count = int(errors.sum())
    if count in (0, total):
        return _few(count, total, min(total, people_pairs(enrolled, probed)))
    rates = []
    for weights in _resamples(len(enrolled)):
        below = (weights @ enrolled) * (weights @ probed) - (weights**2) @ own
        above = (weights * (errors.T @ weights.T).T).sum(axis=1)
        rates.append(above[below > 0] / (share * below[below > 0]))
    low, high = _middle(np.concatenate(rates))
    return Rate(count, total, low, high, RESAMPLED)


def people_pairs(enrolled: Indices, probed: Indices) -> int:
    """How many pairs of different identities were compared at least once."""
    has = (enrolled > 0) & (probed > 0)
    both = int(has.sum())
    refs, probes = int((enrolled > 0).sum()), int((probed > 0).sum())
    # Unordered: a pair that was compared both ways is one.
    return refs * probes - both - both * (both - 1) // 2


def averaged(one: Rate, other: Rate) -> Rate:
    """The mean of two rates, as ACER and EER are; its bounds are the means of theirs, which is
    wider than 95 % where the two are independent."""
    n = one.n + other.n
    mean = ((one.rate or 0.0) + (other.rate or 0.0)) / 2
    method = MEANS
    if not (one.n and other.n):
        return Rate(0, 0, 0.0, 1.0, method)
    return Rate(mean * n, n, (one.low + other.low) / 2, (one.high + other.high) / 2, method)


def auc(high: Sequence[float], low: Sequence[float]) -> float:
    """Chance that a value of `high` is above one of `low`, ties half (Mann-Whitney); nan without
    both."""
    if not high or not low:
        return math.nan
    ranks = stats.rankdata([*high, *low])[: len(high)]
    wins = float(ranks.sum()) - len(high) * (len(high) + 1) / 2
    return wins / (len(high) * len(low))


def auc_interval(high: Sequence[float], low: Sequence[float]) -> tuple[float, float]:
    """Bounds of `auc` by resampling both sides. Where they do not overlap that would claim
    certainty: then the exact ones for as many trials as the smaller side has."""
    value, least = auc(high, low), min(len(high), len(low))
    if least < 2 or value in (0.0, 1.0):
        return interval(value * least, least) if least else (0.0, 1.0)
    random = np.random.default_rng(SEED)
    found = [
        auc(list(random.choice(high, len(high))), list(random.choice(low, len(low))))
        for _ in range(RESAMPLES // 5)
    ]
    return _middle(np.asarray(found))


def _few(count: int, total: int, units: int) -> Rate:
    share = count / total if total else 0.0
    return Rate(count, total, *interval(share * units, units), FEW)


def _middle(rates: Numbers) -> tuple[float, float]:
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(rates, [tail, 100 - tail])
    return float(low), float(high)


def _resamples(identities: int) -> Iterator[Numbers]:
    """float64 (AT_ONCE, identities) each: how often every identity was drawn."""
    random = np.random.default_rng(SEED)
    even = np.full(identities, 1 / identities)
    for _ in range(RESAMPLES // AT_ONCE):
        yield random.multinomial(identities, even, size=AT_ONCE).astype(np.float64)
