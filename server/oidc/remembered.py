"""Who logged in on this browser before: a sealed cookie with at most three names.

It opens nothing, and saves somebody typing. Sealed, because it names people and the page shows what
it says. Not here: the known devices of the lockout (server/people/devices.py), sending cookies.
Source: RFC 6265bis section 4.1.3 (`__Host-`).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from server.keys.vault import Vault, VaultError

MOST = 3
KEPT = timedelta(days=180)
"""Since the last login of one of them."""
LONGEST = 2048
"""Characters of a cookie that is ours: three names of 128 characters of three relying apps."""
_OWNER = ("remembered people",)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who logged in here."""

    people: str
    """The client whose people these are."""
    subject: str


def cookie_name(*, secure: bool) -> str:
    """`secure`: whether browsers come by TLS."""
    return f"{'__Host-' if secure else ''}lookgate-people"


def read(vault: Vault, value: str | None, now: datetime) -> tuple[Person, ...]:
    """The last one first; nobody for what is not ours, changed or expired."""
    if value is None or len(value) > LONGEST:
        return ()
    try:
        sealed = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
        told = json.loads(vault.open(sealed, owner=_OWNER))
        if now >= datetime.fromtimestamp(told["until"], UTC):
            return ()
        return tuple(Person(str(people), str(subject)) for people, subject in told["of"])[:MOST]
    except (VaultError, binascii.Error, ValueError, KeyError, TypeError, OverflowError):
        return ()


def write(vault: Vault, persons: Sequence[Person], now: datetime) -> str:
    """The cookie's value, base64url. Raises VaultError."""
    told = {
        "until": (now + KEPT).timestamp(),
        "of": [[one.people, one.subject] for one in persons[:MOST]],
    }
    return encoded(vault.seal(json.dumps(told).encode(), owner=_OWNER))


def encoded(sealed: bytes) -> str:
    """As a cookie carries it."""
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def with_person(persons: Sequence[Person], new: Person) -> tuple[Person, ...]:
    """The new one first, each once."""
    return (new, *(one for one in persons if one != new))[:MOST]


def without(persons: Sequence[Person], gone: Person) -> tuple[Person, ...]:
    """All others."""
    return tuple(one for one in persons if one != gone)
