"""How a client's gallery changed: what a store tells to who remembers how it was.

Each change takes the next number of its client. Rows carry the number of their last change, and a
removal leaves its number with the id of what was removed. Not here: the verbs (port.py), the
databases, what is remembered (server/people/galleries.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VectorRecord:
    """What a search among many needs of a template."""

    subject: str
    template_id: str
    model_id: str
    vector: bytes | None
    """As in TemplateRecord. One that opens for another template id is an older template's: a server
    of a version that knew no vectors replaced the template and left the vector."""
    counter: int = 0
    epoch: int = 0
    """These as in TemplateRecord, too."""


@dataclass(frozen=True, slots=True)
class GalleryVersion:
    """Where a client's gallery stands. Compare whole values: any difference is a change."""

    changes: int
    """Grows with every change, in whatever process."""
    logged: int
    """How many of these the log has. Who writes past the log makes `unlogged` another number."""
    open: frozenset[str] = frozenset()
    """Subjects that are being written at this moment, or whose writer died."""

    @property
    def unlogged(self) -> int:
        """A difference of this one cannot be told by rows: read everything again."""
        return self.changes - self.logged


def reaches(since: GalleryVersion, now: GalleryVersion) -> bool:
    """Whether the log tells all that changed from one to the other."""
    return (
        since.unlogged == now.unlogged
        and since.changes <= now.changes  # or an older database was put in its place
        and now.logged - since.logged <= LOG_KEPT
    )


@dataclass(frozen=True, slots=True)
class Changes:
    """How a gallery became another. First the removals hold, then the rows."""

    version: GalleryVersion
    """What it is at least now; what changed since then is told the next time, maybe twice."""
    removed: Sequence[str]
    """Template ids that went away. Those of rows that nobody knew, too."""
    looked_up: Sequence[str]
    """Subjects whose rows are told if they have any: who is not among the rows has none."""
    rows: Sequence[VectorRecord]
    """What is there now of each subject that changed."""


LOG_KEPT = 5_000
"""Changes after which a removal leaves the log of a client; who asks for older ones reads all."""
