"""Reading a tape: a folder or one zip file, checked line by line.

Here: finding its files, and every line as values of the core. Not here: what follows from them
(replay.py). A tape may come from anybody: whatever is wrong with it is a TapeError with the line.
Source: docs/tape.md.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple, cast

from pipeline.events import Event
from pipeline.observation import Ask
from pipeline.policy import Policy
from pipeline.session import SessionPipeline
from pipeline.tape import LINES, VIDEO, TapeError, fields
from pipeline.tape.lines import unsealed
from pipeline.tape.writer import inputs

MAX_VIDEO = 512 * 1024 * 1024
"""Bytes of a video in a zip file; a session of 60 s has 9 MB."""
HEADER, PIECE = 8 * 1024, 128 * 1024
"""Bytes that are read at a time: for the header alone, and for all."""
_INPUTS, _EVENT, _ASK = inputs(), fields.reader(Event), fields.reader(Ask)
MAX_TICKS = 2**53
"""Of a frame's time: 3,000 years, and what a float tells apart."""


class Line(NamedTuple):
    """One line, read."""

    number: int
    """From 1, the header's."""
    kind: str
    """frame, ask, in, out, event, note, end, or the name of an input of the session."""
    t: float
    """The recorder's clock, the monotonic seconds of the server."""
    value: Any
    """ask: Ask; event: Event; an input: its arguments by name; else the line as it is."""


@dataclass(frozen=True, slots=True)
class Tape:
    """An opened tape. `lines` may be called several times."""

    path: Path
    header: Mapping[str, Any]
    """The first line as it is, without `session`."""
    session: Mapping[str, Any]
    """What the session was made with: keyword arguments of SessionPipeline."""
    has_video: bool
    arrays: Sequence[Any] = ()
    """Those of the header, which later lines may name."""

    @property
    def policy(self) -> Policy:
        """As it was recorded."""
        policy: Policy = self.session["policy"]
        return policy

    def lines(self, *, torn: bool = False) -> Iterator[Line]:
        """Everything after the header. Raises TapeError.

        `torn`: a tape whose end is missing, because the recorder died, is read up to there.
        """
        with _opened(self.path, PIECE) as (stream, _):
            arrays = fields.Arrays(self.arrays)
            ended, number = False, 0
            frames = 0
            for number, line in unsealed(stream, torn=torn):
                if number == 1:
                    continue
                if ended:
                    raise TapeError("tape_invalid", "something comes after the end", number)
                try:
                    found = _line(number, line, arrays)
                except (ValueError, TypeError, KeyError, IndexError, AttributeError) as fault:
                    raise TapeError(
                        "tape_invalid", "the line does not say what it should", number
                    ) from fault
                frames += found.kind == "frame"
                if found.kind == "end":
                    ended = True
                    if (line.get("lines"), line.get("frames")) != (number - 1, frames):
                        raise TapeError("tape_invalid", "the end counts other lines", number)
                yield found
            if not ended and not torn:
                raise TapeError(
                    "tape_truncated", "the tape ends here without an end: cut off", number
                )

    @contextmanager
    def video(self) -> Iterator[BinaryIO]:
        """The video's file. Raises TapeError tape_video."""
        if not self.has_video:
            raise TapeError("tape_video", "the tape has no video")
        if self.path.is_dir():
            with (self.path / VIDEO).open("rb") as stream:
                yield stream
            return
        with zipfile.ZipFile(self.path) as box:
            member = box.getinfo(_member(box, VIDEO) or "")
            if member.file_size > MAX_VIDEO:
                raise TapeError("tape_video", "the video is too large")
            data = box.read(member)
        yield io.BytesIO(data)


def open_tape(path: Path) -> Tape:
    """Find a tape's files and read its header. Raises TapeError."""
    with _opened(path, HEADER) as (stream, has_video):
        for number, line in unsealed(stream):
            arrays = fields.Arrays()
            session = _session(line, arrays)
            about = {name: value for name, value in line.items() if name not in ("session", "sum")}
            assert number == 1
            return Tape(path, about, session, has_video, arrays.found)
    raise TapeError("tape_not", "the file is empty")


@contextmanager
def _opened(path: Path, piece: int) -> Iterator[tuple[BinaryIO, bool]]:
    """tape.jsonl of a folder or zip file, read `piece` bytes at a time, and whether a video is
    beside it. Raises TapeError."""
    if path.is_dir():
        if not (path / LINES).is_file():
            raise TapeError("tape_not", f"the folder has no {LINES}")
        with (path / LINES).open("rb", buffering=piece) as stream:
            yield stream, (path / VIDEO).is_file()
        return
    if not path.is_file():
        raise TapeError("tape_missing", "there is no such folder or file")
    try:
        with zipfile.ZipFile(path) as box:
            name = _member(box, LINES)
            if name is None:
                raise TapeError("tape_not", f"the zip file has no {LINES}")
            with box.open(name) as member:
                # A member looks for the ends of lines in Python.
                stream = io.BufferedReader(cast(io.RawIOBase, member), piece)
                yield stream, _member(box, VIDEO) is not None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as fault:
        raise TapeError("tape_not", "this is neither a tape's folder nor a zip of one") from fault


def _member(box: zipfile.ZipFile, wanted: str) -> str | None:
    """A tape's file in a zip file: at the top, or in the one folder that was packed."""
    found = [n for n in box.namelist() if PurePosixPath(n).name == wanted and n.count("/") < 2]
    return found[0] if len(found) == 1 else None


def _session(line: dict[str, Any], arrays: fields.Arrays) -> dict[str, Any]:
    readers = fields.arguments(SessionPipeline.__init__)
    try:
        told = {name: readers[name](value, arrays) for name, value in line["session"].items()}
        SessionPipeline(**told)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as fault:
        raise TapeError("tape_invalid", "the header does not describe a session", 1) from fault
    return told


def _line(number: int, line: dict[str, Any], arrays: fields.Arrays) -> Line:
    kind, t = line["k"], line["t"]
    if t.__class__ not in (float, int):
        raise TypeError("a time")
    if (readers := _INPUTS.get(kind)) is not None:
        given = {name: readers[name](value, arrays) for name, value in line["with"].items()}
        return Line(number, kind, t, given)
    if kind == "event":
        return Line(number, kind, t, _EVENT(line["event"], arrays))
    if kind == "ask":
        return Line(number, kind, t, _ASK(line["ask"], arrays))
    if kind == "frame":
        whole = line["n"].__class__ is int is line["ticks"].__class__ is line["size"].__class__
        if not whole or not 0 <= line["ticks"] < MAX_TICKS or line["key"].__class__ is not bool:
            raise ValueError("a frame")
        if line["codec"] not in ("VP8", "H264") or len(line["sha256"]) != 16:
            raise ValueError("a frame")
    elif kind in ("in", "out"):
        if line["message"].__class__ is not dict:
            raise ValueError("a message")
    elif kind not in ("note", "end"):
        raise ValueError("an unknown kind")
    return Line(number, kind, t, line)
