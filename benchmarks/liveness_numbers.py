"""Errors, intervals, AUC and logistic fits. Pure: no file, no clock.

Source: ISO/IEC 30107-3:2023 section 13 (APCER, BPCER and their non-response rates); Clopper and
Pearson, Biometrika 26 (1934).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np


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


def fit(samples: Sequence[tuple[Sequence[float], bool, float]]) -> tuple[list[float], float]:
    """Gains and offset of a log-likelihood ratio: samples are (values, live, weight).

    Logistic regression on standardised values, both classes weighted alike, so that the logit is
    the ratio itself; jointly, as the sum of fits of one value each counts twice what they share.
    Raises ValueError if a class is empty.
    """
    x = np.array([values for values, _, _ in samples], dtype=np.float64)
    y = np.array([live for _, live, _ in samples], dtype=np.float64)
    w = np.array([weight for _, _, weight in samples], dtype=np.float64)
    if not samples or not (y @ w and (1 - y) @ w):
        raise ValueError("a fit needs both classes")
    mean = w @ x / w.sum()
    spread = np.sqrt(w @ (x - mean) ** 2 / w.sum())
    spread[spread == 0.0] = 1.0
    design = np.column_stack([np.ones(len(x)), (x - mean) / spread])
    w = w * w.sum() / 2 * np.where(y == 1.0, 1 / (y @ w), 1 / ((1 - y) @ w))
    prior = np.diag([1e-9] + [RIDGE] * x.shape[1])
    beta = np.zeros(design.shape[1])
    for _ in range(50):  # Newton
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -30.0, 30.0)))
        slope = design.T @ (w * (y - p)) - prior @ beta
        bend = design.T @ (design * (w * p * (1 - p))[:, None]) + prior
        step = np.linalg.solve(bend, slope)
        beta += step
        if np.abs(step).sum() < 1e-9:
            break
    gains = beta[1:] / spread
    return gains.tolist(), float(beta[0] - gains @ mean)
