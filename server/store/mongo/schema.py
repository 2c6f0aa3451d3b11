"""The version of the database and its indexes.

Not here: what the documents mean (one module for each noun).
Source: mongodb.com/docs/manual (unique indexes, TTL indexes).
"""

from __future__ import annotations

from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from server.store.mongo.documents import Document, upsert
from server.store.port import KEPT_AFTER_EXPIRY, WrongSchema

SCHEMA_VERSION = 1


async def check_version(db: AsyncDatabase[Document]) -> None:
    """Write the version into an empty database. Raises WrongSchema if a newer one is there."""
    await upsert(db, "meta", {"_id": "schema"}, {"$setOnInsert": {"version": SCHEMA_VERSION}})
    document = await db["meta"].find_one({"_id": "schema"})
    version = document["version"] if document else 0
    if version > SCHEMA_VERSION:
        raise WrongSchema(
            f"the database has schema version {version}; this Lookgate knows up to"
            f" {SCHEMA_VERSION}. Start the newer version, or restore a backup."
        )


async def make_indexes(db: AsyncDatabase[Document]) -> None:
    """Make those that are not there; safe to call again."""
    owner = [("client_id", ASCENDING), ("subject", ASCENDING)]
    await db["sessions"].create_indexes(
        [
            IndexModel(owner),
            # Cleans up only, a minute late and by the database's clock: every filter that
            # depends on time says so itself.
            IndexModel("expires_at", expireAfterSeconds=int(KEPT_AFTER_EXPIRY.total_seconds())),
            # The few that are being ended now, or whose server died within (endings.py).
            IndexModel("unsettled.at", sparse=True),
        ]
    )
    await db["templates"].create_indexes([IndexModel(owner, unique=True)])
    await db["failures"].create_indexes([IndexModel(owner, unique=True)])
