"""The tables `codes` and `access_tokens`. Not here: what the verbs mean
(server/store/oidc/codes.py)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import aiosqlite

from server.store.oidc.codes import Access, Code
from server.store.port import NotFound, Used
from server.store.sqlite.database import Database
from server.store.sqlite.rows import changed, micros, moment, refusals

_CODE = (
    "code_hash, client_id, login_id, subject, redirect_uri, code_challenge, claims, issued_at,"
    " expires_at"
)
_ACCESS = "token_hash, code_hash, client_id, subject, scopes, claims, expires_at"


def _code(row: Sequence[Any]) -> Code:
    values = [*row[:7], moment(row[7]), moment(row[8])]
    return Code(*values)


class Codes:
    """The codes in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def redeem(self, code_hash: bytes, client_id: str, now: datetime) -> Code:
        """One UPDATE whose WHERE holds every condition: it matches for one caller."""
        async with self._database.transaction() as db:
            won = await db.execute_fetchall(
                "UPDATE codes SET used = 1 WHERE code_hash = ? AND client_id = ? AND used = 0"
                f" AND expires_at > ? RETURNING {_CODE}",
                (code_hash, client_id, micros(now)),
            )
            for row in won:
                return _code(row)
            used = await db.execute_fetchall(
                "SELECT 1 FROM codes WHERE code_hash = ? AND client_id = ? AND used = 1",
                (code_hash, client_id),
            )
            raise Used("code") if list(used) else NotFound("code")


class AccessTokens:
    """The access tokens in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, access: Access) -> None:
        """One INSERT that looks at the code."""
        with refusals("access token"):
            async with self._database.transaction() as db:
                kept = await db.execute_fetchall(
                    f"INSERT INTO access_tokens ({_ACCESS}) SELECT ?, ?, ?, ?, ?, ?, ? WHERE"
                    " EXISTS (SELECT 1 FROM codes WHERE code_hash = ? AND revoked = 0) RETURNING 1",
                    (
                        access.token_hash,
                        access.code_hash,
                        access.client_id,
                        access.subject,
                        access.scopes,
                        access.claims,
                        micros(access.expires_at),
                        access.code_hash,
                    ),
                )
                if not list(kept):
                    raise NotFound("code")

    async def get(self, token_hash: bytes, now: datetime) -> Access:
        """By primary key; an expired one is absent."""
        rows = await self._database.read(
            f"SELECT {_ACCESS} FROM access_tokens WHERE token_hash = ? AND expires_at > ?",
            token_hash,
            micros(now),
        )
        if not rows:
            raise NotFound("access token")
        values = [*rows[0][:6], moment(rows[0][6])]
        return Access(*values)

    async def revoke(self, token_hash: bytes, client_id: str) -> int:
        """One DELETE."""
        async with self._database.transaction() as db:
            return await changed(
                db,
                "DELETE FROM access_tokens WHERE token_hash = ? AND client_id = ?",
                token_hash,
                client_id,
            )

    async def revoke_of(self, code_hash: bytes) -> int:
        """Mark the code, so that nothing is added later."""
        async with self._database.transaction() as db:
            await changed(db, "UPDATE codes SET revoked = 1 WHERE code_hash = ?", code_hash)
            return await changed(db, "DELETE FROM access_tokens WHERE code_hash = ?", code_hash)


async def insert(db: aiosqlite.Connection, code: Code) -> None:
    """Add a code, within the caller's transaction. Raises IntegrityError."""
    await db.execute_fetchall(
        f"INSERT INTO codes ({_CODE}) VALUES (?{', ?' * 8})",
        (
            code.code_hash,
            code.client_id,
            code.login_id,
            code.subject,
            code.redirect_uri,
            code.code_challenge,
            code.claims,
            micros(code.issued_at),
            micros(code.expires_at),
        ),
    )
