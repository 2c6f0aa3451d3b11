"""One self-contained page of a played tape: pictures, each cue's evidence over time, what decided.

Text in, HTML out: no script, nothing from elsewhere, everything escaped. Not here: playing
(replay.py), pictures as JPEG (video.py). For operators: who reads this knows what to forge.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import Any

from pipeline.decision import EVERY, Bounds, Evidence, Stand, Topic, sums
from pipeline.events import Decided, Hinted, PhaseChanged
from pipeline.tape.reader import Tape
from pipeline.tape.replay import Replayed, shown

WIDE, HIGH, LEFT = 900, 46, 130
"""A lane of the drawing, px; its name stands in the first LEFT."""
MOST_LLR = 4.0
"""Ratios beyond are drawn at the edge of their lane."""

GAP_S = 0.5
"""Tables further apart than this have nothing between them: the evidence was thrown away."""

STYLE = """
:root{color-scheme:light dark;--for:#2e9e5b;--open:#c9a227;--against:#d1453b;--unknown:#9aa3ad;
--line:#8884;--ink:currentColor}
body{font:15px/1.5 system-ui,sans-serif;max-width:1060px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
.warn{border-inline-start:4px solid var(--against);padding:.3rem .8rem;background:#d1453b18}
.strip{display:flex;flex-wrap:wrap;gap:4px}.strip figure{margin:0}
.strip figcaption{font-size:11px;text-align:center;opacity:.7}
.strip img{display:block;border-radius:4px}
table{border-collapse:collapse;width:100%}td,th{text-align:start;padding:.25rem .6rem;
border-bottom:1px solid var(--line);vertical-align:top}
.for{color:var(--for)}.open{color:var(--open)}.against{color:var(--against)}
.unknown{color:var(--unknown)}td.n{font-variant-numeric:tabular-nums;font-size:13px}
svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:currentColor}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem}dd{margin:0}
code{font-size:.9em}
"""


def html_of(tape: Tape, played: Replayed, pictures: Sequence[tuple[float, bytes]] = ()) -> str:
    """The page; `pictures` are seconds since the tape began and JPEGs."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><meta charset="utf-8"><title>Lookgate tape</title>',
            '<meta name="viewport" content="width=device-width">',
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
            " img-src data:; style-src 'unsafe-inline'\">",
            f"<style>{STYLE}</style>",
            f"<h1>{escape(_title(tape, played))}</h1>",
            _warning(bool(pictures)),
            _about(tape, played),
            *_strip(pictures),
            "<h2>Evidence over time</h2>",
            _lanes(played),
            "<h2>What decided</h2>",
            _table(played),
            "<h2>What was said</h2>",
            _events(played),
        ]
    )


def _title(tape: Tape, played: Replayed) -> str:
    end = played.decided
    if end is None:
        return f"{tape.header.get('purpose', 'session')}: no verdict on this tape"
    reasons = ", ".join(end.reasons)
    return f"{tape.header.get('purpose')}: {end.phase.value}" + (f" ({reasons})" if reasons else "")


def _warning(pictures: bool) -> str:
    what = "shows a person's face" if pictures else "tells of a person's face"
    return (
        f'<p class="warn">This page {what} and how a session was judged. Share it only with those'
        " who may see both.</p>"
    )


def _about(tape: Tape, played: Replayed) -> str:
    header = tape.header
    same = "yes" if played.same else f"no, {played.differ} differences"
    rows: list[tuple[str, Any]] = [
        ("recorded", header.get("recorded_at", "-")),
        ("client, subject", f"{header.get('client', '-')}, {header.get('subject') or '-'}"),
        ("policy", f"{tape.policy.name} {tape.policy.fingerprint()}"),
        ("length", f"{played.length_s:.2f} s, {played.observations} observations"),
        ("replay says the same", same),
    ]
    if played.torn:
        rows.append(("end", "missing: the recording broke off"))
    items = "".join(f"<dt>{escape(k)}<dd>{escape(str(v))}" for k, v in rows)
    return f"<dl>{items}</dl>"


def _strip(pictures: Sequence[tuple[float, bytes]]) -> list[str]:
    if not pictures:
        return []
    figures = "".join(
        f'<figure><img alt="picture at {at_s:.2f} s" width="104" src="data:image/jpeg;base64,'
        f'{base64.b64encode(data).decode("ascii")}"><figcaption>{at_s:.2f} s</figcaption></figure>'
        for at_s, data in pictures
    )
    return ["<h2>Pictures</h2>", f'<div class="strip">{figures}</div>']


def _lanes(played: Replayed) -> str:
    """A lane for the sum against each species of attack, one for each cue: colour is the stand, the
    line its ratio."""
    if not played.rows:
        return "<p>No evidence was gathered.</p>"
    cues = list(dict.fromkeys(row.cue for _, rows in played.rows for row in rows))
    height = HIGH * (len(EVERY) + len(cues)) + 38
    span = max(played.length_s, 0.1)

    def x(at_s: float) -> float:
        return LEFT + (WIDE - LEFT - 10) * min(1.0, max(0.0, (at_s - played.first_s) / span))

    parts = [f'<svg viewBox="0 0 {WIDE} {height}" role="img" aria-label="evidence over time">']
    totals = [(at_s, sums(rows)) for at_s, rows in played.rows]
    for n, species in enumerate(EVERY):
        parts += _frame(n, f"sum, {species}")
        for line, name in _bounds(played):
            places = " ".join(f"{x(at_s):.1f},{_y(n, level):.1f}" for at_s, level in line)
            parts.append(
                f'<polyline points="{places}" fill="none" stroke="var(--{name})"'
                ' stroke-dasharray="4 3"/>'
            )
        parts.append(_curve(n, [(x(at_s), total[species]) for at_s, total in totals]))
    for n, cue in enumerate(cues, len(EVERY)):
        parts += _frame(n, cue)
        parts += _cue(n, cue, played.rows, x)
    parts += _marks(played, x, height)
    return "".join([*parts, "</svg>", _legend()])


def _bounds(played: Replayed) -> list[tuple[list[tuple[float, float]], str]]:
    """Lines of (seconds, sum) between which each window went on, and their colours."""
    windows: list[list[tuple[float, Bounds]]] = [[]]
    for (at_s, _), limits in zip(played.rows, played.limits, strict=True):
        if limits is None:
            windows.append([])
        else:
            windows[-1].append((at_s, limits))
    lines = []
    for one in filter(None, windows):
        lines.append(([(at_s, limits.accept_llr) for at_s, limits in one], "for"))
        lines.append(([(at_s, limits.reject_llr) for at_s, limits in one], "against"))
    return lines


def _frame(n: int, name: str) -> list[str]:
    top = n * HIGH
    return [
        f'<text x="0" y="{top + HIGH / 2 + 4}">{escape(name)}</text>',
        f'<line x1="{LEFT}" x2="{WIDE - 10}" y1="{_y(n, 0):.1f}" y2="{_y(n, 0):.1f}"'
        ' stroke="var(--line)"/>',
    ]


def _y(n: int, llr: float) -> float:
    half = HIGH / 2 - 4
    return n * HIGH + HIGH / 2 - half * max(-1.0, min(1.0, llr / MOST_LLR))


def _cue(n: int, cue: str, tables: Sequence[tuple[float, list[Evidence]]], x: Any) -> list[str]:
    parts, points = [], []
    found = [(at_s, row) for at_s, rows in tables for row in rows if row.cue == cue]
    for k, (at_s, row) in enumerate(found):
        left = x(at_s)
        right = x(found[k + 1][0]) if k + 1 < len(found) else left + 4
        if k + 1 < len(found) and found[k + 1][0] - at_s > GAP_S:
            right = left + 4
        parts.append(
            f'<rect x="{left:.1f}" y="{(n + 1) * HIGH - 9}" width="{max(right - left, 1):.1f}"'
            f' height="6" fill="var(--{row.stand.value})">'
            f"<title>{at_s:.2f} s: {escape(row.stand.value)}, {escape(row.reason)}</title></rect>"
        )
        if row.topic is Topic.LIVENESS and row.stand is not Stand.UNKNOWN:
            points.append((left, row.llr))
    if any(value for _, value in points):
        parts.append(_curve(n, points))
    return parts


def _curve(n: int, points: Sequence[tuple[float, float]]) -> str:
    path = " ".join(f"{left:.1f},{_y(n, value):.1f}" for left, value in points)
    return f'<polyline points="{path}" fill="none" stroke="var(--ink)" stroke-width="1.5"/>'


def _marks(played: Replayed, x: Any, height: int) -> list[str]:
    parts = []
    moves = [(at_s, e) for at_s, e in played.events if isinstance(e, PhaseChanged)]
    for k, (at_s, event) in enumerate(moves):
        left = x(at_s)
        parts.append(
            f'<line x1="{left:.1f}" x2="{left:.1f}" y1="0" y2="{height - 32}"'
            ' stroke="var(--line)"/>'
            f'<text x="{min(left + 2, WIDE - 70):.1f}" y="{height - 20 + 13 * (k % 2)}">'
            f"{escape(event.phase.value)}</text>"
        )
    return parts


def _legend() -> str:
    names = {
        "for": "for",
        "open": "open: counts in the sum only",
        "against": "against: a veto",
        "unknown": "not measured",
    }
    items = " &nbsp; ".join(f'<span class="{k}">&#9632;</span> {v}' for k, v in names.items())
    return (
        f"<p>{items}. Lines: log-likelihood ratios, &#177;{MOST_LLR:g};"
        " dashed: where the sums accept and refuse; the least decides.</p>"
    )


def _table(played: Replayed) -> str:
    if not played.rows:
        return "<p>No evidence was gathered.</p>"
    at_s, rows = played.rows[-1]
    cells = []
    for row in rows:
        numbers = " ".join(f"{escape(name)}={value:.4g}" for name, value in row.numbers.items())
        certain = ", certain" if row.certain else ""
        cells.append(
            f"<tr><td>{escape(row.cue)}<td>{escape(row.topic.value)}"
            f'<td class="{row.stand.value}">{escape(row.stand.value)}{certain}'
            f'<td class="n">{row.llr:+.2f}<td>{escape(", ".join(row.species))}'
            f'<td>{escape(row.reason)}<td class="n">{numbers}'
        )
    head = "<tr><th>cue<th>question<th>stand<th>ratio<th>counts for<th>why<th>measured"
    total = ", ".join(f"{species} {value:+.2f}" for species, value in sums(rows).items())
    return (
        f"<p>The table at {at_s - played.first_s:.2f} s, sums {total}:</p>"
        f"<table>{head}{''.join(cells)}</table>"
    )


def _events(played: Replayed) -> str:
    lines = [
        f'<tr><td class="n">{at_s - played.first_s:.2f} s<td>{escape(shown(event))}'
        for at_s, event in played.events
        if isinstance(event, PhaseChanged | Hinted | Decided)
    ]
    return f"<table>{''.join(lines)}</table>"
