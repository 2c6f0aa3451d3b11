"""Recovery codes: the other way in, for a face that cannot be shown or is not recognised.

A code stands for the face, never for the password. It is shown once, kept as a hash, and used once.
Functions of a database connection; no HTTP. Source: NIST SP 800-63B-4 section 3.1.2 (look-up
secrets); section 3.2.3 asks for such a way beside every biometric one.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import sqlite3

HOW_MANY = 8
MAX_FAILURES = 10
"""Wrong passwords beside one code, which then is worth nothing: all codes together stay below the
100 of section 3.2.2."""
_BYTES = 15
"""120 bits: from 112 on, a fast hash without a salt is enough (section 3.1.2.2)."""


def make(db: sqlite3.Connection, user_id: str) -> list[str]:
    """New codes as they are to be shown; the old ones end."""
    db.execute("DELETE FROM codes WHERE user_id = ?", (user_id,))
    texts = [
        base64.b32encode(secrets.token_bytes(_BYTES)).decode().lower() for _ in range(HOW_MANY)
    ]
    db.executemany(
        "INSERT INTO codes (hash, user_id) VALUES (?, ?)", [(hash_code(t), user_id) for t in texts]
    )
    return ["-".join(text[at : at + 4] for at in range(0, len(text), 4)) for text in texts]


def count_left(db: sqlite3.Connection, user_id: str) -> int:
    query = "SELECT count(*) FROM codes WHERE user_id = ?"
    return int(db.execute(query, (user_id,)).fetchone()[0])


def count_failure(db: sqlite3.Connection, user_id: str, text: str) -> bool:
    """Count a password beside this code before it is checked. False when there is no such code."""
    query = (
        "UPDATE codes SET failures = failures + 1 WHERE user_id = ? AND hash = ? AND failures < ?"
    )
    return db.execute(query, (user_id, hash_code(text), MAX_FAILURES)).rowcount == 1


def take_back(db: sqlite3.Connection, user_id: str, text: str) -> None:
    """The last password was not looked at."""
    query = "UPDATE codes SET failures = failures - 1 WHERE user_id = ? AND hash = ?"
    db.execute(query, (user_id, hash_code(text)))


def use(db: sqlite3.Connection, user_id: str, text: str) -> bool:
    """True once for each code."""
    query = "DELETE FROM codes WHERE user_id = ? AND hash = ?"
    return db.execute(query, (user_id, hash_code(text))).rowcount == 1


def hash_code(text: str) -> str:
    """Of a code however it is typed: capitals, spaces and dashes do not matter."""
    plain = "".join(sign for sign in text[:200].casefold() if sign.isalnum())
    return hashlib.sha256(plain.encode()).hexdigest()
