"""Logistic fits of log-likelihood ratios. Pure: no file, no clock.

Rates, intervals and AUC are those of server/tools/evaluation/statistics.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
