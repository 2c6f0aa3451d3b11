"""Looking for a face among many beside the event loop, before the session asks whose it is.

Not here: comparing (pipeline/template.py), when a session searches (pipeline/cues/identity.py).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import numpy as np

from pipeline.observation import Observation
from pipeline.session import SessionPipeline
from pipeline.template import Floats, Gallery, Match

AT_ONCE = 20_000
"""People among whom a session looks by itself: .1 ms for 10,000, where a thread costs as much."""


@dataclass(frozen=True, eq=False)
class SearchedAhead(Gallery):
    """One session's gallery of many, which knows what it was asked before."""

    _of: Gallery
    _known: list[tuple[Floats, Match | None]] = field(default_factory=list, init=False)

    def best(self, probe: Floats) -> Match | None:
        """As Gallery.best; at once for the probe that was looked for ahead."""
        for known, match in self._known:
            if np.array_equal(known, probe):
                return match
        return self._of.best(probe)

    def copy(self) -> Gallery:
        """As Gallery.copy."""
        return self._of.copy()

    async def look(self, probe: Floats) -> None:
        """Look for it in a thread, so that `best` knows."""
        self._known[:] = [(probe, await asyncio.to_thread(self._of.best, probe))]


def for_session(gallery: Gallery) -> Gallery:
    """The gallery as one session gets it."""
    if len(gallery) <= AT_ONCE:
        return gallery
    return SearchedAhead(gallery.subjects, gallery.matrix, gallery)


async def search_ahead(session: SessionPipeline, gallery: Gallery, seen: Observation) -> None:
    """Look for what the session will look for when it is told what was seen."""
    if isinstance(gallery, SearchedAhead):
        probe = session.probe(seen)
        if probe is not None:
            await gallery.look(probe)
