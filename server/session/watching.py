"""Looks at one session's pictures: one after the other, the newest each time its turn comes.

Two looks at once never happen, and a picture is chosen when a thread is free for it: so pictures
are skipped where threads are short, evenly among sessions, and none that is looked at is old. Not
here: what is asked of a picture and what follows from it (pipeline/session/), the threads
(server/frames/inference.py). Source: docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pipeline.inputs import Input, Seen
from pipeline.observation import Ask, Observation
from pipeline.session.fingerprint import Path
from server.frames.inference import Viewer
from server.metrics import Metrics
from server.rtc.slot import SlotClosed
from server.session.admission import Place
from server.session.connection import Connection
from server.session.presence import Presence

NOBODY_S = 4.0
"""Without a face for so long, a session leaves its place to those who wait for one: somebody who
is guided into the picture takes 1 to 3 s."""


@dataclass(slots=True, eq=False, kw_only=True)
class Watcher:
    """The eyes of one session."""

    place: Place
    viewer: Viewer
    presence: Presence
    metrics: Metrics
    clock: Callable[[], float]
    ask: Callable[[], Ask]
    """What to measure in the next picture."""
    search: Callable[[Observation], Awaitable[None]]
    """Prepares a search for what was seen, before the session is told."""
    tell: Callable[[Input], None]
    """Hears what was seen."""
    give_way: Callable[[], None]
    """Called when the session should end because it has no face in it and others wait."""
    crowded: bool = field(init=False, default=False)
    """It has pictures to show, and others have all places."""
    path: Path = field(init=False, default_factory=Path)
    """How the pictures went, from the first one to the verdict."""
    _face_s: float | None = field(init=False, default=None)
    """When a face was seen last, or looking began."""

    async def run(self, connection: Connection) -> None:
        """Look until there are no more pictures."""
        while True:
            try:
                picture = await connection.frames.peek()
            except SlotClosed:
                return  # the timer or on_state ends the session
            began_s = self.clock()
            if not self.place.show():
                self.crowded = True  # the first picture stays due; newer ones come
                self.presence.hear(connection.frames.take().arrival_s)
                continue
            self.crowded = False
            opened_s = self.presence.opened_s
            if self.presence.first_s is None and opened_s is not None:
                self.metrics.stages.observe("first_frame", began_s - opened_s)
            self.presence.measure(picture.arrival_s, began_s)
            async with self.viewer.turn():
                turn_s = self.clock()
                picture = connection.frames.take()
                seen = await self.viewer.see(picture, self.ask())
                looked_s = self.clock()
                await self.search(seen)
            self.presence.measured(looked_s)
            self.metrics.frames.add()
            self.metrics.stages.observe("turn", turn_s - began_s)
            self.metrics.stages.observe("see", looked_s - turn_s)
            searched_s = self.clock()
            self.path.add(seen)
            self.tell(Seen(seen))
            self.metrics.stages.observe("step", self.clock() - searched_s)
            if self._face_s is None or seen.face is not None:
                self._face_s = looked_s
            elif looked_s - self._face_s >= NOBODY_S and self.place.wanted():
                self.give_way()
