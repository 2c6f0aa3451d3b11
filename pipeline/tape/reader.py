"""Reading a tape: a folder or one zip file, checked line by line.

Here: finding its files, and every line as values of the core. Not here: what follows from them
(replay.py). A tape may come from anybody: whatever is wrong with it is a TapeError with the line.
Source: docs/tape.md.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Union, cast

import msgspec

from pipeline.events import Event
from pipeline.observation import Ask
from pipeline.policy import Policy
from pipeline.session import SessionPipeline
from pipeline.tape import LINES, VIDEO, TapeError, fields, shapes
from pipeline.tape.kinds import INPUTS
from pipeline.tape.lines import decoded, unsealed, wrong
from pipeline.tape.video import FrameLine

MAX_VIDEO = 512 * 1024 * 1024
"""Bytes of a video in a zip file; a session of 60 s has 9 MB."""
AHEAD = 64
"""Lines that are checked, then shaped, then read, before anybody hears of the first: what a
processor does again at once it does faster."""
HEADER, PIECE = 8 * 1024, 128 * 1024
"""Bytes that are read at a time: for the header alone, and for all."""


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line, read."""

    number: int
    """From 1, the header's."""
    kind: str
    """frame, ask, in, out, event, note, end, or one of kinds.INPUTS."""
    t: float
    """The recorder's clock, the monotonic seconds of the server."""
    value: Any
    """ask: Ask; event: Event; an input: Input; else the line, by its members."""

    def saying(self, value: Any) -> Line:
        """The same line with something else on it."""
        return Line(self.number, self.kind, self.t, value)


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
        arrays, number, frames, ended = fields.Arrays(self.arrays), 1, 0, False
        with _opened(self.path, PIECE) as (stream, _):
            for found, fault in _batches(unsealed(stream, torn=torn), arrays):
                for line in found:
                    number = line.number
                    if ended:
                        raise TapeError("tape_invalid", "something comes after the end", number)
                    if line.kind == "frame":
                        frames += 1
                    elif line.kind == "end":
                        ended = True
                        if (line.value.lines, line.value.frames) != (number - 1, frames):
                            raise TapeError("tape_invalid", "the end counts other lines", number)
                    yield line
                if fault is not None:
                    raise fault
        if not ended and not torn:
            raise TapeError("tape_truncated", "the tape ends here without an end: cut off", number)

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
        for number, raw in unsealed(stream):
            arrays = fields.Arrays()
            session = _session(raw, arrays)
            try:
                line = decoded(raw)
            except (ValueError, RecursionError):  # in a member that no session has
                raise wrong(number, "this is no JSON") from None
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
            raise TapeError("tape_not", f"the folder {path} has no {LINES}")
        with (path / LINES).open("rb", buffering=piece) as stream:
            yield stream, (path / VIDEO).is_file()
        return
    if not path.is_file():
        raise TapeError("tape_missing", f"there is no folder or file {path}")
    try:
        with zipfile.ZipFile(path) as box:
            name = _member(box, LINES)
            if name is None:
                raise TapeError("tape_not", f"the zip file {path} has no {LINES}")
            with box.open(name) as member:
                # A member looks for the ends of lines in Python.
                stream = io.BufferedReader(cast(io.RawIOBase, member), piece)
                yield stream, _member(box, VIDEO) is not None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as fault:
        raise TapeError(
            "tape_not", f"{path} is neither a tape's folder nor a zip of one"
        ) from fault


def _member(box: zipfile.ZipFile, wanted: str) -> str | None:
    """A tape's file in a zip file: at the top, or in the one folder that was packed."""
    found = [n for n in box.namelist() if PurePosixPath(n).name == wanted and n.count("/") < 2]
    return found[0] if len(found) == 1 else None


_HEADER = msgspec.defstruct("Header", [("session", shapes.given(SessionPipeline.__init__))])
_header: Callable[[bytes], Any] = msgspec.json.Decoder(_HEADER).decode
_TOLD = fields.arguments(SessionPipeline.__init__)


def _session(raw: bytes, arrays: fields.Arrays) -> dict[str, Any]:
    try:
        told = fields.told(_header(raw).session, _TOLD, arrays)
        SessionPipeline(**told)
    except _FAULTS as fault:
        raise TapeError("tape_invalid", "the header does not describe a session", 1) from fault
    return told


def _batches(
    raws: Iterator[tuple[int, bytes]], arrays: fields.Arrays
) -> Iterator[tuple[list[Line], TapeError | None]]:
    """The lines behind the header, AHEAD at a time, and what is wrong with the one after them."""
    next(raws, None)
    fault: TapeError | None = None
    while fault is None:
        checked: list[tuple[int, bytes]] = []
        try:
            checked.extend(islice(raws, AHEAD))
        except TapeError as found:
            fault = found  # what came before it is in the list
        shaped: list[tuple[int, Any]] = []
        lines: list[Line] = []
        try:
            for number, raw in checked:
                shaped.append((number, _line(raw)))
        except _FAULTS as found:
            fault = _invalid(number, found)
        try:
            for number, line in shaped:
                kind, read = _READ[line.__class__]
                lines.append(Line(number, kind, line.t, read(line, arrays)))
        except _FAULTS as found:
            fault = _invalid(number, found)
        if not checked and fault is None:
            return
        yield lines, fault


_FAULTS = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
)
"""Raised by what is on a tape and cannot be."""


def _invalid(number: int, fault: Exception) -> TapeError:
    unreadable = isinstance(fault, msgspec.DecodeError | RecursionError)
    if unreadable and not isinstance(fault, msgspec.ValidationError):
        found = wrong(number, "this is no JSON")
    else:
        found = TapeError("tape_invalid", "the line does not say what it should", number)
    found.__cause__ = fault
    return found


_Read = Callable[[Any, fields.Arrays], Any]


def _kinds() -> Iterator[tuple[type[msgspec.Struct], tuple[str, _Read]]]:
    """The shape of every kind of line, and what its value is."""

    def line(kind: str, *members: Any) -> type[msgspec.Struct]:
        # What else a line may say is left aside: `sum`, and what a later version has to add.
        told = [("t", float), *members]
        return msgspec.defstruct(kind, told, tag_field="k", tag=kind, gc=False)

    def input_of(told: Any) -> _Read:
        read = fields.reader(told)
        return lambda line, arrays: read(line.with_, arrays)

    def itself(line: Any, arrays: fields.Arrays) -> Any:
        return line

    for kind, told in INPUTS.items():
        given = ("with_", shapes.unnamed(told), msgspec.field(name="with"))
        yield line(kind, given), (kind, input_of(told))
    read_event, read_ask = fields.reader(Event), fields.reader(Ask)
    yield (
        line("event", ("event", shapes.shape(Event))),
        ("event", lambda line, arrays: read_event(line.event, arrays)),
    )
    yield (
        line("ask", ("ask", shapes.shape(Ask))),
        ("ask", lambda line, arrays: read_ask(line.ask, arrays)),
    )
    yield FrameLine, ("frame", itself)
    for way in ("in", "out"):
        yield line(way, ("message", dict[str, Any])), (way, itself)
    yield line("note", ("text", str)), ("note", itself)
    yield line("end", ("lines", int), ("frames", int)), ("end", itself)


_READ = dict(_kinds())
_line: Callable[[bytes], Any] = msgspec.json.Decoder(Union[tuple(_READ)]).decode  # noqa: UP007
