"""One session's life, from the answered offer to the closed connection; owns all of its state.

The core decides (pipeline/session/session.py), presence.py says when a peer counts as gone; this
file waits, forwards and says it. Every decision is recorded by verdict.py before it is said, and
only an acceptance that was recorded brings a token. A peer that is cancelled says nothing: its
session stays live in the store, and counts as expired when its time is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipeline.cues.camera import Claim
from pipeline.events import Decided, PhaseChanged
from pipeline.inputs import (
    Began,
    Cancelled,
    Disconnected,
    Failed,
    Input,
    Introduced,
    PaintedStep,
    TimePassed,
)
from pipeline.policy import Policy
from pipeline.reasons import Phase, Purpose, Reason
from pipeline.session import SessionPipeline
from pipeline.tape.writer import TapedSession
from pipeline.template import Gallery
from server.frames.inference import Viewer
from server.limits import Bucket
from server.metrics import Metrics
from server.session import protocol
from server.session.admission import Place
from server.session.connection import Connection
from server.session.presence import Presence
from server.session.protocol import BadMessage, Cancel, Decline, Fault, Hello, Painted, Ping
from server.session.recorder import Recorder, Recording
from server.session.searching import search_ahead
from server.session.timer import CallLater, Timer
from server.session.verdict import Verdicts
from server.session.watching import Watcher
from server.store.port import SessionRecord

logger = logging.getLogger(__name__)

GOODBYE_S = 1.0
"""How long the page has to close after the verdict."""


@dataclass(slots=True, eq=False, kw_only=True)
class Peer:
    """One browser in one session."""

    record: SessionRecord
    """As claimed."""
    policy: Policy
    gallery: Gallery
    model_id: str
    """The embedder that runs."""
    place: Place
    """Given back once by `run`."""
    viewer: Viewer
    verdicts: Verdicts
    recording: Recording | None
    """None: sessions are not recorded."""
    metrics: Metrics
    clock: Callable[[], float]
    """Monotonic seconds, the clock that stamps frames."""
    call_later: CallLater
    _connection: Connection | None = field(init=False, default=None)
    _session: SessionPipeline = field(init=False)
    _recorder: Recorder | None = field(init=False, default=None)
    _decided: asyncio.Future[Decided] = field(init=False)
    _bucket: Bucket = field(init=False)
    _refused: int = field(init=False, default=0)
    _error: str | None = field(init=False, default=None)
    """What to say beside the verdict."""
    _presence: Presence = field(init=False)
    _watcher: Watcher = field(init=False)
    _timer: Timer | None = field(init=False, default=None)
    _timer_s: float = field(init=False, default=math.inf)
    """When `_timer` calls."""
    _told_s: dict[str, float] = field(init=False, default_factory=dict)
    """When the evidence began to gather, and when it was enough: for the log."""

    def __post_init__(self) -> None:
        now_s = self.clock()
        self._presence = Presence(now_s, self.place.patience)
        self._watcher = Watcher(
            place=self.place,
            viewer=self.viewer,
            presence=self._presence,
            metrics=self.metrics,
            clock=self.clock,
            ask=lambda: self._session.ask(),  # the session is made below
            search=lambda seen: search_ahead(self._session, self.gallery, seen),
            tell=self._tell,
            give_way=self._give_way,
        )
        self._bucket = Bucket(protocol.RATE_PER_S, protocol.BURST, now_s)
        self._decided = asyncio.get_running_loop().create_future()
        told = dict[str, Any](
            purpose=Purpose(self.record.purpose),
            policy=self.policy,
            gallery=self.gallery,
            model_id=self.model_id,
            started_s=now_s,
            challenge=self.record.challenge == "light",
            seed=secrets.token_bytes(32),
        )
        if self.recording is not None:
            self._recorder = self.recording.start(self.record, told)
        if self._recorder is None:
            self._session = SessionPipeline(**told)
        else:
            told["gallery"] = self.gallery.copy()  # what is on the tape stays as it is there
            self._session = TapedSession(self._recorder, self.clock, **told)

    @property
    def recorded(self) -> bool:
        """Whether this session goes onto a tape, as things stand."""
        return self._recorder is not None and self._recorder.running

    def unrecord(self) -> None:
        """Remove the recording, if there is one; the session goes on without."""
        if self._recorder is not None:
            self._recorder.discard()

    # What the connection calls

    def on_message(self, data: str | bytes) -> None:
        """One message of the page."""
        if self._decided.done():
            return
        try:
            self._receive(data)
        except Exception as error:
            self._fail("message", error)

    def on_encoded(self, codec: str, ticks: int, data: bytes) -> None:
        """One frame before it is decoded, for the recording."""
        if self._recorder is not None:
            self._recorder.frame(codec, ticks, data)

    def on_too_large(self) -> None:
        """The video was given up for its size: say so, because silence would say nothing."""
        self._end("video_too_large", Disconnected(self.clock()))

    def on_state(self, state: str) -> None:
        """The connection came up or went down."""
        if state in ("failed", "closed") and not self._decided.done():
            self._tell(Disconnected(self.clock()))

    def stop(self) -> None:
        """End now: the server is being stopped."""
        self._end("server_stopping", Failed(self.clock()))

    def replace(self) -> None:
        """End now: the same person began a newer session at the same address."""
        self._end("session_replaced", Cancelled(self.clock()))

    def running(self) -> str | None:
        """The id of the session while it is undecided."""
        return None if self._decided.done() else self.record.session_id

    def withdraw(self) -> None:
        """End now: the store has the session no more, because the person was removed."""
        self._end("session_over", Cancelled(self.clock()))

    def _end(self, error: str, told: Input) -> None:
        """End now, unless all is decided, and say why."""
        if not self._decided.done():
            self._error = error
            self._tell(told)

    # The life

    async def run(self, connection: Connection) -> None:
        """Live until the connection is closed. Gives its place back when all is decided."""
        self._connection = connection
        self.place.when_replaced(self.replace)
        try:
            try:
                decided = await self._judge(connection)
            finally:
                self.place.give_back()
            await self._settle(connection, decided)
        finally:
            self.metrics.dropped.add(by=connection.frames.dropped)
            self.metrics.overflow.add(by=connection.overflow())
            for why, count in connection.undecoded().items():
                self.metrics.undecoded.add(why, by=count)
            await connection.close()
            if self._recorder is not None:
                self._recorder.close()

    async def _judge(self, connection: Connection) -> Decided:
        task = asyncio.create_task(self._frames(connection))
        task.add_done_callback(self._task_ended)
        self._set_timer()
        try:
            return await asyncio.shield(self._decided)
        finally:
            if self._timer is not None:
                self._timer.cancel()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail("session", error)

    async def _frames(self, connection: Connection) -> None:
        await connection.channel_open.wait()
        self._begin()
        await self._watcher.run(connection)

    def _give_way(self) -> None:
        """End now: nobody is to be seen, and others wait."""
        self._end("busy", Disconnected(self.clock()))

    def _set_timer(self) -> None:
        """Be called at the next deadline, the peer's or the session's.

        Words and pictures put deadlines off, which the timer learns when it goes off. What may
        bring one nearer is told to the session, and `_tell` comes here.
        """
        if self._decided.done():
            return
        due_s = min(self._presence.gone_s(), self._session.deadline_s())
        if self._timer is not None:
            if self._timer_s <= due_s:
                return
            self._timer.cancel()
        self._timer_s = due_s
        self._timer = self.call_later(due_s - self.clock(), self._time_passed)

    def _time_passed(self) -> None:
        """What must happen although nothing comes."""
        self._timer = None
        now_s = self.clock()
        try:
            if self._presence.gone_s() <= now_s:
                if self._watcher.crowded:
                    self._error = "busy"
                self._tell(Disconnected(now_s))
            elif self._session.deadline_s() <= now_s:
                self._tell(TimePassed(now_s))
            self._set_timer()
        except Exception as error:
            self._fail("session", error)

    def _begin(self) -> None:
        """The channel is open: the first words, once."""
        if self._presence.opened_s is not None:
            return
        now_s = self.clock()
        self._presence.open(now_s)
        self.metrics.stages.observe("connect", now_s - self._presence.started_s)
        self._send(
            protocol.welcome(
                session=self.record.session_id,
                purpose=self.record.purpose,
                time_limit_s=self.policy.time_limit_s,
                recorded=self.recorded,
            )
        )
        self._tell(Began())

    def _receive(self, data: str | bytes) -> None:
        now_s = self.clock()
        self._begin()
        self._presence.hear(now_s)
        # Oversized and binary messages cost a token, too.
        message: protocol.Message | BadMessage = BadMessage(Fault.RATE)
        if self._bucket.take(now_s) == 0.0:
            message = protocol.parse(data)
        if self._recorder is not None and not isinstance(message, BadMessage):
            self._recorder.heard(data)
        match message:
            case BadMessage(code):
                self._refuse(code, now_s)
            case Ping(n):
                self._send(protocol.pong(n))
            case Cancel():
                self._tell(Cancelled(now_s))
            case Decline():
                self.unrecord()
                self._send(protocol.recording(recorded=False))
            case Painted(n, step, ms):
                self._tell(PaintedStep(n, step, ms, now_s))
            case Hello(camera=camera, reduced_motion=still):
                claim = None
                if camera is not None and camera.kind is not None:
                    claim = Claim(camera.width, camera.height, camera.fps, camera.kind)
                # A page that does not say cannot paint either; without an answer nobody passes.
                self._tell(Introduced(bool(still), claim))
                logger.debug("hello", extra={"session": self.record.session_id[:8]})

    def _refuse(self, code: Fault, now_s: float) -> None:
        self._refused += 1
        self.metrics.refused.add(code.value)
        self._send(protocol.error(code, retry=code is Fault.RATE))
        if self._refused >= protocol.MAX_REFUSALS:
            self._tell(Disconnected(now_s))

    def _tell(self, told: Input) -> None:
        """Tell the core, and the page what it said. The end is told by `_settle`, when the store
        has agreed."""
        for event in self._session.receive(told):
            match event:
                case PhaseChanged(Phase.GATHERING):
                    self._told_s.setdefault("gathering", self.clock())
                    self._send(protocol.encode(event))
                case Decided():
                    self._told_s.setdefault("decided", self.clock())
                    if not self._decided.done():
                        self._decided.set_result(event)
                case PhaseChanged(Phase.ACCEPTED | Phase.REJECTED | Phase.EXPIRED):
                    pass
                case _:
                    self._send(protocol.encode(event))
        self._set_timer()

    def _fail(self, where: str, error: BaseException) -> None:
        """A mistake of ours: told, logged, and never an acceptance."""
        logger.error("bug in a session", extra={"where": where}, exc_info=error)
        if self._decided.done():
            return
        self._error = "internal"
        with contextlib.suppress(Exception):
            self._tell(Failed(self.clock()))
        if not self._decided.done():
            self._decided.set_result(Decided(Phase.REJECTED, (Reason.INTERNAL,)))

    def _send(self, text: str) -> bool:
        if self._recorder is not None:
            self._recorder.said(text)
        return self._connection is not None and self._connection.send(text)

    # The end

    async def _settle(self, connection: Connection, decided: Decided) -> None:
        began_s = self.clock()
        if (first_s := self._presence.first_s) is not None:
            self.metrics.stages.observe("verdict", began_s - first_s)
        core, path = self._session, self._watcher.path
        judged = (decided, core.evidence(), core.moment, core.doubted, path)
        said = await self.verdicts.record(self.record, self.policy, *judged)
        if (code := said.error or self._error) == "session_over":
            self.unrecord()  # nothing stays of somebody who was removed meanwhile
        if code is not None:
            self._send(protocol.error(code, retry=True))
        self._send(protocol.encode(PhaseChanged(said.phase)))
        self._send(
            protocol.verdict(
                outcome=said.phase.value,
                reasons=tuple(reason.value for reason in said.reasons),
                retry=said.retry,
                wait_s=said.wait_s,
                token=said.token,
                expires_in_s=said.expires_in_s,
                device=said.device,
            )
        )
        ended_s = self.clock()
        self.metrics.stages.observe("settle", ended_s - began_s)
        reason = said.reasons[0].value if said.reasons else ""
        self.metrics.sessions.add(self.record.purpose, said.phase.value, reason)
        logger.info(
            "session over",
            extra={
                "session": self.record.session_id[:8],
                "client": self.record.client_id,
                "purpose": self.record.purpose,
                "outcome": said.phase.value,
                "reason": reason,
                **self._timeline(connection, ended_s),
            },
        )
        await self.verdicts.remember(self.record, decided, said, path)
        if not connection.channel_open.is_set() or Reason.DISCONNECTED in said.reasons:
            return  # nobody is there to hear it, or to say goodbye to
        await connection.flush(GOODBYE_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(connection.closed.wait(), GOODBYE_S)

    def _timeline(self, connection: Connection, ended_s: float) -> dict[str, int]:
        """Milliseconds since the offer."""
        times = {**connection.times_s, **self._told_s, "verdict": ended_s}
        start_s = times.pop("offer", self._presence.started_s)
        return {f"{name}_ms": round(1000 * (at_s - start_s)) for name, at_s in times.items()}
