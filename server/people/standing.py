"""What a client's templates are held against, opened: its secrets, and which templates count.

Values only. Not here: how they are kept and changed (anchors.py), what is sealed (templates.py).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from server.store.anchors import PARTS

Counters = Mapping[str, tuple[int, ...]]
"""Of each subject, those that count, the smallest first. More than one while an enrolment runs, or
after one that was not stored."""


def part_of(subject: str) -> int:
    """Where a subject's counters are."""
    return hashlib.sha256(subject.encode()).digest()[0] % PARTS


@dataclass(frozen=True, slots=True)
class Head:
    """What a client has once."""

    name: str
    """Random: a client that was removed and made again has another head."""
    version: int
    epoch: int
    """Which secret rotates what is sealed now, 1 for the first."""
    since: datetime
    """When that began."""
    secrets: Mapping[int, bytes] = field(repr=False)
    """By epoch; more than one while templates are carried over."""
    floors: Mapping[int, int]
    """By part, the version that it has at least."""
    adopted: bool
    """Whether every template of the client has a counter. Until then one without is believed."""
    row: int = 0
    """The turn that the client's row has at least (sealed_clients.py); 0: its turns are not counted
    yet."""

    @property
    def secret(self) -> bytes:
        """That of its epoch."""
        return self.secrets[self.epoch]

    def to_bytes(self) -> bytes:
        """JSON, to be sealed."""
        told = {
            "name": self.name,
            "epoch": self.epoch,
            "since": self.since.isoformat(),
            "secrets": {str(n): base64.b64encode(s).decode() for n, s in self.secrets.items()},
            "floors": {str(part): version for part, version in self.floors.items()},
            "adopted": self.adopted,
            "row": self.row,
        }
        return json.dumps(told).encode()

    @classmethod
    def from_bytes(cls, version: int, plain: bytes) -> Head:
        """What `to_bytes` gave."""
        told = json.loads(plain)
        return cls(
            name=told["name"],
            version=version,
            epoch=told["epoch"],
            since=datetime.fromisoformat(told["since"]),
            secrets={int(n): base64.b64decode(s) for n, s in told["secrets"].items()},
            floors={int(part): least for part, least in told["floors"].items()},
            adopted=told["adopted"],
            row=told.get("row", 0),
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """What a client's templates are held against, as it was read."""

    head: Head | None
    """None: no version that counts has written for this client."""
    counters: Counters = field(repr=False)
    """Of the subjects that were asked for."""
    stale: frozenset[int] = frozenset()
    """Parts that are older than the head says, or gone, or do not open."""
    turned_back: bool = False
    """Whether the head is older than one that this process saw, or does not open."""

    def fault(self, subject: str, counter: int) -> str | None:
        """Why a template with this counter does not count; None if it does.

        `anchor_missing`, `anchor_rolled_back`, `template_rolled_back`.
        """
        if self.turned_back or part_of(subject) in self.stale:
            return "anchor_rolled_back"
        if self.head is None:
            return "anchor_missing" if counter else None
        counting = self.counters.get(subject)
        if counting is None and not counter and not self.head.adopted:
            return None
        return None if counting and counter in counting else "template_rolled_back"
