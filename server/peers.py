"""Who is connected: living peers and their tasks; stopping them all within a bounded time.

Not here: what one peer does (session/peer.py), who may connect (session/opening.py). Source:
asyncio.create_task, whose loop keeps only weak references to tasks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Protocol

GRACE_S = 5.0
"""Running sessions may end by themselves for so long when the server is stopped."""
GOODBYE_S = 3.0
"""Then they are told and closed: flush 1 s, page 1 s, connection."""

logger = logging.getLogger(__name__)


class Stoppable(Protocol):
    """What a peer is here."""

    def stop(self) -> None:
        """End soon, and say why."""

    def running(self) -> str | None:
        """The id of the session while it is undecided."""

    def withdraw(self) -> None:
        """End soon: the store has the session no more."""


class Peers:
    """The peers of one server; each is here from `start` until its life is over."""

    def __init__(
        self,
        when_came: Callable[[], object] = lambda: None,
        when_left: Callable[[], object] = lambda: None,
    ) -> None:
        """`when_came` is called whenever a peer starts, `when_left` whenever one has gone."""
        self.stopping = False
        """No new sessions are taken; the HTTP side asks before it starts one."""
        self._when_came = when_came
        self._when_left = when_left
        self._peers: set[Stoppable] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many are connected."""
        return len(self._peers)

    def __iter__(self) -> Iterator[Stoppable]:
        """Those who are connected now; they may leave meanwhile."""
        return iter(list(self._peers))

    def start(self, peer: Stoppable, life: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let a peer live in a task of its own. What `life` raises is a bug: logged, not raised."""
        self._peers.add(peer)
        self._when_came()
        task = asyncio.create_task(self._live(peer, life), name="peer")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _live(self, peer: Stoppable, life: Coroutine[Any, Any, None]) -> None:
        try:
            await life
        except Exception as error:
            logger.error("bug in a peer", exc_info=error)
        finally:
            self._peers.discard(peer)
            self._when_left()

    async def stop(self, grace_s: float = GRACE_S, goodbye_s: float = GOODBYE_S) -> None:
        """Let peers end by themselves for `grace_s`, then stop them and wait for `goodbye_s`."""
        self.stopping = True
        await self.until_none(grace_s)
        for peer in self:
            peer.stop()
        await self.until_none(goodbye_s)
        if self._peers:
            logger.warning("sessions cut off", extra={"sessions": len(self._peers)})

    async def until_none(self, seconds: float) -> None:
        """Wait for those who are here now to end by themselves, but no longer than this."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
