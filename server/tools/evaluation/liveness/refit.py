"""The two logistic cues fitted again, without what is to be judged. Pure: no file, no clock.

Rates, intervals and AUC are those of server/tools/evaluation/statistics.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from pipeline.policy import Policy
from server.tools.evaluation.cues import Window
from server.tools.evaluation.folder import LIVE, EvaluationError, Item
from server.tools.evaluation.liveness.origins import Origins, origin
from server.tools.evaluation.liveness.presented import Made

INJECTED = ("deepfake", "talking")
"""How species begin that look live to every cue: nothing is fitted on them, as the ratios are those
of people over prints and screens."""
FITTED = ("spoof_gain", "spoof_offset", "bezel_gain")
"""The policy's fields that a refit changes."""
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


def refitted(policy: Policy, films: Sequence[tuple[str, Sequence[Window]]]) -> Policy:
    """The policy with `spoof` and `bezel` fitted together on films (label, windows), the rest as it
    is. The windows of a film share a weight of 1; the bezel keeps its share of the offset, which
    clips it. Raises ValueError without people or attacks."""
    samples: list[tuple[list[float], bool, float]] = []
    for label, windows in films:
        if label.startswith(INJECTED):
            continue
        pairs = [(found.get("spoof"), found.get("bezel")) for found in windows]
        known = [
            [margin, max(edge, -policy.bezel_most)]
            for margin, edge in pairs
            if margin is not None and edge is not None
        ]
        samples += [(both, label == LIVE, 1 / len(known)) for both in known]
    (gain, edge_gain), offset = fit(samples)
    return replace(
        policy,
        spoof_gain=gain,
        spoof_offset=offset - policy.bezel_offset,
        bezel_gain=-edge_gain,
    )


def without_each(
    policy: Policy, values: Sequence[Made], known: Origins
) -> Iterator[tuple[str, tuple[Item, ...], Policy]]:
    """Of each source its films and the policy that was fitted on the others. Raises EvaluationError
    (refit_impossible) where the others are of people or of attacks alone."""
    films = [(origin(known, item).source, item, value) for item, value, _ in values]
    films = [film for film in films if not film[1].still]
    for source in sorted({name for name, _, _ in films}):
        others = [(i.label, v["windows"]) for name, i, v in films if name != source]
        try:
            fitted = refitted(policy, others)
        except ValueError as fault:
            raise EvaluationError(
                "refit_impossible", f"without {source} there are no people or no attacks to fit on"
            ) from fault
        yield source, tuple(item for name, item, _ in films if name == source), fitted
