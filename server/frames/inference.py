"""Threads that look at pictures. No nets, no session logic.

`see` is given: it runs in a pool, because the nets release the GIL while they work. Not here: how
many sessions may ask them (server/session/occupancy.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pipeline.frame import Frame, Reference
from pipeline.observation import Ask, Observation
from server.frames.convert import Decoded, to_frame


class InferenceFailed(Exception):
    """A picture could not be looked at; the cause says why. Ours to mend, never the peer's."""


class Viewer:
    """Looks at one session's pictures. Made by `Inference.viewer`."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._reference = Reference()

    async def see(self, picture: Decoded | Frame, ask: Ask) -> Observation:
        """As `Inference.see`, with the session's own reference."""
        return await self._inference.see(picture, ask, self._reference)


class Inference:
    """A pool of `workers` threads.

    At most one picture a session may be in flight: the caller sees to it, which also bounds the
    queue at the number of sessions. Pictures are taken in the order of arrival.
    """

    def __init__(self, see: Callable[[Frame, Ask], Observation], workers: int) -> None:
        if workers < 1:
            raise ValueError("workers are at least 1")
        self.workers = workers
        self.in_flight = 0
        """Pictures that wait or are being looked at."""
        self._see = see
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="see")
        self._closed = False

    def viewer(self) -> Viewer:
        """One for one session, with a reference of its own."""
        return Viewer(self)

    async def see(
        self, picture: Decoded | Frame, ask: Ask, reference: Reference | None = None
    ) -> Observation:
        """Convert and look in a thread of the pool. Raises InferenceFailed.

        `reference` is the session's own; without it there is no motion to measure.
        If the caller is cancelled while the picture waits, nobody looks at it.
        """
        if self._closed:
            raise InferenceFailed
        self.in_flight += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._pool, self._look, picture, ask, reference or Reference()
            )
        except asyncio.CancelledError as fault:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise InferenceFailed from fault  # `close` threw the waiting picture away
        except Exception as fault:
            raise InferenceFailed from fault
        finally:
            self.in_flight -= 1

    async def close(self) -> None:
        """Refuse what waits, let what runs end, stop the threads. May be called again."""
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)

    def _look(self, picture: Decoded | Frame, ask: Ask, reference: Reference) -> Observation:
        if isinstance(picture, Decoded):
            picture = to_frame(picture.picture, picture.seq, picture.arrival_s, picture.media_s)
        observation = self._see(reference.attach(picture), ask)
        reference.keep(picture, ask)
        return observation
