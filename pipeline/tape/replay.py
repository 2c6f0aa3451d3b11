"""Playing a tape to a fresh session: the same inputs must lead to the same events.

No nets, no clock, no network: what is on the tape is told to a new session, line by line. Not here:
measuring the pictures again (server/tools/reseeing.py). Source: docs/tape.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, is_dataclass
from functools import cache
from operator import attrgetter
from typing import Any, cast

import numpy as np

from pipeline.decision import Bounds, Evidence
from pipeline.events import Decided, Event
from pipeline.inputs import Began, Input, Introduced, Seen
from pipeline.observation import Ask, Observation
from pipeline.policy import Policy
from pipeline.session import SessionPipeline
from pipeline.tape import TapeError
from pipeline.tape.fields import names
from pipeline.tape.kinds import INPUTS
from pipeline.tape.reader import Line, Tape

MAX_DIFFERENCES = 100
"""More are counted, not kept."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the new session said something else than the recorded one."""

    line: int
    recorded: str
    """Without vectors; "nothing" where it said nothing."""
    now: str


@dataclass(slots=True)
class Replayed:
    """What came of it."""

    events: list[tuple[float, Event]] = field(default_factory=list)
    """What the new session said, and the time of the input that made it say so."""
    rows: list[tuple[float, list[Evidence]]] = field(default_factory=list)
    """The decision table after each observation that changed it."""
    limits: list[Bounds | None] = field(default_factory=list)
    """For each of these tables the sums between which its window goes on; None before it may be
    decided."""
    recorded: Decided | None = None
    """How the recorded session ended; None if the tape breaks off before."""
    decided: Decided | None = None
    """How the new one ended; None if the tape was over before."""
    differences: list[Difference] = field(default_factory=list)
    differ: int = 0
    """How many differences there are."""
    asks_differ: int = 0
    """Frames in which the new session would have measured something else than was measured."""
    observations: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    torn: bool = False
    """The tape has no end: it was read up to where it breaks off."""

    @property
    def length_s(self) -> float:
        """Real time from the first line to the last."""
        return self.last_s - self.first_s

    @property
    def same(self) -> bool:
        """Whether every event came again, and no other."""
        return self.differ == 0


def replay(
    tape: Tape, *, policy: Policy | None = None, torn: bool = False, rows: bool = False
) -> Replayed:
    """Play a tape; `policy` judges it by other thresholds, `rows` keeps the decision tables.

    With another policy, differences are what would have been said instead. What it would have
    measured in addition is not on the tape and counts as not measured. Raises TapeError.
    """
    told = dict(tape.session) if policy is None else {**tape.session, "policy": policy}
    session = SessionPipeline(**told)
    result = Replayed()
    waiting: deque[Event] = deque()
    asks: list[tuple[Ask, Ask]] = []
    started: Any = tape.header.get("t", 0.0)
    result.first_s = result.last_s = float(started)
    ended = False
    for line in tape.lines(torn=torn):
        result.last_s = line.t
        if line.kind == "event":
            _compare(result, line, waiting)
        elif line.kind == "ask":
            asks.append((session.ask(), line.value))
        elif line.kind in INPUTS:
            if waiting:
                _missing(result, line, waiting)
            events, table = tell(session, line, rows=rows)
            if isinstance(line.value, Seen):
                result.observations += 1
            if not events and not table:
                continue
            waiting.extend(events)
            at_s = _now_s(line.value, line.t)
            for event in events:
                result.events.append((at_s, event))
                if isinstance(event, Decided):
                    result.decided = event
            if table:
                result.rows.append((at_s, table))
                result.limits.append(session.limits)
        elif line.kind == "end":
            ended = True
            _missing(result, line, waiting)
    result.torn = not ended
    result.asks_differ = sum(not equal(now, recorded) for now, recorded in asks)
    return result


def _now_s(told: Input, at_s: float) -> float:
    """The time that an input tells, or at which it was told."""
    match told:
        case Seen(obs):
            return obs.arrival_s
        case Began() | Introduced():
            return at_s
        case _:
            return float(told.now_s)


def tell(
    session: SessionPipeline, line: Line, *, rows: bool = False
) -> tuple[list[Event], list[Evidence]]:
    """Give a session an input. What it says, and of a frame the decision table, if that is wanted.
    Raises TapeError tape_invalid."""
    try:
        events = session.receive(line.value)
        table = session.evidence() if rows and isinstance(line.value, Seen) else []
    except Exception as fault:
        # A recorded session that could not take it was told Failed next; a tape that was tampered
        # with may say anything: neither is worth a traceback.
        text = f"the session cannot take this line ({type(fault).__name__})"
        raise TapeError("tape_invalid", text, line.number) from fault
    return events, table


def _compare(result: Replayed, line: Line, waiting: deque[Event]) -> None:
    if isinstance(line.value, Decided):
        result.recorded = line.value
    now = waiting.popleft() if waiting else None
    if now is None or not equal(now, line.value):
        _note(result, line.number, shown(line.value), "nothing" if now is None else shown(now))


def _missing(result: Replayed, line: Line, waiting: deque[Event]) -> None:
    """What the new session said and the recorded one did not."""
    while waiting:
        _note(result, line.number, "nothing", shown(waiting.popleft()))


def _note(result: Replayed, number: int, recorded: str, now: str) -> None:
    result.differ += 1
    if len(result.differences) < MAX_DIFFERENCES:
        result.differences.append(Difference(number, recorded, now))


def equal(one: Any, other: Any) -> bool:
    """Whether two values of the core are the same bits; nan is nan."""
    if one is other:
        return True
    kind: Any = one.__class__
    if kind is not other.__class__:
        return False
    if kind is float:
        return bool(one == other) or (one != one and other != other)
    if (parts := _parts(kind)) is not None:
        for a, b in zip(parts(one), parts(other), strict=True):
            if a is b or (a.__class__ is float is b.__class__ and a == b):
                continue  # most of them: no call for each
            if not equal(a, b):
                return False
        return True
    if isinstance(one, np.ndarray):
        return (
            one.dtype == other.dtype
            and one.shape == other.shape
            and bool(np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes())
        )
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other) or (one != one and other != other)


@cache
def _parts(kind: Any) -> Callable[[Any], tuple[Any, ...]] | None:
    """The values of a dataclass's fields; None for other classes."""
    if not is_dataclass(kind):
        return None
    found: tuple[str, ...] = names(cast(Any, kind))
    if len(found) > 1:
        return attrgetter(*found)
    return lambda one: tuple(getattr(one, name) for name in found)


def shown(event: Event) -> str:
    """An event in a line for people: never a vector."""
    parts = []
    kind: Any = event.__class__
    for name in names(kind):
        value = getattr(event, name)
        if isinstance(value, tuple):
            value = "+".join(map(str, value))
        if value not in (None, ""):
            parts.append(f"{name}={value}")
    return f"{type(event).__name__}({', '.join(parts)})"


def steps(tape: Tape, *, torn: bool = False) -> Iterator[tuple[Any, Observation]]:
    """Each observation with the ask that it answers. Raises TapeError."""
    asked: Any = None
    for line in tape.lines(torn=torn):
        if line.kind == "ask":
            asked = line.value
        elif isinstance(line.value, Seen):
            yield asked, line.value.obs
