"""A tape's video, measured again by the nets that are here now, and compared with what is on it.

The pictures go through the one converter and the one `see` that live sessions use. Not here: the
tape (pipeline/tape/), loading nets (server/frames/look.py), printing
(server/commands/tape_verbs.py). Source: docs/tape.md, "--see".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np

from pipeline.events import Decided
from pipeline.frame import Frame, Reference
from pipeline.inputs import Seen
from pipeline.observation import Ask, Observation
from pipeline.session import SessionPipeline
from pipeline.tape import CLOCK_HZ, TapeError
from pipeline.tape.kinds import INPUTS
from pipeline.tape.reader import Tape
from pipeline.tape.replay import tell
from pipeline.tape.video import Picture, pictures
from server.frames.convert import to_frame

TOLERANCE = 1e-3
"""Greatest difference of a number, over the larger of its size and 1. On one machine there is none
(measured, docs/tape.md); another CPU rounds sums of float32 in another order."""

Look = Callable[[Frame, Ask], Observation]


@dataclass(slots=True)
class Reseen:
    """What the nets say now."""

    frames: int = 0
    """Observations that were measured again."""
    identical: int = 0
    """Of these, those that came out bit for bit."""
    absent: int = 0
    """Observations whose picture is not in the video."""
    worst: dict[str, float] = field(default_factory=dict)
    """Field -> greatest difference, as TOLERANCE counts; inf where one has a value or shape that
    the other has not. Only fields that differ."""
    recorded: Decided | None = None
    decided: Decided | None = None
    """How a session ends that gets the new measurements at the recorded times."""

    @property
    def within(self) -> bool:
        """Whether every difference is within the tolerance, and no picture was absent."""
        return not self.absent and all(worst <= TOLERANCE for worst in self.worst.values())


def resee(tape: Tape, look: Look, *, torn: bool = False) -> Reseen:
    """Measure again what was measured, as it was asked for. Raises TapeError and what `look` does.

    Each frame is measured with the ask on the tape, not with what a session would ask for after
    other measurements: differences do not add up.
    """
    result = Reseen()
    frames = [line.value for line in tape.lines(torn=torn) if line.kind == "frame"]
    session = SessionPipeline(**tape.session)
    asked: Any = None
    reference = Reference()
    with tape.video() as stream:
        shown = _Shown(pictures(frames, stream, torn=torn))
        for line in tape.lines(torn=torn):
            if line.kind == "ask":
                asked = line.value
                session.ask()
            elif line.kind == "event" and isinstance(line.value, Decided):
                result.recorded = line.value
            elif line.kind in INPUTS:
                told = line.value
                if isinstance(told, Seen) and asked is not None:
                    told = Seen(_again(told.obs, asked, shown, reference, look, result))
                events, _ = tell(session, line.saying(told))
                for event in events:
                    if isinstance(event, Decided):
                        result.decided = event
    if result.frames == 0:
        raise TapeError("tape_video", "no picture of the video was measured")
    return result


def _again(
    was: Observation,
    asked: Ask,
    shown: _Shown,
    reference: Reference,
    look: Look,
    result: Reseen,
) -> Observation:
    picture = shown.at(round(was.media_s * CLOCK_HZ)) if math.isfinite(was.media_s) else None
    if picture is None:
        result.absent += 1
        return was
    frame = to_frame(picture, was.seq, was.arrival_s, was.media_s)
    now = look(reference.attach(frame), asked)
    reference.keep(frame, asked)
    result.frames += 1
    found = dict(differences(was, now))
    result.identical += not found
    for name, apart in found.items():
        result.worst[name] = max(apart, result.worst.get(name, 0.0))
    return now


class _Shown:
    """The video, wound forward only."""

    def __init__(self, pictures: Iterator[tuple[int, Picture]]) -> None:
        self._pictures = pictures
        self._waiting: tuple[int, Picture] | None = None

    def at(self, ticks: int) -> Picture | None:
        """The picture with that time; None if there is none."""
        while True:
            found = self._waiting or next(self._pictures, None)
            self._waiting = None
            if found is None:
                return None
            if found[0] == ticks:
                return found[1]
            if found[0] > ticks:
                self._waiting = found
                return None


def differences(was: Any, now: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Fields of two observations that are not the same bits, and by how much."""
    if is_dataclass(was) and was.__class__ is now.__class__:
        for one in fields(was):
            inner = f"{name}.{one.name}" if name else one.name
            yield from differences(getattr(was, one.name), getattr(now, one.name), inner)
        return
    if was is None or now is None or is_dataclass(was) or is_dataclass(now):
        if was is not now:
            yield name, math.inf
        return
    if was.__class__ is now.__class__ is tuple and any(map(is_dataclass, (*was, *now))):
        if len(was) != len(now):
            yield name, math.inf
        for one, other in zip(was, now, strict=False):
            yield from differences(one, other, name)
        return
    if isinstance(was, str) or isinstance(now, str):
        if was != now:
            yield name, math.inf
        return
    before, after = np.asarray(was), np.asarray(now)
    if before.shape != after.shape:
        yield name, math.inf
        return
    apart = _apart(before.astype(np.float64), after.astype(np.float64))
    if apart > 0.0:
        yield name, apart


def _apart(one: Any, other: Any) -> float:
    if not one.size:
        return 0.0
    missing = np.isnan(one) != np.isnan(other)
    if missing.any():
        return math.inf
    both = ~np.isnan(one) & (one != other)
    if not both.any():
        return 0.0
    one, other = one[both], other[both]
    return float(np.max(np.abs(one - other) / np.maximum(1.0, np.abs(one))))
