"""Browsers that a person has logged in from: a stranger's guesses do not lock those out.

A device cookie says that somebody here knew the password once. It opens nothing. Failures from
other devices are limited over all addresses together, those of a device by the device. Functions of
a database connection; no HTTP. Source: OWASP, "Slow Down Online Guessing Attacks with Device
Cookies".
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3

LIFETIME_S = 180 * 86_400.0
"""After the last right password."""
MAX_FAILURES = 10
"""In a row; then the device is like any other."""
MAX_DEVICES = 10
"""Of one person; the oldest goes."""


def count_failure(db: sqlite3.Connection, cookie: str, user_id: str, now_s: float) -> bool:
    """Count a try before it is checked. False when this is no known device of that person."""
    db.execute("DELETE FROM devices WHERE expires_s <= ?", (now_s,))
    counted = db.execute(
        "UPDATE devices SET failures = failures + 1 WHERE id = ? AND user_id = ? AND failures < ?",
        (_hash(cookie), user_id, MAX_FAILURES),
    )
    return counted.rowcount == 1


def take_back(db: sqlite3.Connection, cookie: str, user_id: str) -> None:
    """The last try was not looked at."""
    db.execute(
        "UPDATE devices SET failures = failures - 1 WHERE id = ? AND user_id = ?",
        (_hash(cookie), user_id),
    )


def trust(db: sqlite3.Connection, cookie: str, user_id: str, now_s: float) -> str:
    """The password was right: a new cookie for this device, without failures.

    Other people of the same browser keep it as a device of theirs. The cookie is always a new one,
    so that one which a stranger planted here becomes worthless.
    """
    fresh = secrets.token_urlsafe(32)
    db.execute("UPDATE devices SET id = ? WHERE id = ?", (_hash(fresh), _hash(cookie)))
    db.execute(
        "INSERT OR REPLACE INTO devices (id, user_id, failures, expires_s) VALUES (?, ?, 0, ?)",
        (_hash(fresh), user_id, now_s + LIFETIME_S),
    )
    db.execute(
        "DELETE FROM devices WHERE user_id = ? AND rowid NOT IN"
        " (SELECT rowid FROM devices WHERE user_id = ? ORDER BY expires_s DESC LIMIT ?)",
        (user_id, user_id, MAX_DEVICES),
    )
    return fresh


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()
