"""The decision table over time, as plain text: what each cue said when, and what it summed up to.

Here: how it is written. Not here: the rows (cues/), the verdict (decision.py), where a session's
tables come from (session.py, tapes). For operators and developers only: an attacker who reads
this has a gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from pipeline.decision import EVERY, Bounds, Evidence, Species, Stand, Topic, sums

MARKS = {Stand.FOR: "+", Stand.OPEN: "~", Stand.AGAINST: "!", Stand.UNKNOWN: "?"}
"""How a stand is written in front of a ratio."""
SIDES = ("from", "to")
"""Columns of the sums between which a window goes on."""
LEGEND = (
    "+ for, ~ open, ! against, ? not measured; the numbers are log-likelihood ratios, and first"
    " their sum against each species of attack, of which the least decides: it accepts from `from`"
    " up and refuses from `to` down, and nothing is decided where neither is written"
)


def explain(
    tables: Sequence[tuple[float, Sequence[Evidence]]], limits: Sequence[Bounds | None] = ()
) -> str:
    """One line for each (seconds, rows), a column for each cue; then the last table in full.

    `limits`: of each table the sums between which its window goes on, None before it is decided.
    Ends with a newline. An empty sequence is said to be empty.
    """
    if not tables:
        return "no evidence was gathered\n"
    cues = list(dict.fromkeys(row.cue for _, rows in tables for row in rows))
    lines = [LEGEND, "", _line("time", (*EVERY, *SIDES), cues)]
    for (at_s, rows), between in zip_longest(tables, limits[: len(tables)]):
        cells = {row.cue: _cell(row) for row in rows}
        found = [cells.get(cue, "") for cue in cues]
        totals = [f"{total:+.2f}" for total in sums(rows).values()]
        lines.append(_line(f"{at_s:.2f} s", (*totals, *_sides(between)), found, cues))
    at_s, rows = tables[-1]
    lines += ["", f"at {at_s:.2f} s:"]
    lines += [_full(row) for row in rows]
    return "\n".join(lines) + "\n"


def _sides(between: Bounds | None) -> tuple[str, str]:
    if between is None:
        return "", ""
    return f"{between.accept_llr:+.2f}", f"{between.reject_llr:+.2f}"


def _line(
    time: str, totals: Sequence[str], cells: Sequence[str], names: Sequence[str] | None = None
) -> str:
    widths = [max(len(name), 6) for name in (*EVERY, *SIDES, *(names or cells))]
    rest = zip((*totals, *cells), widths, strict=True)
    return "  ".join([time.rjust(8), *(cell.rjust(width) for cell, width in rest)]).rstrip()


def _cell(row: Evidence) -> str:
    measured = row.topic is Topic.LIVENESS and row.stand is not Stand.UNKNOWN and row.llr
    return MARKS[row.stand] + (f"{row.llr:+.2f}" if measured else "")


def _full(row: Evidence) -> str:
    numbers = " ".join(f"{name}={value:.4g}" for name, value in row.numbers.items())
    certain = " (certain)" if row.certain else ""
    stand = row.stand.value + certain
    return f"  {row.cue:<11}{stand:<18}{row.llr:+.2f}{_told(row)}  {row.reason}  {numbers}".rstrip()


def _told(row: Evidence) -> str:
    """In which sum its ratio counts, where that is not all of them."""
    only = row.topic is Topic.LIVENESS and row.species != EVERY
    return f" ({_names(row.species)})" if only and row.llr else ""


def _names(species: Sequence[Species]) -> str:
    return ", ".join(species)
