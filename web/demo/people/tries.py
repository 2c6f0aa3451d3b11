"""How often something may be tried, in a time that slides: counted before it is tried.

Functions of a database connection. Not here: what a known device (devices.py) and a recovery code
(codes.py) are allowed, what address a request is counted by (guard.py).
Sources: NIST SP 800-63B-4 section 3.2.2, OWASP Authentication.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from web.demo.refusals import Refused


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many in so many seconds, for each of what it is counted by."""

    name: str
    most: int
    window_s: float


# One office or school is one address, and thirty of its people begin at the same time.
PASSWORDS_OF_ADDRESS = Limit("passwords of an address", 60, 300.0)
"""Wrong ones, of all names: against trying one password on many names."""
PASSWORDS_OF_PAIR = Limit("passwords of a name from an address", 5, 300.0)
PASSWORDS_OF_NAME = Limit("passwords of a name", 10, 900.0)
"""Wrong ones, from all addresses together, but for the owner's own devices (devices.py)."""
CODES_OF_ADDRESS = Limit("recovery codes of an address", 20, 300.0)
REGISTRATIONS = Limit("registrations of an address", 40, 900.0)
FACES_OF_ADDRESS = Limit("face sessions of an address", 120, 300.0)
FACES_OF_ACCOUNT = Limit("face sessions of an account", 30, 300.0)

Count = tuple[Limit, str]
"""A limit, and what it is counted by."""


def count(db: sqlite3.Connection, counts: Sequence[Count], now_s: float) -> None:
    """Count one try against every limit, or against none: then a burst cannot slip through.

    Raises Refused("too_many_attempts").
    """
    db.execute("DELETE FROM tries WHERE expires_s <= ?", (now_s,))
    for limit, what in counts:
        query = "SELECT count(*) FROM tries WHERE key = ?"
        if db.execute(query, (_key(limit, what),)).fetchone()[0] >= limit.most:
            raise Refused("too_many_attempts")
    for limit, what in counts:
        db.execute(
            "INSERT INTO tries (key, expires_s) VALUES (?, ?)",
            (_key(limit, what), now_s + limit.window_s),
        )


def take_back(db: sqlite3.Connection, counts: Sequence[Count], at_s: float) -> None:
    """This try, counted at `at_s`, was none after all."""
    for limit, what in counts:
        db.execute(
            "DELETE FROM tries WHERE rowid ="
            " (SELECT rowid FROM tries WHERE key = ? AND expires_s = ? LIMIT 1)",
            (_key(limit, what), at_s + limit.window_s),
        )


def forget(db: sqlite3.Connection, counts: Sequence[Count]) -> None:
    """Begin again at none."""
    for limit, what in counts:
        db.execute("DELETE FROM tries WHERE key = ?", (_key(limit, what),))


def _key(limit: Limit, what: str) -> str:
    # Hashed: people type passwords into the field for their name, and a name has no end.
    return hashlib.sha256(f"{limit.name}\0{what}".encode("utf-8", "replace")).hexdigest()
