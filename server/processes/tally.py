"""The counts of several processes as those of one server, which never run backwards.

Counters and histograms add, those of processes that are gone included; gauges are of the living.
Pure. Not here: who counts what (server/metrics.py), who asks for it (supervisor.py). Source:
Prometheus, "Metric types"; prometheus_client's multiprocess mode, whose `livesum` and counters of
dead processes this is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from server.metrics import Family


class Tally:
    """What each process said last."""

    def __init__(self) -> None:
        self._living: dict[int, tuple[Family, ...]] = {}
        self._gone: tuple[Family, ...] = ()
        """What counts up, of all who are gone."""

    def report(self, process: int, families: Iterable[Family]) -> None:
        """All that a process has counted since it began."""
        self._living[process] = tuple(families)

    def gone(self, process: int) -> None:
        """It ended, so that its gauges are nothing and its counts are what they were."""
        ended = self._living.pop(process, ())
        counts = [family for family in ended if family.kind != "gauge"]
        self._gone = summed([self._gone, counts])

    def families(self) -> tuple[Family, ...]:
        """Of all processes together."""
        return summed([*self._living.values(), self._gone])


def summed(several: Iterable[Sequence[Family]]) -> tuple[Family, ...]:
    """Samples of the same name and labels are added up."""
    found: dict[str, Family] = {}
    samples: dict[str, dict[str, float]] = {}
    for families in several:
        for family in families:
            found.setdefault(family.name, family)
            into = samples.setdefault(family.name, {})
            for name, value in family.samples:
                into[name] = into.get(name, 0.0) + value
    return tuple(
        replace(family, samples=tuple(samples[name].items())) for name, family in found.items()
    )
