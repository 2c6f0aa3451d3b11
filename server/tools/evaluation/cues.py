"""What each cue measured in a window, and how well that ranks people above attacks.

Read from tables as play.rows makes them: for `lookgate evaluate liveness` and the liveness
benchmark alike. Not here: verdicts and their rates (liveness.py), drawing (plots.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from server.tools.evaluation.cache import Value
from server.tools.evaluation.folder import LIVE
from server.tools.evaluation.report import Table
from server.tools.evaluation.statistics import Rate, auc, auc_interval, exact

Window = Mapping[str, "float | None"]
"""Of each cue what it measured, None where it is unknown."""
MEASURES: dict[str, tuple[str, float]] = {
    "spoof": ("margin", 1.0),
    "bezel": ("second_edge", -1.0),
    "background": ("stays", 1.0),
    "glow": ("log_ratio", -1.0),
    "micro": ("eye_change", 1.0),
    "plane": ("ratio", 1.0),
    "detail": ("log_ratio", 1.0),
}
"""What each cue measured, and its sign: the larger the livelier. Cues that are not here measure
nothing that could be ranked; their coverage is told alone."""
BLINK = "blink"


def measured(rows: Sequence[Mapping[str, Any]], cue: str) -> float | None:
    """What a cue found in a window, the larger the livelier; None where it is unknown."""
    row = next((row for row in rows if row["cue"] == cue), None)
    if row is None:
        return None
    if cue == BLINK:  # not seen is an answer once the eyes were looked at
        return None if row["reason"] == "too_few_samples" else float(row["stand"] == "for")
    if cue not in MEASURES:
        return None if row["stand"] == "unknown" else 0.0
    name, sign = MEASURES[cue]  # planarity is measured before it says anything
    value = row["numbers"].get(name)
    return None if value is None else sign * float(value)


def window(rows: Sequence[Mapping[str, Any]]) -> Window:
    """What every liveness cue found in a window."""
    return {r["cue"]: measured(rows, r["cue"]) for r in rows if r["topic"] == "liveness"}


def slim(value: Value) -> Value:
    """What a file gave with only the measurements of its windows, {cue: number or None}: ten
    thousand files of whole tables would take a gigabyte."""
    if "windows" not in value:
        return value
    return {**value, "windows": [window(rows) for rows in value["windows"]]}


def ranked(
    films: Sequence[tuple[str, Sequence[Window]]], species: Sequence[str]
) -> tuple[dict[str, Any], list[Table]]:
    """AUC over films (the median of a film's windows) and coverage over windows, for report.json
    and as tables. A film is its label and its windows."""
    names: dict[str, None] = {}
    for _, windows in films:
        for each in windows:
            names |= dict.fromkeys(each)
    data: dict[str, Any] = {}
    rows: list[tuple[str, ...]] = []
    cover: list[tuple[str, ...]] = []
    for cue in names:
        by: dict[str, list[float]] = {}
        known, seen = Counter[str](), Counter[str]()
        for label, windows in films:
            found = [each.get(cue) for each in windows]
            values = [v for v in found if v is not None]
            seen[label] += len(found)
            known[label] += len(values)
            if values:
                by.setdefault(label, []).append(float(median(values)))
        live = by.get(LIVE, [])
        everything = [v for name in species for v in by.get(name, [])]
        if cue not in MEASURES and cue != BLINK:
            live = everything = []
            by.clear()
        said = {name: _auc(live, by.get(name, [])) for name in species}
        said["all"] = _auc(live, everything)
        coverage = {name: exact(known[name], seen[name]) for name in (LIVE, *species)}
        data[cue] = {
            "auc": said,
            "coverage": {name: rate.to_json() for name, rate in coverage.items()},
        }
        rows.append((cue, *(_said(said[name]) for name in (*species, "all"))))
        cover.append((cue, *(_share(rate) for rate in coverage.values())))
    note = (
        "AUC of what a cue measured, live against each species, one value a film; [95 %: both sides"
        " resampled; Clopper-Pearson with the smaller number where they do not overlap]. Live: all"
        " films in live/, whatever their source."
    )
    head = ("cue", *species, "all attacks")
    coverage_note = (
        "Windows of the policy's length in which a cue had something to measure, of all of them."
        " It may still say UNKNOWN then: a face that is not seen to be flat, eyes without a blink."
    )
    tables = [
        Table("Cues: AUC", head, tuple(rows), note),
        Table("Cues: coverage", ("cue", LIVE, *species), tuple(cover), coverage_note),
    ]
    return data, tables


def _auc(live: Sequence[float], attack: Sequence[float]) -> dict[str, Any]:
    low, high = auc_interval(live, attack)
    value = auc(live, attack)
    return {"auc": value, "n": [len(live), len(attack)], "low": low, "high": high}


def _said(found: Mapping[str, Any]) -> str:
    live, attack = found["n"]
    if not live or not attack:
        return "-"
    return f"{found['auc']:.2f} [{found['low']:.2f}, {found['high']:.2f}] ({live}/{attack})"


def _share(rate: Rate) -> str:
    return "-" if rate.rate is None else f"{100 * rate.rate:.0f} % ({rate.count:g}/{rate.n})"
