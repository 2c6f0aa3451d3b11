"""The people of the demo app: registering, finding, deleting.

Functions of a database connection; no HTTP, no cookies. Not here: whether a face is set up, because
Lookgate alone knows that (lookgate.py); how passwords are kept
(passwords.py), which are refused (blocklist.py), how often one may try (tries.py, devices.py).
Source: NIST SP 800-63B-4 section 3.1.1 (lengths, no composition rules).
"""

from __future__ import annotations

import re
import secrets
import sqlite3
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from web.demo.people import passwords
from web.demo.people.blocklist import is_guessable
from web.demo.refusals import Refused

APP = "Lantern"
MAX_FAILURES = 100
"""Wrong passwords in a row from devices that are not the owner's, whatever time they take
(NIST SP 800-63B-4 section 3.2.2). Then the owner's devices and recovery codes alone are looked
at."""


@dataclass(frozen=True, slots=True)
class User:
    """One registered person."""

    id: str
    name: str
    username: str
    email: str
    phone: str


@dataclass(slots=True)
class Entry:
    """A registration form: what was typed, cleaned, and what is wrong with it by field."""

    values: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    password: str = field(default="", repr=False)


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
    password = entry.password = passwords.clean(form.get("password", ""))
    must("password", len(password) >= 8, "Use at least 8 characters.")
    must("password", len(password) <= 128, "Use at most 128 characters.")
    must(
        "password",
        not is_guessable(password, (APP, "Lookgate", phone, *entry.values.values())),
        "This password is among the first that somebody would guess. Choose another one.",
    )
    return entry


def add_user(db: sqlite3.Connection, entry: Entry, password_hash: str, now_s: float) -> User | None:
    """Store a checked entry, or None: then `entry.wrong` says that the user name is taken.

    An e-mail address is not unique. Nobody has shown that it is theirs, so that it opens nothing,
    and registering tells nobody whether an address has an account.
    """
    query = "SELECT 1 FROM users WHERE username = ?"
    if db.execute(query, (entry.values["username"],)).fetchone():
        entry.wrong["username"] = "This user name is taken."
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
    return User(row["id"], row["name"], row["username"], row["email"], row["phone"])


def clean_username(text: str) -> str:
    """As it is stored and compared."""
    return unicodedata.normalize("NFC", text).strip().lower()[:254]


def find_password(db: sqlite3.Connection, username: str) -> tuple[str | None, str | None]:
    """User id and password hash, or two times None; `username` is clean."""
    query = "SELECT id, password FROM users WHERE username = ?"
    row = db.execute(query, (username,)).fetchone()
    return (row["id"], row["password"]) if row else (None, None)


def count_failure(db: sqlite3.Connection, user_id: str) -> None:
    """Count a try of a strange device before it is checked. Raises Refused("account_guessed")."""
    query = "UPDATE users SET failures = failures + 1 WHERE id = ? AND failures < ?"
    if db.execute(query, (user_id, MAX_FAILURES)).rowcount != 1:
        raise Refused("account_guessed")


def take_back_failure(db: sqlite3.Connection, user_id: str) -> None:
    """The last try was not looked at."""
    db.execute("UPDATE users SET failures = failures - 1 WHERE id = ?", (user_id,))


def forget_failures(db: sqlite3.Connection, user_id: str) -> None:
    db.execute("UPDATE users SET failures = 0 WHERE id = ?", (user_id,))


def delete_user(db: sqlite3.Connection, user_id: str) -> None:
    """The person, and by the schema's cascade every visit, attempt, device and recovery code."""
    db.execute("DELETE FROM users WHERE id = ?", (user_id,))
