"""Errors of presentation attack detection, counted. Terms: ISO/IEC 30107-3:2023, section 13.

Not here: what a session said (presented.py), what is written of it (tables.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from server.tools.evaluation.folder import LIVE
from server.tools.evaluation.liveness.origins import Backing, Origin, Origins, backing, origin
from server.tools.evaluation.liveness.presented import Played
from server.tools.evaluation.statistics import Numbers, Rate, averaged, exact


@dataclass(frozen=True, slots=True)
class Errors:
    """The errors of a set of films, by label: `live` or a species of attack."""

    rate: dict[str, Rate]
    """Of the films with an answer that got the wrong one: BPCER for `live`, else APCER."""
    behind: dict[str, Backing]
    """On whom those rest; empty where nobody knows."""
    answered: dict[str, Rate]
    """Share of films without an answer (BPNRR, APNRR)."""
    acquired: dict[str, Rate]
    """Share of films without one usable frame."""

    @property
    def bpcer(self) -> Rate:
        return self.rate[LIVE]

    @property
    def apcer(self) -> dict[str, Rate]:
        """By species."""
        return {name: rate for name, rate in self.rate.items() if name != LIVE}

    @property
    def worst(self) -> Rate:
        """The greatest of the species' rates; of equal ones that with the greatest bound. A species
        that was never judged is no 0."""
        known = [rate for rate in self.apcer.values() if rate.n]
        return max(known, key=lambda rate: (rate.rate or 0.0, rate.high), default=exact(0, 0))

    @property
    def acer(self) -> Rate:
        """Half of the worst APCER and BPCER."""
        return averaged(self.worst, self.bpcer)

    def to_json(self) -> dict[str, Any]:
        """As report.json has them."""
        said = {
            name: rate.to_json() | (self.behind[name].to_json() if self.behind else {})
            for name, rate in self.rate.items()
        }
        return {
            "apcer": {name: one for name, one in said.items() if name != LIVE},
            "apcer_max": self.worst.to_json(),
            "bpcer": said[LIVE],
            "acer": self.acer.to_json(),
            "non_response": {name: rate.to_json() for name, rate in self.answered.items()},
            "failure_to_acquire": {name: rate.to_json() for name, rate in self.acquired.items()},
        }


def labels(films: Sequence[Played]) -> list[str]:
    """`live`, then the species that there are."""
    return [LIVE, *sorted({film.item.label for film in films if not film.live})]


def errors(films: Sequence[Played], known: Origins) -> Errors:
    """Count them."""
    rate, behind, answered, acquired = {}, {}, {}, {}
    for name in labels(films):
        part = [film for film in films if film.item.label == name]
        rate[name] = error(part)
        if known:
            said = [(origin(known, f.item), f) for f in part if f.accepted is not None]
            behind[name] = backing([(one, f.accepted is not f.live) for one, f in said])
        answered[name] = exact(sum(film.accepted is None for film in part), len(part))
        acquired[name] = exact(sum(not film.acquired for film in part), len(part))
    return Errors(rate, behind, answered, acquired)


def error(films: Sequence[Played]) -> Rate:
    """Share of the films with an answer that got the wrong one."""
    said = [film.accepted is not film.live for film in films if film.accepted is not None]
    return exact(sum(said), len(said))


Groups = Mapping[str, Mapping[str, str]]
"""Attribute -> (path or identity -> group), as groups.csv has it."""


def by_group(
    films: Sequence[Played], groups: Groups, known: Origins
) -> dict[str, dict[str, list[Played]]]:
    """Attribute -> group -> its people's films."""
    found: dict[str, dict[str, list[Played]]] = {}
    for attribute, members in groups.items():
        parts: dict[str, list[Played]] = {}
        for film in films:
            one = origin(known, film.item)
            group = members.get(film.item.file) or members.get(one.person)
            if film.live and group:
                parts.setdefault(group, []).append(film)
        found[attribute] = dict(sorted(parts.items()))
    return found


def people(films: Sequence[Played], known: Origins) -> int:
    """How many they are of; films without a row in the manifest are of one."""
    found: set[Origin] = {origin(known, film.item) for film in films}
    return len(found)


def curve(live: Sequence[float], attack: Sequence[float]) -> tuple[Numbers, Numbers, Numbers]:
    """Thresholds, APCER and BPCER of accepting S at or above each; the last accepts nothing."""
    at = np.unique(np.asarray([*live, *attack], np.float64))
    at = np.append(at, np.inf)
    passed = np.searchsorted(np.sort(attack), at, side="left")
    refused = np.searchsorted(np.sort(live), at, side="left")
    return at, 1 - passed / max(len(attack), 1), refused / max(len(live), 1)


def equal(live: Sequence[float], attack: Sequence[float]) -> tuple[Rate, float | None]:
    """The rate at the threshold where both errors are nearest, and the threshold."""
    if not live or not attack:
        return exact(0, 0), None
    at, apcer, bpcer = curve(live, attack)
    best = int(np.argmin(np.abs(apcer - bpcer)))
    rates = (
        exact(round(float(apcer[best]) * len(attack)), len(attack)),
        exact(round(float(bpcer[best]) * len(live)), len(live)),
    )
    return averaged(*rates), float(at[best])
