"""One serving process, as its supervisor knows it. No behaviour.

Not here: what becomes of it (supervisor.py).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from server.processes.link import Link

SILENT = 5
"""Reports missed: whoever stands still for so long gets no new sessions."""


@dataclass(slots=True, eq=False)
class Child:
    """One process that serves."""

    number: int
    process: asyncio.subprocess.Process
    link: Link
    started_s: float
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    """A login has been possible."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: bool = False
    """It takes no new sessions."""

    missed: int = 0
    """Reports that did not come, one a second; those that come set it back."""

    @property
    def taking(self) -> bool:
        """Whether new sessions may begin there."""
        heard = not self.link.over and self.missed < SILENT
        return heard and self.opened.is_set() and not self.leaving
