"""On whom a rate rests: whose films it was counted on, and where they are from.

`manifest.csv` in the folder says it, one row a file: its columns `path`, `identity` and `source`
are read, all others left alone. A source is one repository or series, whatever its commit
(`name@commit`); films of one source are not independent, so rates are resampled by source. Not
here: how (server/tools/evaluation/statistics.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from server.tools.evaluation.folder import EvaluationError, Item, read_table
from server.tools.evaluation.statistics import OVER_SOURCES, Rate, clustered

MANIFEST = "manifest.csv"
COLUMNS = ("path", "identity", "source")


@dataclass(frozen=True, slots=True)
class Origin:
    """Who is in a file, and where it is from. Empty for files without a row: together they count as
    one person of one source, as nobody knows better."""

    person: str = ""
    source: str = ""


Origins = Mapping[str, Origin]
"""By the file's path inside the folder."""


def origins(root: Path) -> dict[str, Origin]:
    """What the folder's manifest says; nothing without one that has the COLUMNS. Raises
    EvaluationError (manifest_broken)."""
    file = root / MANIFEST
    if not file.is_file():
        return {}
    rows = read_table(file, "files", "manifest_broken")
    if not rows or not set(COLUMNS) <= set(rows[0]):
        return {}
    if any(row[column] is None for row in rows for column in COLUMNS):
        raise EvaluationError("manifest_broken", f"a row of {file} is too short")
    return {
        row["path"].strip(): Origin(row["identity"].strip(), row["source"].split("@")[0].strip())
        for row in rows
    }


def origin(known: Origins, item: Item) -> Origin:
    """Of a file, however it is shown."""
    return known.get(item.file, Origin())


@dataclass(frozen=True, slots=True)
class Backing:
    """What stands behind a rate."""

    people: int
    sources: int
    over_sources: Rate
    """The same rate, its interval by resampling sources."""

    def to_json(self) -> dict[str, object]:
        """{people, sources, over_sources}."""
        return {
            "people": self.people,
            "sources": self.sources,
            "over_sources": self.over_sources.to_json(),
        }


def backing(trials: Sequence[tuple[Origin, bool]]) -> Backing:
    """Of trials: whose each is, and whether it counts as an error."""
    sources = sorted({one.source for one, _ in trials})
    errors = [sum(wrong for one, wrong in trials if one.source == name) for name in sources]
    counts = [sum(one.source == name for one, _ in trials) for name in sources]
    return Backing(
        len({one for one, _ in trials}),
        len(sources),
        clustered(errors, counts, OVER_SOURCES),
    )
