"""One login at the hosted page, from /authorize to the code.

It belongs to the browser that has its cookie, and changes by compare-and-set on its version. Not
here: its states and their order (server/factors), the session that looks at the face (port.py), the
databases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from server.store.oidc.codes import Code

DONE = "done"
"""The state of a login that has a code. The other states are not the store's to know."""


@dataclass(frozen=True, slots=True)
class Login:
    """One login."""

    login_id: str
    client_id: str
    request: str
    """JSON: the checked parameters of /authorize."""
    cookie_hash: bytes
    """SHA-256 of the cookie that binds it to a browser."""
    state: str
    version: int
    """1 when it is made, one more with each change."""
    subject: str | None
    """Who it is, or claims to be; it may be nobody's name."""
    shown: tuple[str, ...]
    """What was shown so far, of key, webcrypto, face, otp and recovery."""
    session_id: str | None
    """Of the session that looks at the face."""
    attempts: int
    challenge_salt: bytes
    """Random, of this login: its challenges are derived from it."""
    created_at: datetime
    expires_at: datetime


class Logins(Protocol):
    """The logins. Every method may raise Unavailable."""

    async def add(self, login: Login) -> None:
        """Raises Conflict if the id is taken, NotFound if there is no such client."""

    async def get(self, login_id: str, now: datetime) -> Login:
        """Raises NotFound: unknown, expired."""

    async def move(self, was: Login, now_is: Login, code: Code | None = None) -> Login:
        """Compare and set by the version that it `was` of; as it is kept, with the next version.

        state, subject, shown, session_id, attempts and challenge_salt change, nothing else does.
        `code` comes with the state DONE, of this login, client and subject, and is kept in the same
        act: nobody ever sees it without its login being DONE. Raises Conflict (it changed
        meanwhile), NotFound (it is gone, or `code` was made after its end).
        """

    async def of_subject(self, client_id: str, subject: str) -> Sequence[Login]:
        """All that name this subject and were not swept, the oldest first."""


def moved(was: Login, now_is: Login, code: Code | None) -> Login:
    """As `move` keeps it, if nobody was quicker."""
    if code is not None:
        of = (code.login_id, code.client_id, code.subject, DONE)
        if of != (was.login_id, was.client_id, now_is.subject, now_is.state):
            raise AssertionError("a code is of a login that is done, and of its subject")
    return replace(
        was,
        version=was.version + 1,
        state=now_is.state,
        subject=now_is.subject,
        shown=now_is.shown,
        session_id=now_is.session_id,
        attempts=now_is.attempts,
        challenge_salt=now_is.challenge_salt,
    )
