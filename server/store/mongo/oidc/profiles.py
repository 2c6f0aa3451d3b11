"""The collection `profiles`. Not here: what the verbs mean (server/store/oidc/profiles.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bson.binary import Binary

from server.store.mongo.database import Database
from server.store.mongo.documents import Document, upsert
from server.store.mongo.oidc.owners import enrolled, of
from server.store.oidc.profiles import Profile
from server.store.port import NotFound


def _profile(document: Mapping[str, Any]) -> Profile:
    return Profile(
        document["people"], document["subject"], bytes(document["sealed"]), document["key_id"]
    )


class Profiles:
    """The profiles in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, profile: Profile) -> None:
        """Insert or overwrite by the unique index."""
        owner = of(profile.people, profile.subject)
        content = {"sealed": Binary(profile.sealed), "key_id": profile.key_id}
        async with self._database.turn() as db:
            await upsert(db, "profiles", owner, {"$set": content})
            await enrolled(db, "profiles", owner, owner)

    async def get(self, people: str, subject: str) -> Profile:
        """By the unique index."""
        async with self._database.turn() as db:
            document = await db["profiles"].find_one(of(people, subject))
        if document is None:
            raise NotFound("profile")
        return _profile(document)

    async def remove(self, people: str, subject: str) -> None:
        """One removal."""
        async with self._database.turn() as db:
            gone = await db["profiles"].delete_one(of(people, subject))
        if not gone.deleted_count:
            raise NotFound("profile")

    async def of_people(self, people: str, *, after: str, most: int) -> Sequence[Profile]:
        """By the unique index, in the byte order of their subjects."""
        behind: Document = {"people": people, "subject": {"$gt": after}}
        async with self._database.turn() as db:
            found = await db["profiles"].find(behind).sort("subject").to_list(most)
        return [_profile(document) for document in found]

    async def reseal(self, was: Profile, sealed: bytes, key_id: str) -> bool:
        """A compare-and-set on what was sealed."""
        before = {**of(was.people, was.subject), "sealed": Binary(was.sealed)}
        change = {"sealed": Binary(sealed), "key_id": key_id}
        async with self._database.turn() as db:
            done = await db["profiles"].update_one(before, {"$set": change})
        return bool(done.matched_count)
