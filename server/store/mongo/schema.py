"""The version of the database, its indexes, and that it keeps what every verb here rests on.

Not here: what the documents mean (one module for each noun).
Source: mongodb.com/docs/manual (unique indexes, atomicity of a single document).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from datetime import UTC, datetime

from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure

from server.store.mongo.documents import Document, upsert
from server.store.port import Broken, WrongSchema

SCHEMA_VERSION = 2

ROUNDS, RIVALS = 3, 10
"""Of the race at the opening. Of 30 races so long with FerretDB 1.24, all 30 had several winners
(tests/peers/test_ferretdb.py holds one); 14 ms each."""

_OWNER = [("client_id", ASCENDING), ("subject", ASCENDING)]
_PERSON = [("people", ASCENDING), ("subject", ASCENDING)]
INDEXES: tuple[tuple[str, IndexModel], ...] = (
    ("sessions", IndexModel(_OWNER)),
    # No TTL index: a client's own period may be longer, and the database's clock may jump.
    ("sessions", IndexModel([("expires_at", ASCENDING), ("client_id", ASCENDING)])),
    # The few that are being ended now, or whose server died within (endings.py).
    ("sessions", IndexModel("unsettled.at", sparse=True)),
    ("templates", IndexModel(_OWNER, unique=True)),
    ("templates", IndexModel([*_OWNER[:1], ("changed", ASCENDING)])),
    ("removals", IndexModel([*_OWNER[:1], ("logged", ASCENDING)])),
    (
        "anchors",
        IndexModel([("client_id", ASCENDING), ("part", ASCENDING)], unique=True),
    ),
    ("tries", IndexModel([*_OWNER[:1], ("kind", ASCENDING), ("key", ASCENDING)], unique=True)),
    ("tries", IndexModel(_OWNER)),
    ("successes", IndexModel(_OWNER, unique=True)),
    ("audit", IndexModel([("chain", ASCENDING), ("seq", ASCENDING)], unique=True)),
    ("audit", IndexModel("ref", unique=True)),
    (
        "consent_texts",
        IndexModel([*_OWNER[:1], ("text_id", ASCENDING), ("version", ASCENDING)], unique=True),
    ),
    ("logins", IndexModel(_OWNER)),
    ("logins", IndexModel("expires_at")),
    ("logins", IndexModel("code_hash", sparse=True)),
    ("access_tokens", IndexModel(_OWNER)),
    ("access_tokens", IndexModel("code_hash")),
    ("pushed", IndexModel(_OWNER[:1])),
    ("seen", IndexModel([*_OWNER[:1], ("jti_hash", ASCENDING)], unique=True)),
    ("authenticators", IndexModel(_PERSON)),
    ("authenticators", IndexModel("user_handle")),
    ("otps", IndexModel(_PERSON, unique=True)),
    ("recovery", IndexModel(_PERSON, unique=True)),
    ("profiles", IndexModel(_PERSON, unique=True)),
    ("invitations", IndexModel(_PERSON)),
    ("invitations", IndexModel(_OWNER[:1])),
    ("fingerprints", IndexModel([*_OWNER, ("accepted", ASCENDING), ("created_at", ASCENDING)])),
    ("fingerprints", IndexModel("expires_at")),
)
"""Collection and index."""


async def prepare(db: AsyncDatabase[Document]) -> None:
    """All that is done when a database is opened. Raises WrongSchema, Broken."""
    await check_version(db)
    for collection, index in INDEXES:
        await db[collection].create_indexes([index])  # safe where it is there
    await move_failures(db)
    if "expires_at_1" in await db["sessions"].index_information():
        with contextlib.suppress(OperationFailure):  # another server dropped it just now
            await db["sessions"].drop_index("expires_at_1")  # of versions that had a TTL index
    await check_one_winner(db)


async def move_failures(db: AsyncDatabase[Document]) -> None:
    """What a version before kept in `failures` becomes strangers' tries (tries.py); names without a
    template are forgotten, because people type passwords into name fields."""
    for old in await db["failures"].find({}).to_list():
        owner = {"client_id": old["client_id"], "subject": old["subject"]}
        if await db["templates"].find_one(owner, {"_id": 1}) is not None:
            begin = {
                "subject": old["subject"],
                "n": old["n"],
                "total": old["n"],
                "since": old["last_at"],
                "last_at": old["last_at"],
                "taken": [],
                "tag": "",
                "turn": 0,
            }
            name = {"client_id": old["client_id"], "kind": "strangers", "key": old["subject"]}
            await upsert(db, "tries", name, {"$setOnInsert": begin})
        await db["failures"].delete_one({"_id": old["_id"]})


async def check_version(db: AsyncDatabase[Document]) -> None:
    """Write the version into an empty or older database. Raises WrongSchema for a newer one."""
    await upsert(db, "meta", {"_id": "schema"}, {"$setOnInsert": {"version": SCHEMA_VERSION}})
    document = await db["meta"].find_one({"_id": "schema"})
    version = document["version"] if document else 0
    if version > SCHEMA_VERSION:
        raise WrongSchema(
            f"the database has schema version {version}; this Lookgate knows up to"
            f" {SCHEMA_VERSION}. Start the newer version, or restore a backup."
        )
    if version < SCHEMA_VERSION:
        await db["meta"].update_one({"_id": "schema"}, {"$max": {"version": SCHEMA_VERSION}})


async def check_one_winner(db: AsyncDatabase[Document]) -> None:
    """Of updates at once that expect the same state, one may match, or a ticket opens its session
    several times. There are servers of MongoDB's protocol that keep no such promise. Raises Broken
    when a race shows it; a race that shows nothing is no proof."""
    for _ in range(ROUNDS):
        race = f".race-{secrets.token_hex(16)}"
        # Nobody's, and expired: should the removal be lost, the sweep does it.
        await db["sessions"].insert_one(
            {"_id": race, "client_id": ".race", "state": "new", "expires_at": _LONG_AGO}
        )
        try:
            rivals = [
                db["sessions"].update_one(
                    {"_id": race, "state": "new"}, {"$set": {"state": "expired"}}
                )
                for _ in range(RIVALS)
            ]
            winners = sum([won.matched_count for won in await asyncio.gather(*rivals)])
        finally:
            await db["sessions"].delete_one({"_id": race})
        if winners > 1:
            raise Broken(
                "the MongoDB database of LOOKGATE_STORE",
                f"{winners} of {RIVALS} callers won one update, where MongoDB lets one win",
            )


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
