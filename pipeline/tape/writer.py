"""Writing a tape while a session runs: every line is in the file before the session goes on.

Here: the lines of one tape, and a session that is taped. Not here: when to record and what may
be kept (server/session/recorder.py). Source: docs/tape.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from pipeline.events import Event
from pipeline.inputs import Input
from pipeline.observation import Ask
from pipeline.session import SessionPipeline
from pipeline.tape import CONSENT, FORMAT, LINES, VERSION, VIDEO, fields
from pipeline.tape.kinds import KINDS
from pipeline.tape.lines import Chain, seal
from pipeline.tape.video import VideoWriter


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

    def input(self, told: Input, at_s: float) -> None:
        """What the session is told."""
        kind: Any = told.__class__
        found = {n: fields.write(getattr(told, n), self._arrays) for n in fields.names(kind)}
        self._write({"k": KINDS[kind], "t": at_s, "with": found})

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
    """To whom a taped session tells what it hears and says: a TapeWriter, or who has one."""

    def input(self, told: Input, at_s: float) -> None:
        """As TapeWriter.input."""

    def ask(self, ask: Ask, at_s: float) -> None:
        """As TapeWriter.ask."""

    def event(self, event: Event, at_s: float) -> None:
        """As TapeWriter.event."""


class TapedSession(SessionPipeline):
    """A session whose inputs, asks and events go onto a tape."""

    def __init__(self, tape: Sink, clock: Callable[[], float], **told: Any) -> None:
        """`told`: what SessionPipeline is made with. `clock`: monotonic seconds."""
        super().__init__(**told)
        self._tape, self._clock = tape, clock

    def receive(self, told: Input) -> list[Event]:
        """As SessionPipeline.receive. The input is on the tape even if the session fails at it."""
        self._tape.input(told, self._clock())
        events = super().receive(told)
        for event in events:
            self._tape.event(event, self._clock())
        return events

    def ask(self) -> Ask:
        """As SessionPipeline.ask."""
        ask = super().ask()
        self._tape.ask(ask, self._clock())
        return ask
