"""Errors, intervals, AUC and one-variable logistic fits. Pure: no file, no clock.

Source: ISO/IEC 30107-3:2023 section 13 (APCER, BPCER and their non-response rates); Clopper and
Pearson, Biometrika 26 (1934).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence


def interval(errors: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson bounds of a rate, each 0..1; (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    low = 0.0 if errors == 0 else _solve(lambda p: 1 - _at_most(errors - 1, n, p) - tail)
    high = 1.0 if errors == n else _solve(lambda p: tail - _at_most(errors, n, p))
    return low, high


def _at_most(k: int, n: int, p: float) -> float:
    return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


def _solve(rising: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2


def rate(errors: int, n: int) -> str:
    """As in `1/7 [0,58] %`; a dash where nothing was measured."""
    if n == 0:
        return "-"
    low, high = interval(errors, n)
    return f"{errors}/{n} [{100 * low:.0f},{100 * high:.0f}] %"


def auc(live: Sequence[float], attack: Sequence[float]) -> float:
    """Chance that a live value is above an attack's, ties half (Mann-Whitney); nan without both."""
    if not live or not attack:
        return math.nan
    wins = sum((a > b) + 0.5 * (a == b) for a in live for b in attack)
    return wins / (len(live) * len(attack))


RIDGE = 1 / 2.5**2
"""Weight of the prior on a standardised slope, in clips: a normal of scale 2.5, after Gelman et
al., Annals of Applied Statistics 2 (2008). The classes of a few clips are often separable, where
the likelihood alone has no maximum."""


def fit(samples: Sequence[tuple[float, bool, float]]) -> tuple[float, float]:
    """Gain and offset of a log-likelihood ratio: samples are (value, live, weight).

    Logistic regression on a standardised value, both classes weighted alike, so that the logit is
    the ratio itself. Raises ValueError if a class is empty.
    """
    total = {label: sum(w for _, live, w in samples if live is label) for label in (True, False)}
    if not (total[True] and total[False]):
        raise ValueError("a fit needs both classes")
    everything = sum(w for _, _, w in samples)
    mean = sum(x * w for x, _, w in samples) / everything
    spread = math.sqrt(sum(w * (x - mean) ** 2 for x, _, w in samples) / everything) or 1.0
    rows = [
        ((x - mean) / spread, 1.0 if live else 0.0, w * everything / (2 * total[live]))
        for x, live, w in samples
    ]
    slope = offset = 0.0
    for _ in range(50):  # Newton; two variables
        g0 = g1 = h00 = h01 = h11 = 0.0
        for x, y, w in rows:
            p = 1 / (1 + math.exp(-max(-30.0, min(30.0, offset + slope * x))))
            g0 += w * (y - p)
            g1 += w * (y - p) * x
            v = w * p * (1 - p)
            h00, h01, h11 = h00 + v, h01 + v * x, h11 + v * x * x
        g1 -= RIDGE * slope
        h11, h00 = h11 + RIDGE, h00 + 1e-9
        det = h00 * h11 - h01 * h01
        step0, step1 = (h11 * g0 - h01 * g1) / det, (h00 * g1 - h01 * g0) / det
        offset, slope = offset + step0, slope + step1
        if abs(step0) + abs(step1) < 1e-9:
            break
    return slope / spread, offset - slope * mean / spread
