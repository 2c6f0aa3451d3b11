"""From log lines, metrics and times to percentiles and a table. Pure: no process, no clock.

Here: what a login's numbers mean and how they are written. Not here: how they are made (serving.py,
caller.py, browser.py), which runs there are (login.py).
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BEGIN = "<!-- bench:begin -->"
END = "<!-- bench:end -->"


class NoSection(Exception):
    """A file has no place for the table, or more than one."""


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt as its caller saw it."""

    session: str
    """First eight characters of the id, as the server logs them; empty if it came to none."""
    outcome: str
    """accepted, rejected, expired, or `error`."""
    reasons: tuple[str, ...] = ()
    """The verdict's, or the error's code."""
    answer_ms: float | None = None
    """From the POST of the offer to its answer."""
    verdict_ms: float | None = None
    """From the POST of the offer to the verdict."""
    ready_ms: float | None = None
    """From the start of the element to the POST, camera and session included; browsers only."""


@dataclass(frozen=True, slots=True)
class Login:
    """One attempt, both sides together. Times in ms."""

    call: Call
    log: Mapping[str, Any]
    """The server's line "session over": `*_ms` since it began to answer the offer."""

    @property
    def before_ms(self) -> float:
        """HTTP, ticket and template, which come before the server's own zero, and the way back of
        the answer: what the caller waited longer than the server worked on the answer."""
        if self.call.answer_ms is None or "answer_ms" not in self.log:
            return 0.0
        return max(0.0, self.call.answer_ms - float(self.log["answer_ms"]))

    def since_post(self, stage: str) -> float | None:
        """From the POST of the offer to a stage of the server."""
        at_ms = self.log.get(f"{stage}_ms")
        return None if at_ms is None else self.before_ms + float(at_ms)

    def between(self, first: str, last: str) -> float | None:
        """From one stage of the server to another."""
        one, other = self.log.get(f"{first}_ms"), self.log.get(f"{last}_ms")
        return None if one is None or other is None else float(other - one)


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of a sample."""

    n: int
    p50: float
    p95: float
    greatest: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread | None:
        """None if there is no value. What was not measured (None) is left out, never counted."""
        known = sorted(value for value in values if value is not None)
        if not known:
            return None
        return cls(len(known), percentile(known, 50), percentile(known, 95), known[-1])

    def __str__(self) -> str:
        return f"{self.p50:.0f} / {self.p95:.0f} / {self.greatest:.0f}"


def percentile(ordered: Sequence[float], share: float) -> float:
    """Nearest rank: the least value that `share` percent of the sorted sample do not exceed."""
    if not ordered or not 0 < share <= 100:
        raise ValueError("a sample and a share within 0..100 are needed")
    return ordered[math.ceil(share / 100 * len(ordered)) - 1]


def sessions_over(log: str, purpose: str = "login") -> dict[str, dict[str, Any]]:
    """The server's last words on each session, by the first eight characters of its id."""
    found = {}
    for line in log.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue  # not ours: an interpreter's warning
        if not isinstance(row, dict) or row.get("message") != "session over":
            continue
        if row.get("purpose") == purpose:
            found[str(row["session"])] = row
    return found


def paired(calls: Iterable[Call], log: Mapping[str, Mapping[str, Any]]) -> list[Login]:
    """Each call with what the server logged of it."""
    return [Login(call, log.get(call.session, {})) for call in calls]


def verdicts(logins: Sequence[Login]) -> str:
    """`18 accepted, 1 rejected (no_match), ...`: every outcome, the refused ones with reasons."""
    counted = Counter(
        login.call.outcome + (f" ({', '.join(login.call.reasons)})" if login.call.reasons else "")
        for login in logins
    )
    return ", ".join(f"{n} {what}" for what, n in counted.most_common())


_SAMPLE = re.compile(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)$")


def samples(metrics: str) -> dict[str, float]:
    """Prometheus text format 0.0.4, by name and labels as written."""
    matches = (_SAMPLE.match(line) for line in metrics.splitlines())
    return {match[1]: float(match[2]) for match in matches if match}


def mean_ms(before: Mapping[str, float], after: Mapping[str, float], stage: str) -> float | None:
    """Mean of one stage of `lookgate_stage_seconds` between two readings."""
    total, count = (
        after.get(name, 0.0) - before.get(name, 0.0)
        for name in (
            f'lookgate_stage_seconds_{kind}{{stage="{stage}"}}' for kind in ("sum", "count")
        )
    )
    return 1000 * total / count if count else None


@dataclass(frozen=True, slots=True)
class Run:
    """Some logins, one kind of caller, so many at a time."""

    title: str
    logins: tuple[Login, ...]
    wall_s: float
    server_cpu_s: float
    """CPU seconds of the server's process."""
    caller_cpu_s: float | None
    """CPU seconds of the callers: decoding beforehand and VP8 encoding."""
    other_cpu_s: float | None
    """CPU seconds of everything else on the machine, stolen time included."""
    see_ms: float | None
    """Mean of waiting for a thread, converting and measuring, per frame."""
    frames: float
    """Frames that were measured."""
    dropped: float
    """Frames that a newer one replaced."""
    rss_mb: float
    """Of the server, at the end."""

    @property
    def first_frame(self) -> Spread | None:
        """From the POST of the offer to the first decoded frame, ms."""
        return Spread.of(login.since_post("frame") for login in self.logins)

    @property
    def verdict(self) -> Spread | None:
        """From the first decoded frame to the verdict, ms; verdicts of any kind."""
        return Spread.of(login.between("frame", "verdict") for login in self.logins)


def _since_post(stage: str) -> Callable[[Run], Spread | None]:
    return lambda run: Spread.of(login.since_post(stage) for login in run.logins)


def _between(first: str, last: str) -> Callable[[Run], Spread | None]:
    return lambda run: Spread.of(login.between(first, last) for login in run.logins)


STAGES: tuple[tuple[str, Callable[[Run], Spread | None]], ...] = (
    ("POST offer → answer", lambda run: Spread.of(login.call.answer_ms for login in run.logins)),
    ("POST offer → ICE", _since_post("ice")),
    ("POST offer → DTLS", _since_post("dtls")),
    ("POST offer → data channel", _since_post("channel")),
    ("**POST offer → first decoded frame**", lambda run: run.first_frame),
    ("first frame → gathering", _between("frame", "gathering")),
    ("gathering → decided", _between("gathering", "decided")),
    ("decided → recorded, verdict sent", _between("decided", "verdict")),
    ("**first frame → verdict**", lambda run: run.verdict),
    ("POST offer → verdict, at the caller",
     lambda run: Spread.of(login.call.verdict_ms for login in run.logins)),
)  # fmt: skip
"""Rows of the table; times in ms."""


def stage_table(runs: Sequence[Run]) -> list[str]:
    """A column a run."""
    lines = table_head("ms, p50 / p95 / max", [run.title for run in runs])
    for name, pick in STAGES:
        lines.append(table_row(name, [str(pick(run) or "") for run in runs]))
    lines.append(table_row("logins", [verdicts(run.logins) for run in runs]))
    for name, tell in (
        ("server, CPU s a login", lambda run: f"{run.server_cpu_s / len(run.logins):.2f}"),
        ("frames a login: measured, skipped", _frames),
        ("one frame in the server, mean ms", lambda run: _number(run.see_ms, 1)),
        ("cores busy: server, callers, others", _cores),
    ):
        lines.append(table_row(name, [tell(run) for run in runs]))
    return lines


def _frames(run: Run) -> str:
    n = len(run.logins)
    return f"{run.frames / n:.0f}, {run.dropped / n:.1f}"


def _cores(run: Run) -> str:
    spent = (run.server_cpu_s, run.caller_cpu_s, run.other_cpu_s)
    return ", ".join("?" if cpu is None else f"{cpu / run.wall_s:.2f}" for cpu in spent)


@dataclass(frozen=True, slots=True)
class Goal:
    """A number and what it should be."""

    what: str
    most: float
    value: float | None
    digits: int = 0
    unit: str = "ms"

    @property
    def met(self) -> bool:
        """Not measured is not met."""
        return self.value is not None and self.value <= self.most


def goal_table(goals: Sequence[Goal]) -> list[str]:
    """A row a goal; a missed one says so."""
    lines = table_head("", ["goal", "measured", ""])
    for goal in goals:
        most, value = (_number(v, goal.digits) for v in (goal.most, goal.value))
        told = f"{value} {goal.unit}".strip() if goal.value is not None else "not measured"
        end = "met" if goal.met else "**missed**"
        lines.append(table_row(goal.what, [f"≤ {most} {goal.unit}".strip(), told, end]))
    return lines


def replaced(text: str, section: str, begin: str = BEGIN, end: str = END) -> str:
    """`text` with `section` between the two marks. Raises NoSection."""
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise NoSection(f"there must be one {begin} and, after it, one {end}")
    before, rest = text.split(begin)
    return f"{before}{begin}\n{section.strip()}\n{end}{rest.split(end)[1]}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def table_head(first: str, others: Sequence[str]) -> list[str]:
    """The first two lines of a Markdown table."""
    return [table_row(first, others), "|" + "---|" * (len(others) + 1)]


def table_row(name: str, cells: Sequence[str]) -> str:
    """One more."""
    return "| " + " | ".join([name, *cells]) + " |"
