"""What an evaluation says: a table for the terminal, report.json, one page of HTML.

The page holds everything it shows (no script, no address, no picture of a face). Not here: numbers
(match.py, liveness.py), drawing (plots.py).
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

FORMAT = "lookgate.evaluation"
VERSION = 1
SHOWN = 40
"""Rows of a list of files on the terminal and in the page; report.json has all."""

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#1a1a1a;background:#fff}
table{border-collapse:collapse;margin:.5rem 0 1.5rem;display:block;overflow-x:auto}
th,td{border:1px solid #ccc;padding:.25rem .6rem;text-align:left;font-variant-numeric:tabular-nums}
th{background:#f2f2f2}figure{margin:1rem 0}svg{max-width:100%;height:auto}
p.note{color:#555;max-width:48rem}
"""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a title."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    """What must be known to read it."""
    total: int = 0
    """How many rows there would be, where only the first are given."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing."""

    title: str
    svg: str
    """One <svg> element."""


@dataclass(frozen=True, slots=True)
class Report:
    """One evaluation."""

    title: str
    data: dict[str, Any]
    """report.json."""
    tables: tuple[Table, ...]
    plots: Callable[[], Sequence[Plot]] = field(default=tuple, repr=False)
    """Drawn when the page is written."""


def listed(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]], note: str) -> Table:
    """A table of at most SHOWN rows that says how many more there are."""
    return Table(title, head, tuple(rows[:SHOWN]), note, len(rows))


def made_by() -> str:
    """Name and version of this program."""
    try:
        return f"lookgate {installed('lookgate')}"
    except PackageNotFoundError:
        return "lookgate"


def text(report: Report) -> str:
    """For a terminal; the tables are Markdown as well."""
    return "\n".join([f"# {report.title}", *(_table(table) for table in report.tables)])


def _table(table: Table) -> str:
    rows = [table.head, *(tuple(_cell(c) for c in row) for row in table.rows)]
    wide = [max(len(row[k]) for row in rows) for k in range(len(table.head))]
    lines = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, wide, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in wide) + "|")
    said = ["", f"## {table.title}", ""]
    said += [table.note, ""] if table.note else []
    if not table.rows:
        return "\n".join([*said, "none"])
    return "\n".join([*said, *lines, *_more(table)])


def _cell(cell: str) -> str:
    # File names are the owner's, and may hold anything: no control characters on a terminal.
    return "".join(c if c.isprintable() else "?" for c in cell).replace("|", "/")


def _more(table: Table) -> list[str]:
    more = table.total - len(table.rows)
    return ["", f"... and {more} more in report.json"] if more > 0 else []


def page(report: Report) -> str:
    """One HTML document."""
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{html.escape(report.title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{html.escape(report.title)}</h1>",
    ]
    for table in report.tables:
        parts.append(f"<h2>{html.escape(table.title)}</h2>")
        parts += [f'<p class="note">{html.escape(table.note)}</p>'] if table.note else []
        if not table.rows:
            parts.append("<p>none</p>")
            continue
        head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in table.head)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_cell(cell))}</td>" for cell in row) + "</tr>"
            for row in table.rows
        )
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
        parts += [f"<p>{html.escape(line)}</p>" for line in _more(table) if line]
    for plot in report.plots():
        parts.append(f"<h2>{html.escape(plot.title)}</h2><figure>{plot.svg}</figure>")
    parts.append(f"<p>{html.escape(made_by())}</p></body></html>\n")
    return "\n".join(parts)


def write(report: Report, folder: Path) -> None:
    """report.json and report.html into a folder, 0700 if it is new: names of files are in them."""
    if not folder.is_dir():
        folder.mkdir(parents=True, mode=0o700)
    said = json.dumps(_plain(report.data), indent=1, allow_nan=False, ensure_ascii=False)
    for name, content in (("report.json", said + "\n"), ("report.html", page(report))):
        part = folder / f"{name}.part"
        part.write_text(content, "utf-8")
        part.replace(folder / name)


def _plain(value: Any) -> Any:
    """JSON knows no nan: what was not measured is null."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
