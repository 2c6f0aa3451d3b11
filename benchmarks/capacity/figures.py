"""What attempts and clocks say about a level, and what several runs say together. Pure.

Here: the judge of a verdict, rates, percentiles, medians. Not here: how they are measured
(callers.py, __main__.py), how they are written (tables.py).
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from benchmarks.numbers import Spread

RAMP_S = 2.0
"""Seconds from a level's beginning that do not count for its rates: nobody can have a verdict."""
HONEST = (0.5, 2.0)
"""A waiting time shown is honest if it is within these factors of what it became."""
BRIEF_S = 1.0
"""Waits below this are honest if they were shown as below it: a second is the least one shows."""


class End(StrEnum):
    """How an attempt ended, as somebody sees it who knows who it was."""

    RIGHT = "right"
    """The owner accepted, the stranger refused."""
    WRONG_IN = "wrong: a stranger accepted"
    WRONG_OUT = "wrong: an owner refused"
    TIMEOUT = "timeout"
    """Admitted, and nothing was decided in time."""
    FAULT = "fault"
    """Admitted, and it broke off."""
    REFUSED = "refused"
    """Never admitted, and not told to wait."""
    LEFT = "left in line"
    """Waited when the level ended."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A waiting time that the server named."""

    at_s: float
    wait_s: float


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt. Times in seconds since the level began."""

    stranger: bool
    film: str
    """What was played, and from where."""
    asked_s: float
    """The first offer."""
    outcome: str
    """Of the verdict, or `error`."""
    reasons: tuple[str, ...] = ()
    """The verdict's, or the error's code."""
    admitted_s: float | None = None
    verdict_s: float | None = None
    refusals: int = 0
    """Offers that found no place."""
    shown: tuple[Shown, ...] = ()
    keys_asked: int = 0
    """Key frames that an encoded film could not give."""

    @property
    def end(self) -> End:
        """Anything but a verdict that fits who it was is no success."""
        if self.admitted_s is None:
            return End.LEFT if self.outcome == "left" else End.REFUSED
        if self.outcome == "accepted":
            return End.WRONG_IN if self.stranger else End.RIGHT
        if self.outcome == "rejected" and "internal" not in self.reasons:
            return End.RIGHT if self.stranger else End.WRONG_OUT
        if self.outcome == "expired" and "timeout" in self.reasons:
            return End.TIMEOUT
        return End.WRONG_IN if self.outcome == "token_wrong" else End.FAULT

    @property
    def token_ms(self) -> float | None:
        """From the offer that was admitted to the token."""
        return self._accepted_since(self.admitted_s)

    @property
    def click_ms(self) -> float | None:
        """The same from the first offer: what the person waits altogether."""
        return self._accepted_since(self.asked_s)

    @property
    def wait_s(self) -> float | None:
        """From the first offer to the place; None if none was given."""
        return None if self.admitted_s is None else max(0.0, self.admitted_s - self.asked_s)

    def _accepted_since(self, zero_s: float | None) -> float | None:
        if self.outcome != "accepted" or self.verdict_s is None or zero_s is None:
            return None
        return 1000 * (self.verdict_s - zero_s)

    def honest(self, brief_s: float = BRIEF_S) -> bool | None:
        """Whether the wait was near what was shown first; None unless one was shown and ended.

        Later ones correct it, and are of the rest only: they come after 8 s (HOLD_S of pages).
        """
        if self.admitted_s is None or not self.shown:
            return None
        first = self.shown[0]
        became_s = self.admitted_s - first.at_s
        least, most = (factor * became_s for factor in HONEST)
        return least <= first.wait_s <= most or max(became_s, first.wait_s) <= brief_s


@dataclass(frozen=True, slots=True)
class Level:
    """So many callers at once, for so long."""

    callers: int
    seconds: float
    """In which attempts began; those under way were then waited for."""
    tries: tuple[Try, ...]
    wall_s: float
    server_cpu_s: float
    """CPU seconds in `wall_s`: the server's processes, callers, burners, everything else."""
    caller_cpu_s: float
    burned_cpu_s: float
    other_cpu_s: float
    frames: float
    """Seen."""
    dropped: float
    """That a newer one replaced before it was seen."""
    rest_mb: float
    """Resident memory of the server before, at most, and afterwards."""
    peak_mb: float
    after_mb: float
    stages: Mapping[str, float] = field(default_factory=dict)
    """CPU seconds in `wall_s` by part of the server, where it has clocks inside (staged.py)."""

    def count(self, *ends: End) -> int:
        """Attempts that ended so."""
        return sum(tried.end in ends for tried in self.tries)

    def reasons(self, end: End) -> list[str]:
        """What was told to attempts that ended so, each once."""
        told = (reason for tried in self.tries if tried.end is end for reason in tried.reasons)
        return sorted(set(told))

    @property
    def judged(self) -> int:
        """Attempts with a verdict that says yes or no."""
        return self.count(End.RIGHT, End.WRONG_IN, End.WRONG_OUT)

    @property
    def admitted(self) -> int:
        """Attempts that had a place."""
        return sum(tried.admitted_s is not None for tried in self.tries)

    def per_s(self, *outcomes: str) -> float:
        """Verdicts of these outcomes a second, from the ramp to the end of `seconds`."""
        within = [
            tried
            for tried in self.tries
            if tried.verdict_s is not None
            and RAMP_S <= tried.verdict_s < self.seconds
            and tried.outcome in outcomes
        ]
        return len(within) / max(1e-9, self.seconds - RAMP_S)

    @property
    def judged_per_s(self) -> float:
        """Yes or no."""
        return self.per_s("accepted", "rejected")

    @property
    def accepted_per_s(self) -> float:
        """Yes."""
        return self.per_s("accepted")

    @property
    def cpu_s(self) -> float | None:
        """Of the server, for a verdict."""
        return self.server_cpu_s / self.judged if self.judged else None

    @property
    def per_core(self) -> float | None:
        """Verdicts for a CPU second of the server."""
        return self.judged / self.server_cpu_s if self.server_cpu_s else None

    @property
    def token_ms(self) -> Spread | None:
        """From the admitted offer to the token."""
        return Spread.of(tried.token_ms for tried in self.tries)

    @property
    def click_ms(self) -> Spread | None:
        """With the wait for a place."""
        return Spread.of(tried.click_ms for tried in self.tries)

    @property
    def wait_s(self) -> Spread | None:
        """Of those who were admitted after they had waited."""
        return Spread.of(tried.wait_s for tried in self.tries if tried.refusals)

    @property
    def honest(self) -> float | None:
        """Share of the waits that were near what was shown first."""
        return self._honest(BRIEF_S)

    @property
    def honest_brief(self) -> float | None:
        """The same where waits below a second are judged like others."""
        return self._honest(0.0)

    def _honest(self, brief_s: float) -> float | None:
        said = [good for tried in self.tries if (good := tried.honest(brief_s)) is not None]
        return sum(said) / len(said) if said else None


@dataclass(frozen=True, slots=True)
class Range:
    """A figure of several runs."""

    median: float
    least: float
    most: float
    n: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Range | None:
        """None unless some run measured it."""
        known = [value for value in values if value is not None]
        if not known:
            return None
        return cls(statistics.median(known), min(known), max(known), len(known))


def by_callers(runs: Sequence[Sequence[Level]]) -> dict[int, list[Level]]:
    """The levels of all runs, those of as many callers together."""
    found: dict[int, list[Level]] = {}
    for run in runs:
        for level in run:
            found.setdefault(level.callers, []).append(level)
    return found
