"""Writing a tape while a session runs: every line is in the file before the session goes on.

Here: the recorder of one session, and the session as it is recorded. Not here: when to record and
what may be kept (server/session/recorder.py). Source: docs/tape.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any, Protocol, cast

from pipeline.events import Event
from pipeline.observation import Ask
from pipeline.session import SessionPipeline
from pipeline.tape import CONSENT, FORMAT, LINES, VERSION, VIDEO, fields
from pipeline.tape.lines import Chain, seal
from pipeline.tape.video import VideoWriter

RESERVED = frozenset({"frame", "ask", "in", "out", "event", "note", "end"})
"""Kinds of lines that are no input of the session."""


READS = frozenset({"ask", "deadline_s", "evidence"})
"""Methods of the session that only tell; everything else public is an input."""


@cache
def inputs() -> Mapping[str, dict[str, fields.Reader]]:
    """Everything that may be told to a session, by the method's name.

    Found by looking, so that a new way in is on the tapes from its first day on. Raises TypeError
    for one whose arguments a tape cannot carry.
    """
    found = {
        name: fields.arguments(method)
        for name, method in vars(SessionPipeline).items()
        if not name.startswith("_") and name not in READS and isinstance(method, FunctionType)
    }
    assert not RESERVED & found.keys(), "a kind of line that is taken"
    return found


class TapeWriter:
    """One tape, a new folder that only its owner may read. Every method may raise OSError."""

    def __init__(
        self, folder: Path, *, session: Mapping[str, Any], about: Mapping[str, Any], at_s: float
    ) -> None:
        """`session`: what SessionPipeline is made with; `about`: more for the header."""
        folder.mkdir(mode=0o700)
        self.folder = folder
        self._chain, self._arrays = Chain(), fields.Arrays()
        self._video: VideoWriter | None = None
        self._frames = self._lines = 0
        path = folder / LINES
        path.touch(mode=0o600, exist_ok=False)
        self._file = path.open("ab", buffering=0)
        policy = session["policy"]
        header = {
            "format": FORMAT,
            "version": VERSION,
            "t": at_s,
            "consent": CONSENT,
            "purpose": session["purpose"].value,
            "policy": policy.name,
            "policy_fingerprint": policy.fingerprint(),
            **about,
            "session": {name: fields.write(v, self._arrays) for name, v in session.items()},
        }
        self._write(header)

    def frame(self, codec: str, ticks: int, data: bytes, *, key: bool, at_s: float) -> None:
        """An encoded frame as it was received, whether or not anybody looked at it."""
        if self._video is None:
            path = self.folder / VIDEO
            path.touch(mode=0o600, exist_ok=False)
            self._video = VideoWriter(path, codec)
        self._video.write(data, ticks, key=key)
        line = {"k": "frame", "t": at_s, "n": self._frames, "codec": codec, "ticks": ticks}
        self._write({**line, "size": len(data), "key": key, "sha256": self._video.digest})
        self._frames += 1

    def ask(self, ask: Ask, at_s: float) -> None:
        """What is to be measured in the next frame."""
        self._write({"k": "ask", "t": at_s, "ask": fields.write(ask, self._arrays)})

    def message(self, way: str, content: Mapping[str, Any], at_s: float) -> None:
        """A message of the page ("in") or to it ("out"), without what is a secret in it."""
        assert way in ("in", "out")
        self._write({"k": way, "t": at_s, "message": content})

    def told(self, name: str, given: Mapping[str, Any], at_s: float) -> None:
        """One input of the session: an observation is a `step`."""
        line = {key: fields.write(value, self._arrays) for key, value in given.items()}
        self._write({"k": name, "t": at_s, "with": line})

    def event(self, event: Event, at_s: float) -> None:
        """What the session said to the input before."""
        self._write({"k": "event", "t": at_s, "event": fields.write(event, self._arrays)})

    def note(self, text: str, at_s: float) -> None:
        """For people; no reader acts on it."""
        self._write({"k": "note", "t": at_s, "text": text})

    def close(self, at_s: float) -> None:
        """The end: without this line a tape counts as truncated. May be called again."""
        if self._file.closed:
            return
        try:
            if self._video is not None:
                self._video.close()
            self._write({"k": "end", "t": at_s, "lines": self._lines, "frames": self._frames})
        finally:
            self._file.close()

    def abandon(self) -> None:
        """Let go of the files without an end. May be called again; never raises OSError."""
        if self._video is not None:
            self._video.abandon()
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        data = seal(line, self._chain)
        if self._file.write(data) != len(data):
            raise OSError("the disk is full")
        self._lines += 1


class Sink(Protocol):
    """What a taped session tells: a TapeWriter, or who stands before one."""

    def ask(self, ask: Ask, at_s: float) -> None:
        """As TapeWriter.ask."""

    def told(self, name: str, given: Mapping[str, Any], at_s: float) -> None:
        """As TapeWriter.told."""

    def event(self, event: Event, at_s: float) -> None:
        """As TapeWriter.event."""


class _Taped:
    """A session all of whose inputs, asks and events go onto a tape."""

    def __init__(self, session: SessionPipeline, tape: Sink, clock: Callable[[], float]) -> None:
        self._session, self._tape, self._clock = session, tape, clock

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._session, name)
        if name == "ask":
            return self._asked
        if name not in inputs():
            return found

        def call(*positional: Any, **named: Any) -> list[Event] | None:
            given = dict(zip(inputs()[name], positional, strict=False), **named)
            self._tape.told(name, given, self._clock())
            events: list[Event] | None = found(*positional, **named)
            for event in events or ():
                self._tape.event(event, self._clock())
            return events

        return call

    def _asked(self) -> Any:
        ask = self._session.ask()
        self._tape.ask(ask, self._clock())
        return ask


def taped(session: SessionPipeline, tape: Sink, clock: Callable[[], float]) -> SessionPipeline:
    """The same session, with everything that is told to it and that it says on a tape."""
    return cast(SessionPipeline, _Taped(session, tape, clock))
