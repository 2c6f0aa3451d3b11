"""What a relying app may be told of a person: name and e-mail address, sealed.

Written by who invites or operates, never by the person. Not here: what is in one and how it is
sealed (server/people/sealed_people.py), the databases. Source: OpenID Connect Core 5.1 and 5.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Profile:
    """One person's."""

    people: str
    """The client whose people these are."""
    subject: str
    sealed: bytes
    """A JSON object, in UTF-8."""
    key_id: str
    """Which master key sealed it."""


class Profiles(Protocol):
    """The profiles. Every method may raise Unavailable."""

    async def put(self, profile: Profile) -> None:
        """Instead of the one that the person had. Raises NotFound if the subject has no template:
        who was removed meanwhile gets none, and who is not enrolled yet has an invitation."""

    async def get(self, people: str, subject: str) -> Profile:
        """Raises NotFound."""

    async def remove(self, people: str, subject: str) -> None:
        """Raises NotFound."""

    async def of_people(self, people: str, *, after: str, most: int) -> Sequence[Profile]:
        """The next `most` behind the subject `after`, by subject; "" is before all. Fewer than
        `most` only at the end."""

    async def reseal(self, was: Profile, sealed: bytes, key_id: str) -> bool:
        """Seal the same profile anew; whether it was still sealed as it `was`."""
