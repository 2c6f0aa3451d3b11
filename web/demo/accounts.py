"""The people of the demo app: registering, passwords, the limit on guessing, deleting.

Functions of a database connection; no HTTP, no cookies, no face. Sources: OWASP Password Storage
(argon2id), NIST SP 800-63B-4 section 3.1.1 (lengths, no composition rules, rate limit).
"""

from __future__ import annotations

import re
import secrets
import sqlite3
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from web.demo.refusals import Refused

WINDOW_S = 300.0
"""How far back failures count."""
MAX_FAILURES_PAIR = 5
"""Of one user name from one address. Not of the name alone: a stranger could lock its owner out."""
MAX_FAILURES_ADDRESS = 30
"""Of one address, whatever the user name: against trying one password on many names."""

_HASHER = PasswordHasher()
"""argon2-cffi's defaults: RFC 9106's low-memory profile, argon2id."""
_NOBODY = _HASHER.hash(secrets.token_hex(16))
"""Verified when the user is unknown, so that both answers take the same time."""


@dataclass(frozen=True, slots=True)
class User:
    """One registered person."""

    id: str
    name: str
    username: str
    email: str
    phone: str
    enrolled: bool
    """Whether Lookgate has a template of this person."""


@dataclass(slots=True)
class Entry:
    """A registration form: what was typed, cleaned, and what is wrong with it by field."""

    values: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    password: str = field(default="", repr=False)


def clean_password(text: str) -> str:
    """One form of the same password from every keyboard (NIST SP 800-63B-4, NFKC)."""
    return unicodedata.normalize("NFKC", text)


def read_entry(form: Mapping[str, str]) -> Entry:
    """Check a registration form; `wrong` is empty when all is well."""
    entry = Entry()

    def take(name: str) -> str:
        text = unicodedata.normalize("NFC", form.get(name, "")).strip()
        entry.values[name] = text
        return text

    def must(name: str, fine: object, text: str) -> None:
        if not fine:
            entry.wrong.setdefault(name, text)

    name = take("name")
    must("name", name, "Please enter your name.")
    must("name", len(name) <= 80 and name.isprintable(), "Use at most 80 characters.")
    username = entry.values["username"] = take("username").lower()
    must(
        "username",
        re.fullmatch(r"[a-z0-9][a-z0-9._-]{2,31}", username),
        "Use 3 to 32 letters, digits, dots, dashes or underscores.",
    )
    email = entry.values["email"] = take("email").lower()
    must(
        "email",
        len(email) <= 254 and re.fullmatch(r"[^\s@<>\"]{1,64}@[^\s@<>\"]+\.[^\s@<>\".]{2,}", email),
        "Please enter an e-mail address such as ada@example.org.",
    )
    phone = re.sub(r"[\s()./-]", "", take("phone"))
    must(
        "phone",
        re.fullmatch(r"\+?[0-9]{6,15}", phone),
        "Please enter a phone number such as +49 30 1234567.",
    )
    password = entry.password = clean_password(form.get("password", ""))
    must("password", len(password) >= 8, "Use at least 8 characters.")
    must("password", len(password) <= 128, "Use at most 128 characters.")
    must(
        "password",
        password.casefold() not in (username, email, name.casefold()),
        "Choose a password that is not your name.",
    )
    return entry


def hash_password(password: str) -> str:
    """argon2id with its own salt; some 50 ms and 64 MiB, so call it in a thread."""
    return _HASHER.hash(password)


def password_fits(stored: str | None, password: str) -> bool:
    """Compare in the same time whether or not there is a user; call it in a thread."""
    try:
        return _HASHER.verify(stored or _NOBODY, password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def add_user(db: sqlite3.Connection, entry: Entry, password_hash: str, now_s: float) -> User | None:
    """Store a checked entry, or None: then `entry.wrong` says what is taken."""
    for column, text in (
        ("username", "This user name is taken."),
        ("email", "This e-mail address has an account already."),
    ):
        query = f"SELECT 1 FROM users WHERE {column} = ?"
        if db.execute(query, (entry.values[column],)).fetchone():
            entry.wrong[column] = text
    if entry.wrong:
        return None
    values = entry.values
    user_id = secrets.token_urlsafe(24)
    db.execute(
        "INSERT INTO users (id, name, username, email, phone, password, created_s)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            user_id,
            *(values[k] for k in ("name", "username", "email", "phone")),
            password_hash,
            now_s,
        ),
    )
    return get_user(db, user_id)


def get_user(db: sqlite3.Connection, user_id: str) -> User | None:
    row = db.execute("SELECT * FROM users WHERE id = ?", (user_id,)).fetchone()
    if row is None:
        return None
    return User(
        row["id"],
        row["name"],
        row["username"],
        row["email"],
        row["phone"],
        bool(row["enrolled"]),
    )


def find_password(db: sqlite3.Connection, login: str) -> tuple[str | None, str | None]:
    """User id and password hash for a user name or e-mail address, or two times None."""
    login = unicodedata.normalize("NFC", login).strip().lower()
    row = db.execute(
        "SELECT id, password FROM users WHERE username = ? OR email = ?", (login, login)
    ).fetchone()
    return (row["id"], row["password"]) if row else (None, None)


def password_hash_of(db: sqlite3.Connection, user_id: str) -> str | None:
    row = db.execute("SELECT password FROM users WHERE id = ?", (user_id,)).fetchone()
    return row["password"] if row else None


def count_attempt(db: sqlite3.Connection, login: str, address: str, now_s: float) -> None:
    """Count an attempt before it is checked, or refuse it: then a burst cannot slip through.

    Raises Refused("too_many_attempts").
    """
    db.execute("DELETE FROM failures WHERE at_s < ?", (now_s - WINDOW_S,))
    for key, most in _keys(login, address):
        (count,) = db.execute("SELECT count(*) FROM failures WHERE key = ?", (key,)).fetchone()
        if count >= most:
            raise Refused("too_many_attempts")
    for key, _ in _keys(login, address):
        db.execute("INSERT INTO failures (key, at_s) VALUES (?, ?)", (key, now_s))


def forgive_attempt(db: sqlite3.Connection, login: str, address: str, now_s: float) -> None:
    """The password was right: forget this name's failures here, and this attempt of the address."""
    (pair, _), (place, _) = _keys(login, address)
    db.execute("DELETE FROM failures WHERE key = ?", (pair,))
    db.execute(
        "DELETE FROM failures WHERE rowid ="
        " (SELECT rowid FROM failures WHERE key = ? AND at_s = ? LIMIT 1)",
        (place, now_s),
    )


def _keys(login: str, address: str) -> tuple[tuple[str, int], tuple[str, int]]:
    name = unicodedata.normalize("NFC", login).strip().lower()[:254]
    return (f"{address} {name}", MAX_FAILURES_PAIR), (f"{address} *", MAX_FAILURES_ADDRESS)


def set_enrolled(db: sqlite3.Connection, user_id: str, enrolled: bool) -> None:
    db.execute("UPDATE users SET enrolled = ? WHERE id = ?", (int(enrolled), user_id))


def delete_user(db: sqlite3.Connection, user_id: str) -> None:
    """The person, and by the schema's cascade every visit and attempt."""
    db.execute("DELETE FROM users WHERE id = ?", (user_id,))
