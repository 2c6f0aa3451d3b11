"""The table `invitations`. Not here: what the verbs mean (server/store/oidc/invitations.py)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import aiosqlite

from server.store.oidc.invitations import Invitation
from server.store.port import NotFound
from server.store.sqlite.database import Database
from server.store.sqlite.rows import changed, micros, moment, refusals

_COLUMNS = (
    "token_hash, client_id, people, subject, profile, key_id, return_url, kind, created_at,"
    " expires_at"
)


def _invitation(row: Sequence[Any]) -> Invitation:
    values = [*row[:8], moment(row[8]), moment(row[9])]
    return Invitation(*values)


class Invitations:
    """The invitations in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, invitation: Invitation) -> None:
        """Insert; the keys find the Conflict and the missing client."""
        with refusals("invitation"):
            async with self._database.transaction() as db:
                await db.execute_fetchall(
                    f"INSERT INTO invitations ({_COLUMNS}) VALUES (?{', ?' * 9})",
                    (
                        invitation.token_hash,
                        invitation.client_id,
                        invitation.people,
                        invitation.subject,
                        invitation.profile,
                        invitation.key_id,
                        invitation.return_url,
                        invitation.kind,
                        micros(invitation.created_at),
                        micros(invitation.expires_at),
                    ),
                )

    async def get(self, token_hash: bytes, now: datetime) -> Invitation:
        """By primary key; an expired one is absent."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM invitations WHERE token_hash = ? AND expires_at > ?",
            token_hash,
            micros(now),
        )
        if not rows:
            raise NotFound("invitation")
        return _invitation(rows[0])

    async def use(self, token_hash: bytes, now: datetime) -> Invitation:
        """One DELETE whose WHERE holds every condition."""
        async with self._database.transaction() as db:
            used = await db.execute_fetchall(
                "DELETE FROM invitations WHERE token_hash = ? AND expires_at > ?"
                f" RETURNING {_COLUMNS}",
                (token_hash, micros(now)),
            )
            for row in used:
                return _invitation(row)
        raise NotFound("invitation")

    async def of_subject(self, people: str, subject: str) -> Sequence[Invitation]:
        """By the index of subjects."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM invitations WHERE people = ? AND subject = ?"
            " ORDER BY created_at, token_hash",
            people,
            subject,
        )
        return [_invitation(row) for row in rows]

    async def of_people(self, people: str, *, after: bytes, most: int) -> Sequence[Invitation]:
        """By primary key."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM invitations WHERE people = ? AND token_hash > ?"
            " ORDER BY token_hash LIMIT ?",
            people,
            after,
            most,
        )
        return [_invitation(row) for row in rows]

    async def reseal(self, was: Invitation, profile: bytes, key_id: str) -> bool:
        """One UPDATE whose WHERE holds what was sealed."""
        async with self._database.transaction() as db:
            return bool(
                await changed(
                    db,
                    "UPDATE invitations SET profile = ?, key_id = ?"
                    " WHERE token_hash = ? AND profile = ?",
                    profile,
                    key_id,
                    was.token_hash,
                    was.profile,
                )
            )


async def forget(db: aiosqlite.Connection, people: str, subject: str) -> int:
    """Remove a person's invitations, within the caller's transaction; how many."""
    return await changed(
        db, "DELETE FROM invitations WHERE people = ? AND subject = ?", people, subject
    )


async def sweep(db: aiosqlite.Connection, before: datetime) -> int:
    """Remove those that expired before then, within the caller's transaction; how many."""
    return await changed(db, "DELETE FROM invitations WHERE expires_at < ?", micros(before))
