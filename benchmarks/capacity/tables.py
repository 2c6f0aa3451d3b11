"""The figures of several runs as Markdown. Pure.

Rows are lists: what a table shows is one line here. Not here: what a figure is (figures.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchmarks.capacity.figures import End, Level, Range
from benchmarks.numbers import table_head as head
from benchmarks.numbers import table_row as row

BEGIN = "<!-- capacity:begin -->"
END = "<!-- capacity:end -->"

Figure = Callable[[Level], float | None]


def _per_login(level: Level, cpu_s: float) -> float | None:
    return 1000 * cpu_s / level.judged if level.judged else None


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


FIGURES: tuple[tuple[str, int, Figure], ...] = (
    ("verdicts a second", 2, lambda at: at.judged_per_s),
    ("**accepted a second**", 2, lambda at: at.accepted_per_s),
    ("verdicts a CPU second of the server", 2, lambda at: at.per_core),
    ("admitted offer → token, p50, s", 2, lambda at: at.token_ms and at.token_ms.p50 / 1000),
    ("admitted offer → token, p95, s", 2, lambda at: at.token_ms and at.token_ms.p95 / 1000),
    ("admitted offer → token, max, s", 2, lambda at: at.token_ms and at.token_ms.greatest / 1000),
    ("first offer → token, p50, s", 2, lambda at: at.click_ms and at.click_ms.p50 / 1000),
    ("first offer → token, p95, s", 2, lambda at: at.click_ms and at.click_ms.p95 / 1000),
    ("first offer → token, max, s", 2, lambda at: at.click_ms and at.click_ms.greatest / 1000),
    ("server, CPU s a verdict", 2, lambda at: at.cpu_s),
    ("attempts", 0, lambda at: len(at.tries)),
    ("attempts: right", 0, lambda at: at.count(End.RIGHT)),
    ("attempts: stranger accepted (wrong)", 0, lambda at: at.count(End.WRONG_IN)),
    ("attempts: owner refused (wrong)", 0, lambda at: at.count(End.WRONG_OUT)),
    ("attempts: admitted, then `timeout`", 0, lambda at: at.count(End.TIMEOUT)),
    ("attempts: admitted, then broken off", 0, lambda at: at.count(End.FAULT)),
    ("attempts: refused without a line", 0, lambda at: at.count(End.REFUSED)),
    ("attempts: in line at the end", 0, lambda at: at.count(End.LEFT)),
    ("offers told to come again", 0, lambda at: sum(tried.refusals for tried in at.tries)),
    ("waited for a place, p50, s", 1, lambda at: at.wait_s and at.wait_s.p50),
    ("waited for a place, max, s", 1, lambda at: at.wait_s and at.wait_s.greatest),
    ("waits that were ½ to 2 of what was shown first", 2, lambda at: at.honest),
    ("the same, below a second judged like others", 2, lambda at: at.honest_brief),
    ("frames seen, an attempt", 0, lambda at: _share(at.frames, at.admitted)),
    ("frames dropped, an attempt", 0, lambda at: _share(at.dropped, at.admitted)),
    ("key frames asked for in vain", 0, lambda at: sum(tried.keys_asked for tried in at.tries)),
    ("resident MB: at rest", 0, lambda at: at.rest_mb),
    ("resident MB: peak", 0, lambda at: at.peak_mb),
    ("resident MB: after", 0, lambda at: at.after_mb),
    ("cores busy: server", 2, lambda at: _share(at.server_cpu_s, at.wall_s)),
    ("cores busy: callers", 2, lambda at: _share(at.caller_cpu_s, at.wall_s)),
    ("cores busy: burners", 2, lambda at: _share(at.burned_cpu_s, at.wall_s)),
    ("cores busy: others", 2, lambda at: _share(at.other_cpu_s, at.wall_s)),
)

SHORT = (
    "**accepted a second**", "admitted offer → token, p50, s", "admitted offer → token, p95, s",
    "first offer → token, p50, s", "first offer → token, p95, s", "server, CPU s a verdict",
    "attempts: stranger accepted (wrong)", "attempts: owner refused (wrong)",
    "attempts: admitted, then `timeout`", "resident MB: at rest", "resident MB: peak",
    "cores busy: server", "cores busy: others",
)  # fmt: skip
"""Rows of README's table."""


def table(levels: Mapping[int, Sequence[Level]]) -> list[str]:
    """A column a level: the median of the runs, and their range where they differ."""
    return _table(levels, FIGURES)


def short(levels: Mapping[int, Sequence[Level]]) -> list[str]:
    """The rows that say most."""
    rows = [figure for figure in FIGURES if figure[0] in SHORT]
    return _table(levels, rows)


def _table(
    levels: Mapping[int, Sequence[Level]], rows: Sequence[tuple[str, int, Figure]]
) -> list[str]:
    columns = sorted(levels)
    lines = head("callers at once", [str(callers) for callers in columns])
    for title, digits, figure in rows:
        cells = [cell(Range.of(map(figure, levels[n])), digits) for n in columns]
        if any(cells):
            lines.append(row(title, cells))
    return lines


def cell(found: Range | None, digits: int) -> str:
    """`median (least-most)`, or one number if all are the same; empty if nothing was measured."""
    if found is None:
        return ""
    median, least, most = (f"{v:.{digits}f}" for v in (found.median, found.least, found.most))
    return median if least == most else f"{median} ({least}–{most})"


def stages(levels: Mapping[int, Sequence[Level]]) -> list[str]:
    """CPU ms a verdict by part, and the floor; nothing where the server had no clocks inside."""
    parts = {part for runs in levels.values() for level in runs for part in level.stages}
    if not parts:
        return []
    rows: list[tuple[str, int, Figure]] = [
        *((part, 1, _part(part)) for part in sorted(p for p in parts if p.startswith("net "))),
        ("nets together", 1, _nets),
        ("see without nets", 1, lambda at: _less(_part("see")(at), _nets(at))),
        ("decode", 1, _part("decode")),
        ("SRTP", 1, _part("srtp")),
        ("event loop without SRTP", 1, lambda at: _less(_part("loop")(at), _part("srtp")(at))),
        ("store", 1, _part("store")),
        ("other threads", 1, _part("other threads")),
        ("threads of libraries", 1, _part("threads of libraries")),
        ("**floor: nets, decode, SRTP**", 0, _floor),
        ("**the whole process**", 0, lambda at: _per_login(at, at.server_cpu_s)),
        ("the whole process over its floor", 2, _over),
    ]
    return _table(levels, rows)


def _part(name: str) -> Figure:
    return lambda at: _per_login(at, at.stages[name]) if name in at.stages else None


def _nets(at: Level) -> float | None:
    spent = sum(cpu_s for part, cpu_s in at.stages.items() if part.startswith("net "))
    return _per_login(at, spent)


def _less(whole: float | None, part: float | None) -> float | None:
    return None if whole is None else whole - (part or 0.0)


def _floor(at: Level) -> float | None:
    nets = _nets(at)
    if nets is None:
        return None
    return nets + sum(_part(name)(at) or 0.0 for name in ("decode", "srtp"))


def _over(at: Level) -> float | None:
    floor, whole = _floor(at), _per_login(at, at.server_cpu_s)
    return whole / floor if floor and whole else None
