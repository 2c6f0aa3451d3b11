"""Who is behind a cookie, how far they have come, and which face session they are in the middle of.

guest -> password (password was right) -> member (and the face, or a recovery code). Every step up
gets a new cookie, so a cookie planted before is worth nothing (session fixation, OWASP ASVS 5.0
7.2.4). A guest is a cookie and no more: looking at pages leaves nothing behind here. No HTTP here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import sqlite3
from dataclasses import dataclass, field
from typing import Any, Literal

from web.demo.refusals import Refused

Level = Literal["guest", "password", "member"]

LIFETIME_S: dict[str, float] = {"password": 900.0, "member": 8 * 3600.0}
"""How long a visit lives, by level; never prolonged."""
_GUEST = "guest."
"""What a guest's cookie begins with; no other does, because it has a dot."""
ATTEMPT_S = 300.0
"""How long a face session may take, start to token: longer than any ticket and session lives."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One browser's state on our side."""

    id: str = field(repr=False)
    user_id: str | None
    level: Level
    csrf: str = field(repr=False)
    claims: dict[str, Any] | None
    """Those of the token; None for a member who came with a recovery code."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A face session that was asked for in a visit."""

    nonce: str
    session: str
    purpose: str


def hash_cookie(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()


def new_guest() -> tuple[str, Visit]:
    """A new cookie and its visit, for the CSRF token of the forms."""
    cookie = _GUEST + secrets.token_urlsafe(32)
    visit = find_guest(cookie)
    assert visit is not None
    return cookie, visit


def find_guest(cookie: str) -> Visit | None:
    if not cookie.startswith(_GUEST):
        return None
    # Scripts cannot read the cookie, so that only our own forms know what is made of it.
    csrf = hmac.digest(cookie.encode("utf-8", "replace"), b"csrf", "sha256").hex()
    return Visit(hash_cookie(cookie), None, "guest", csrf, None)


def open_visit(
    db: sqlite3.Connection,
    *,
    now_s: float,
    level: Literal["password", "member"],
    user_id: str,
    claims: dict[str, Any] | None = None,
    instead_of: Visit | None,
) -> tuple[str, Visit]:
    """A new cookie and its visit; the one it replaces ends here, with its attempts."""
    db.execute("DELETE FROM visits WHERE expires_s < ?", (now_s,))
    if instead_of is not None:
        close_visit(db, instead_of)
    cookie = secrets.token_urlsafe(32)
    visit = Visit(hash_cookie(cookie), user_id, level, secrets.token_urlsafe(24), claims)
    db.execute(
        "INSERT INTO visits (id, user_id, level, csrf, claims, expires_s)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            visit.id,
            user_id,
            level,
            visit.csrf,
            json.dumps(claims) if claims else None,
            now_s + LIFETIME_S[level],
        ),
    )
    return cookie, visit


def find_visit(db: sqlite3.Connection, cookie: str, now_s: float) -> Visit | None:
    row = db.execute(
        "SELECT * FROM visits WHERE id = ? AND expires_s >= ?", (hash_cookie(cookie), now_s)
    ).fetchone()
    if row is None:
        return None
    claims = json.loads(row["claims"]) if row["claims"] else None
    return Visit(row["id"], row["user_id"], row["level"], row["csrf"], claims)


def close_visit(db: sqlite3.Connection, visit: Visit) -> None:
    db.execute("DELETE FROM visits WHERE id = ?", (visit.id,))


def close_others(db: sqlite3.Connection, visit: Visit) -> None:
    """End every other visit of the same person."""
    db.execute("DELETE FROM visits WHERE user_id = ? AND id != ?", (visit.user_id, visit.id))


def csrf_fits(visit: Visit, token: str) -> bool:
    return hmac.compare_digest(visit.csrf.encode(), token.encode("utf-8", "replace"))


def begin_attempt(db: sqlite3.Connection, visit: Visit, attempt: Attempt, now_s: float) -> None:
    """Remember what we asked Lookgate for; only the newest attempt of a visit counts.

    Raises Refused("login_needed") when the visit has ended.
    """
    db.execute("DELETE FROM attempts WHERE visit_id = ? OR expires_s < ?", (visit.id, now_s))
    try:
        db.execute(
            "INSERT INTO attempts (nonce, visit_id, session, purpose, expires_s)"
            " VALUES (?, ?, ?, ?, ?)",
            (attempt.nonce, visit.id, attempt.session, attempt.purpose, now_s + ATTEMPT_S),
        )
    except sqlite3.IntegrityError:  # logged out meanwhile, in another tab
        raise Refused("login_needed") from None


def get_attempt(db: sqlite3.Connection, visit: Visit, now_s: float) -> Attempt | None:
    row = db.execute(
        "SELECT * FROM attempts WHERE visit_id = ? AND expires_s >= ?", (visit.id, now_s)
    ).fetchone()
    return Attempt(row["nonce"], row["session"], row["purpose"]) if row else None


def use_token(
    db: sqlite3.Connection, visit: Visit, jti: str, expires_s: float, now_s: float
) -> bool:
    """True once for each `jti`; ends the visit's attempt."""
    # Kept a day longer than it lives: the clocks of the two servers may differ, and rows are small.
    db.execute("DELETE FROM used_tokens WHERE expires_s < ?", (now_s - 86_400,))
    try:
        db.execute("INSERT INTO used_tokens (jti, expires_s) VALUES (?, ?)", (jti, expires_s))
    except sqlite3.IntegrityError:
        return False
    return db.execute("DELETE FROM attempts WHERE visit_id = ?", (visit.id,)).rowcount == 1
