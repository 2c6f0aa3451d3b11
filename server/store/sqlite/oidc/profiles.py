"""The table `profiles`. Not here: what the verbs mean (server/store/oidc/profiles.py)."""

from __future__ import annotations

from collections.abc import Sequence

import aiosqlite

from server.store.oidc.profiles import Profile
from server.store.port import NotFound
from server.store.sqlite.database import Database
from server.store.sqlite.rows import changed, refusals

_COLUMNS = "people, subject, sealed, key_id"


class Profiles:
    """The profiles in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, profile: Profile) -> None:
        """Insert or overwrite; the foreign key finds the missing template."""
        with refusals("profile"):
            async with self._database.transaction() as db:
                await db.execute_fetchall(
                    f"INSERT OR REPLACE INTO profiles ({_COLUMNS}) VALUES (?, ?, ?, ?)",
                    (profile.people, profile.subject, profile.sealed, profile.key_id),
                )

    async def get(self, people: str, subject: str) -> Profile:
        """By primary key."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM profiles WHERE people = ? AND subject = ?", people, subject
        )
        if not rows:
            raise NotFound("profile")
        return Profile(*rows[0])

    async def remove(self, people: str, subject: str) -> None:
        """One DELETE."""
        async with self._database.transaction() as db:
            if not await forget(db, people, subject):
                raise NotFound("profile")

    async def of_people(self, people: str, *, after: str, most: int) -> Sequence[Profile]:
        """By primary key, in the byte order of their subjects."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM profiles WHERE people = ? AND subject > ?"
            " ORDER BY subject LIMIT ?",
            people,
            after,
            most,
        )
        return [Profile(*row) for row in rows]

    async def reseal(self, was: Profile, sealed: bytes, key_id: str) -> bool:
        """One UPDATE whose WHERE holds what was sealed."""
        async with self._database.transaction() as db:
            return bool(
                await changed(
                    db,
                    "UPDATE profiles SET sealed = ?, key_id = ?"
                    " WHERE people = ? AND subject = ? AND sealed = ?",
                    sealed,
                    key_id,
                    was.people,
                    was.subject,
                    was.sealed,
                )
            )


async def forget(db: aiosqlite.Connection, people: str, subject: str) -> int:
    """Remove a person's profile, within the caller's transaction; how many (0 or 1)."""
    return await changed(
        db, "DELETE FROM profiles WHERE people = ? AND subject = ?", people, subject
    )
