"""The keys that people hold: passkeys, and keys of a browser that has no authenticator.

The public half only. Not here: how a signature is checked (server/factors), the databases.
Source: W3C Web Authentication Level 3, sections 4 (credential, user handle) and 6.1.1 (counter).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

PASSKEY = "passkey"
WEBCRYPTO = "webcrypto"


@dataclass(frozen=True, slots=True)
class Authenticator:
    """One key."""

    key_id: str
    """Base64url of the credential id: one for all people."""
    people: str
    """The client whose people these are."""
    subject: str
    user_handle: bytes
    """32 random bytes, the same for all keys of a person."""
    public_key: bytes
    """COSE for a passkey, SPKI DER for a key of the browser."""
    kind: str
    """PASSKEY or WEBCRYPTO."""
    sign_count: int
    """0 where it does not count."""
    created_at: datetime
    used_at: datetime | None
    name: str
    """What the person calls it."""


class Authenticators(Protocol):
    """The keys. Every method may raise Unavailable."""

    async def add(self, authenticator: Authenticator) -> None:
        """Raises Conflict if the id is taken. Raises NotFound if the subject has no template: who
        was removed meanwhile gets no key."""

    async def get(self, key_id: str) -> Authenticator:
        """Raises NotFound."""

    async def of_subject(self, people: str, subject: str) -> Sequence[Authenticator]:
        """A person's, the oldest first."""

    async def of_handle(self, user_handle: bytes) -> Sequence[Authenticator]:
        """Those of a user handle, the oldest first."""

    async def use(self, key_id: str, was_count: int, now_count: int, at: datetime) -> None:
        """Compare and set. Raises Conflict: the count is another meanwhile, or `now_count` does not
        grow and is not 0 after 0 (section 6.1.1). Raises NotFound."""

    async def remove(self, people: str, subject: str, key_id: str) -> None:
        """Raises NotFound: no such key, or another person's."""


def grows(was_count: int, now_count: int) -> bool:
    """Whether a count may follow another (section 6.1.1, and 7.2 step 22)."""
    return now_count > was_count or now_count == was_count == 0
