"""One session's recording: when it is made, what is left out, and what happens when it cannot be.

Not here: the format (pipeline/tape), the folder (server/people/shelf.py). Recording must never cost
a login: a full disk ends the tape, not the session. Source: docs/tape.md, "Recording".
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from models import manifest
from pipeline.encoded import is_key
from pipeline.events import Event
from pipeline.inputs import Input
from pipeline.observation import Ask
from pipeline.reasons import Purpose
from pipeline.tape.writer import TapeWriter
from server.people.shelf import Shelf
from server.store.port import SessionRecord

logger = logging.getLogger(__name__)

MAX_GALLERY = 1000
"""An identification is compared with everybody: with more people than this it is not recorded."""
SECRET = frozenset({"token"})
"""Fields of messages that never go onto a tape."""


@cache
def _pinned() -> dict[str, str]:
    every = {**manifest.load(), **manifest.load_added()}
    return {name: net.sha256 for name, net in every.items()}


def nets_here(other_embedder: str | None, added: Sequence[str] = ()) -> dict[str, str]:
    """Net and sha256 of its file, as verified before the server starts; `other_embedder` is the
    model id of an embedder that is not one of ours, `added` are the nets beside the pack."""
    here = {name: _pinned()[name] for name in (*manifest.load(), *added)}
    return here if other_embedder is None else {**here, "embed": other_embedder}


class Recorder:
    """What one session leaves on the shelf."""

    def __init__(self, tape: TapeWriter, clock: Callable[[], float]) -> None:
        self._tape: TapeWriter | None = tape
        self._clock = clock

    @property
    def running(self) -> bool:
        """False once it was ended, declined or given up."""
        return self._tape is not None

    def frame(self, codec: str, ticks: int, data: bytes) -> None:
        """An encoded frame, as it came."""
        key = is_key(codec, data)
        self._do(lambda tape, at_s: tape.frame(codec, ticks, data, key=key, at_s=at_s))

    def heard(self, text: str | bytes) -> None:
        """A message of the page that was understood."""
        self._message("in", text)

    def said(self, text: str) -> None:
        """A message to the page."""
        self._message("out", text)

    def ask(self, ask: Ask, at_s: float) -> None:
        """As TapeWriter.ask."""
        self._do(lambda tape, _: tape.ask(ask, at_s))

    def input(self, told: Input, at_s: float) -> None:
        """As TapeWriter.input."""
        self._do(lambda tape, _: tape.input(told, at_s))

    def event(self, event: Event, at_s: float) -> None:
        """As TapeWriter.event."""
        self._do(lambda tape, _: tape.event(event, at_s))

    def close(self) -> None:
        """The session is over."""
        self._do(lambda tape, at_s: tape.close(at_s))
        self._tape = None

    def discard(self) -> None:
        """Remove everything: the person declined, or there is no session after all."""
        tape, self._tape = self._tape, None
        if tape is not None:
            tape.abandon()
            shutil.rmtree(tape.folder, ignore_errors=True)

    def _do(self, write: Callable[[TapeWriter, float], None]) -> None:
        if self._tape is None:
            return
        try:
            write(self._tape, self._clock())
        except Exception as fault:
            tape, self._tape = self._tape, None
            tape.abandon()
            logger.error("a recording broke off", extra={"fault": type(fault).__name__})

    def _message(self, way: str, text: str | bytes) -> None:
        content = {k: v for k, v in json.loads(text).items() if k not in SECRET}
        self._do(lambda tape, at_s: tape.message(way, content, at_s))


@dataclass(frozen=True, slots=True)
class Recording:
    """How one server records its sessions."""

    shelf: Shelf
    nets: Mapping[str, str]
    """As `nets_here`."""
    clock: Callable[[], float]
    now: Callable[[], datetime]

    def start(self, record: SessionRecord, session: Mapping[str, Any]) -> Recorder | None:
        """A recorder that runs, or None if this session is not to be recorded.

        `session`: what its SessionPipeline is made with.
        """
        if record.purpose == Purpose.IDENTIFY and len(session["gallery"]) > MAX_GALLERY:
            return None
        about = {
            "recorded_at": self.now().isoformat(timespec="seconds"),
            "client": record.client_id,
            "subject": record.subject,
            "session_id": record.session_id,
            "models": self.nets,
        }
        try:
            folder = self.shelf.place(record.client_id, record.session_id, self.now())
            # Rows that are rotated are turned back, so that no secret of a client is on a tape.
            session = {**session, "gallery": session["gallery"].copy()}
            tape = TapeWriter(folder, session=session, about=about, at_s=self.clock())
        except OSError as fault:
            logger.error("a session cannot be recorded", extra={"errno": fault.errno})
            return None
        return Recorder(tape, self.clock)
