"""The texts that a relying app asks its people to agree to, as the store keeps them.

Here: the record and the noun's Protocol. Not here: what a text holds and which one is asked
(server/people/consent.py), a person's own consent (TemplateRecord.consent in port.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ConsentText:
    """One version of a text, in all its languages. It never changes: people agreed to it."""

    client_id: str
    text_id: str
    version: str
    set_at: datetime
    """The newest one is asked for."""
    content: str
    """JSON of the languages, as server/people/consent.py writes it."""


class Consents(Protocol):
    """The clients' own texts; old ones stay, because consents name them. Every method may raise
    Unavailable."""

    async def add(self, text: ConsentText) -> None:
        """Raises Conflict if the client has this version already, NotFound if there is no such
        client."""

    async def of_client(self, client_id: str) -> Sequence[ConsentText]:
        """The newest first; of one moment, by text and version, the last first."""
