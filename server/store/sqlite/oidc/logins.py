"""The table `logins`. Not here: what the verbs mean (server/store/oidc/logins.py)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import aiosqlite

from server.store.oidc.codes import Code
from server.store.oidc.logins import Login, moved
from server.store.port import Conflict, NotFound
from server.store.sqlite.database import Database
from server.store.sqlite.oidc import codes
from server.store.sqlite.rows import changed, micros, moment, refusals

_COLUMNS = (
    "login_id, client_id, request, cookie_hash, state, version, subject, shown, session_id,"
    " attempts, challenge_salt, created_at, expires_at"
)


def _login(row: Sequence[Any]) -> Login:
    return Login(
        login_id=row[0],
        client_id=row[1],
        request=row[2],
        cookie_hash=row[3],
        state=row[4],
        version=row[5],
        subject=row[6],
        shown=tuple(json.loads(row[7])),
        session_id=row[8],
        attempts=row[9],
        challenge_salt=row[10],
        created_at=moment(row[11]),
        expires_at=moment(row[12]),
    )


class Logins:
    """The logins in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, login: Login) -> None:
        """Insert; the keys find the Conflict and the missing client."""
        with refusals("login"):
            async with self._database.transaction() as db:
                await db.execute_fetchall(
                    f"INSERT INTO logins ({_COLUMNS}) VALUES (?{', ?' * 12})",
                    (
                        login.login_id,
                        login.client_id,
                        login.request,
                        login.cookie_hash,
                        login.state,
                        login.version,
                        login.subject,
                        json.dumps(login.shown),
                        login.session_id,
                        login.attempts,
                        login.challenge_salt,
                        micros(login.created_at),
                        micros(login.expires_at),
                    ),
                )

    async def get(self, login_id: str, now: datetime) -> Login:
        """By primary key; an expired one is absent."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM logins WHERE login_id = ? AND expires_at > ?",
            login_id,
            micros(now),
        )
        if not rows:
            raise NotFound("login")
        return _login(rows[0])

    async def move(self, was: Login, now_is: Login, code: Code | None = None) -> Login:
        """One UPDATE whose WHERE holds the version, and the code in the same transaction."""
        kept = moved(was, now_is, code)
        with refusals("code"):
            async with self._database.transaction() as db:
                found = list(
                    await db.execute_fetchall(
                        "SELECT expires_at FROM logins WHERE login_id = ?", (was.login_id,)
                    )
                )
                if not found or (code is not None and found[0][0] <= micros(code.issued_at)):
                    raise NotFound("login")
                if not await changed(
                    db,
                    "UPDATE logins SET version = ?, state = ?, subject = ?, shown = ?,"
                    " session_id = ?, attempts = ?, challenge_salt = ?"
                    " WHERE login_id = ? AND version = ?",
                    kept.version,
                    kept.state,
                    kept.subject,
                    json.dumps(kept.shown),
                    kept.session_id,
                    kept.attempts,
                    kept.challenge_salt,
                    was.login_id,
                    was.version,
                ):
                    raise Conflict("login")
                if code is not None:
                    await codes.insert(db, code)
        return kept

    async def of_subject(self, client_id: str, subject: str) -> Sequence[Login]:
        """By the index of subjects."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM logins WHERE client_id = ? AND subject = ?"
            " ORDER BY created_at, login_id",
            client_id,
            subject,
        )
        return [_login(row) for row in rows]


async def forget(db: aiosqlite.Connection, client_id: str, subject: str) -> int:
    """Remove a subject's logins, within the caller's transaction; how many. Their codes and access
    tokens go by their foreign keys."""
    return await changed(
        db, "DELETE FROM logins WHERE client_id = ? AND subject = ?", client_id, subject
    )


async def sweep(db: aiosqlite.Connection, before: datetime) -> int:
    """Remove those that expired before then, within the caller's transaction; how many. A code and
    its access token live minutes, so theirs are over long since."""
    return await changed(db, "DELETE FROM logins WHERE expires_at < ?", micros(before))
