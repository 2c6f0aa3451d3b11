"""Threads that look at pictures. No nets, no session logic.

`see` is given: it runs in a pool, because the nets release the GIL while they work. Sessions take
turns, and choose the picture when it is their turn, so that none is old. Not here: how many
sessions may ask them (server/session/occupancy.py), what is learned from the times
(server/session/pressure.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from pipeline.frame import Frame, Reference
from pipeline.observation import Ask, Observation
from server.frames.convert import Decoded, to_frame


class InferenceFailed(Exception):
    """A picture could not be looked at; the cause says why. Ours to mend, never the peer's."""


class Meter(Protocol):
    """Who is told how long looks took, seconds."""

    def waited(self, seconds: float) -> None:
        """From asking for a turn to having it."""

    def looked(self, seconds: float) -> None:
        """From the beginning in a thread until the event loop knew of the end."""


class Viewer:
    """Looks at one session's pictures. Made by `Inference.viewer`."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._reference = Reference()

    def turn(self) -> AbstractAsyncContextManager[None]:
        """As `Inference.turn`."""
        return self._inference.turn()

    async def see(self, picture: Decoded | Frame, ask: Ask) -> Observation:
        """As `Inference.see`, with the session's own reference."""
        return await self._inference.see(picture, ask, self._reference)


class Inference:
    """A pool of `workers` threads.

    At most one picture a session may be in flight: the caller sees to it, and takes a turn for it.
    Turns are given in the order in which they were asked for.
    """

    def __init__(
        self,
        see: Callable[[Frame, Ask], Observation],
        workers: int,
        *,
        meter: Meter | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock`: seconds; threads ask it, too."""
        if workers < 1:
            raise ValueError("workers are at least 1")
        self.workers = workers
        self.in_flight = 0
        """Sessions that wait for their turn or have it."""
        self._meter = meter
        self._clock = clock
        # One more than threads: while the event loop hears of one look, the next one begins.
        self._turns = asyncio.Semaphore(workers + 1)
        self._see = see
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="see")
        self._closed = False

    def viewer(self) -> Viewer:
        """One for one session, with a reference of its own."""
        return Viewer(self)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until a thread will take a picture at once, and keep others from it meanwhile."""
        asked_s = self._clock()
        self.in_flight += 1
        try:
            async with self._turns:
                if self._meter is not None:
                    self._meter.waited(self._clock() - asked_s)
                yield
        finally:
            self.in_flight -= 1

    async def see(
        self, picture: Decoded | Frame, ask: Ask, reference: Reference | None = None
    ) -> Observation:
        """Convert and look in a thread of the pool. Raises InferenceFailed.

        `reference` is the session's own; without it there is no motion to measure.
        If the caller is cancelled while the picture waits, nobody looks at it.
        """
        if self._closed:
            raise InferenceFailed
        try:
            observation, began_s = await asyncio.get_running_loop().run_in_executor(
                self._pool, self._look, picture, ask, reference or Reference()
            )
        except asyncio.CancelledError as fault:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise InferenceFailed from fault  # `close` threw the waiting picture away
        except Exception as fault:
            raise InferenceFailed from fault
        if self._meter is not None:
            self._meter.looked(self._clock() - began_s)
        return observation

    async def close(self) -> None:
        """Refuse what waits, let what runs end, stop the threads. May be called again."""
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)

    def _look(
        self, picture: Decoded | Frame, ask: Ask, reference: Reference
    ) -> tuple[Observation, float]:
        """What was seen, and when that began."""
        began_s = self._clock()
        if isinstance(picture, Decoded):
            picture = to_frame(picture.picture, picture.seq, picture.arrival_s, picture.media_s)
        observation = self._see(reference.attach(picture), ask)
        reference.keep(picture, ask)
        return observation, began_s
