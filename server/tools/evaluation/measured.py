"""One way to compare, measured: its errors, at which thresholds, how sure they are.

Not here: the comparisons (comparisons.py), how intervals are made (statistics.py), what is said of
them (match.py). Terms: ISO/IEC 19795-1:2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.tools.evaluation.comparisons import Curve, Errors, Trials
from server.tools.evaluation.statistics import (
    Rate,
    averaged,
    clustered,
    crossed,
    needed,
    people_pairs,
)

TARGETS = (1e-2, 1e-3, 1e-4, 1e-5)
"""False match rates whose thresholds are looked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One way to compare."""

    name: str
    trials: Trials
    curve: Curve
    at: dict[float, tuple[Rate, Rate]]
    """Threshold -> FMR and FNMR there."""
    errors: dict[float, Errors]
    equal: float
    wanted: dict[float, float]
    """FMR -> threshold."""

    @property
    def eer(self) -> Rate:
        """At the threshold where both errors are nearest."""
        return averaged(*self.at[self.equal])

    @property
    def pairs(self) -> int:
        """Pairs of different people: how many independent impostor trials there are at most."""
        return people_pairs(self.trials.enrolled(), self.trials.probed())

    def supported(self, target: float) -> bool:
        """Whether that many pairs can tell a rate so low (rule of three)."""
        return self.pairs >= needed(target)


def measure(name: str, trials: Trials, also: Sequence[float]) -> Measured:
    """All errors; `also` at these thresholds."""
    curve = trials.curve()
    wanted = {target: curve.at_fmr(target) for target in TARGETS}
    equal = curve.equal()
    at = sorted({equal, *wanted.values(), *also})
    found = dict(zip(at, trials.errors(at=at), strict=True))
    said = {threshold: rates(trials, errors) for threshold, errors in found.items()}
    return Measured(name, trials, curve, said, found, equal, wanted)


def rates(trials: Trials, errors: Errors) -> tuple[Rate, Rate]:
    """FMR and FNMR."""
    fmr = crossed(
        errors.false_matches, trials.enrolled(), trials.probed(), symmetric=trials.symmetric
    )
    return fmr, clustered(errors.false_non_matches, errors.genuine_trials)
