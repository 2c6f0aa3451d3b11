"""The store in MongoDB: for more than one server.

The only place that imports pymongo (its own asyncio API; MongoDB retired Motor for it). No
transactions: every verb is one compare-and-set or is safe to repeat, so that a standalone server
does, too. Dates are BSON dates: whole milliseconds, the rest is cut off.
Source: mongodb.com/docs/manual (write concern, TTL indexes, client-side operations timeout).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo
from bson.binary import Binary
from bson.codec_options import CodecOptions
from pymongo import ASCENDING, AsyncMongoClient, IndexModel
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
)
from pymongo.write_concern import WriteConcern

from server.store.port import (
    Client,
    Conflict,
    KeyRecord,
    NotFound,
    SessionRecord,
    TemplateRecord,
    Unavailable,
    WrongSchema,
)

Document = dict[str, Any]

WAIT_S = 2.5
"""How long one verb may take, waiting for its turn included, before it is Unavailable."""

LONG_WAIT_S = 10.0
"""For what grows with a client: reading or removing its templates, building an index. An outage is
told as soon as for the rest: such a verb starts with a ping, because the driver's one time limit is
also how long it looks for a server."""

AT_ONCE = 20
"""Operations under way. More tasks than connections starve one another in the driver's own pool:
100 tasks on 20 connections had a p99 of 540-1000 ms, and 27 ms behind this FIFO semaphore."""

KEPT_AFTER_EXPIRY = timedelta(days=1)

SCHEMA_VERSION = 1

TRIES = 20
"""Of a compare-and-set or of a first upsert that meets another; each loss is another's success."""

_DONE = ["accepted", "rejected", "expired"]


def _utc(moment: datetime) -> datetime:
    """Raises TypeError for a naive datetime, which the driver would take for UTC."""
    if moment.utcoffset() is None:
        raise TypeError("a store takes aware datetimes only")
    return moment.astimezone(UTC)


def _client(document: Mapping[str, Any]) -> Client:
    return Client(
        client_id=document["_id"],
        secret_hash=bytes(document["secret_hash"]),
        origins=tuple(document["origins"]),
        policy=document["policy"],
        created_at=document["created_at"],
    )


def _session(document: Mapping[str, Any]) -> SessionRecord:
    return SessionRecord(
        session_id=document["_id"],
        client_id=document["client_id"],
        purpose=document["purpose"],
        subject=document["subject"],
        nonce=document["nonce"],
        ticket_hash=bytes(document["ticket_hash"]),
        state=document["state"],
        created_at=document["created_at"],
        expires_at=document["expires_at"],
        claimed_at=document["claimed_at"],
        finished_at=document["finished_at"],
        reasons=tuple(document["reasons"]),
        evidence=document["evidence"],
        replace=document["replace"],
        challenge=document.get("challenge", "none"),  # older rows have none
    )


def _template(document: Mapping[str, Any]) -> TemplateRecord:
    return TemplateRecord(
        client_id=document["client_id"],
        subject=document["subject"],
        template_id=document["template_id"],
        model_id=document["model_id"],
        created_at=document["created_at"],
        quality=document["quality"],
        key_id=document["key_id"],
        sealed=bytes(document["sealed"]),
    )


def _key(document: Mapping[str, Any]) -> KeyRecord:
    return KeyRecord(
        kid=document["kid"],
        public_jwk=document["public_jwk"],
        sealed_private=bytes(document["sealed_private"]),
        created_at=document["created_at"],
        retire_at=document["retire_at"],
    )


class MongoStore:
    """The Store protocol on a MongoDB database; several servers may share it."""

    def __init__(self, url: str, *, database: str | None = None, wait_s: float = WAIT_S) -> None:
        """`database` wins over the one that the URL names; `lookgate` if neither does."""
        self._url = url
        self._database = database
        self._wait_s = wait_s
        self._mongo: AsyncMongoClient[Document] | None = None
        self._db: AsyncDatabase[Document] | None = None
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._opening = asyncio.Lock()

    # life

    async def open(self) -> None:
        """Connect, check the schema, make the indexes. Raises Unavailable, WrongSchema.

        Raises ValueError for a URL that the driver does not understand; it does not quote it.
        """
        async with self._opening:
            if self._db is not None:
                return
            self._mongo = self._client()
            try:
                self._db = self._mongo.get_database(
                    self._database or self._mongo.get_default_database("lookgate").name,
                    codec_options=CodecOptions(tz_aware=True, tzinfo=UTC),
                    # Tickets, counts and keys must outlive a crash: "majority" alone lost the last
                    # writes of a killed single server, j did not.
                    write_concern=WriteConcern(w="majority", j=True),
                )
                async with self._turn(long=True) as db:
                    await self._check_schema(db)
                    await self._make_indexes(db)
            except BaseException:
                await self._close()
                raise

    def _client(self) -> AsyncMongoClient[Document]:
        wait_ms = int(self._wait_s * 1000)
        try:
            return AsyncMongoClient(
                self._url,
                appname="lookgate",
                maxPoolSize=AT_ONCE,
                serverSelectionTimeoutMS=wait_ms,
                connectTimeoutMS=wait_ms,
            )
        except (ValueError, PyMongoError):  # the driver's own words may quote a password
            raise ValueError(
                "the MongoDB connection string is not valid (user name and password must be"
                " percent-encoded)"
            ) from None

    async def close(self) -> None:
        """Close the pool; calls under way become Unavailable."""
        async with self._opening:
            await self._close()

    async def _close(self) -> None:
        mongo, self._mongo, self._db = self._mongo, None, None
        if mongo is not None:
            await mongo.close()

    async def _check_schema(self, db: AsyncDatabase[Document]) -> None:
        await _upsert(db, "meta", {"_id": "schema"}, {"$setOnInsert": {"version": SCHEMA_VERSION}})
        document = await db["meta"].find_one({"_id": "schema"})
        version = document["version"] if document else 0
        if version > SCHEMA_VERSION:
            raise WrongSchema(
                f"the database has schema version {version}; this Lookgate knows up to"
                f" {SCHEMA_VERSION}. Start the newer version, or restore a backup."
            )

    async def _make_indexes(self, db: AsyncDatabase[Document]) -> None:
        owner = [("client_id", ASCENDING), ("subject", ASCENDING)]
        await db["sessions"].create_indexes(
            [
                IndexModel(owner),
                # Cleans up only, a minute late and by the database's clock: every filter that
                # depends on time says so itself.
                IndexModel("expires_at", expireAfterSeconds=int(KEPT_AFTER_EXPIRY.total_seconds())),
            ]
        )
        await db["templates"].create_indexes([IndexModel(owner, unique=True)])
        await db["failures"].create_indexes([IndexModel(owner, unique=True)])

    @asynccontextmanager
    async def _turn(self, *, long: bool = False) -> AsyncIterator[AsyncDatabase[Document]]:
        """One verb: its turn, its time limit, and a name for what may go wrong.

        DuplicateKeyError means different things and stays as it is.
        """
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._wait_s
        try:
            async with asyncio.timeout_at(deadline_s):
                await self._slots.acquire()
        except TimeoutError as error:
            raise Unavailable("MongoDB: too many calls are waiting") from error
        try:
            db = self._db
            if db is None:
                raise Unavailable("MongoDB: the store is not open")
            if long:
                with pymongo.timeout(max(0.01, deadline_s - loop.time())):
                    await db.command("ping")
                deadline_s = loop.time() + LONG_WAIT_S
            with pymongo.timeout(max(0.01, deadline_s - loop.time())):
                yield db
        except DuplicateKeyError:
            raise
        except (ConnectionFailure, OperationFailure, ConfigurationError) as error:
            # The last: the DNS did not answer for mongodb+srv.
            code = getattr(error, "code", None)
            raise Unavailable(f"MongoDB: {type(error).__name__} {code or ''}".rstrip()) from error
        except PyMongoError as error:
            if not error.timeout:
                raise
            raise Unavailable(f"MongoDB: {type(error).__name__}") from error
        finally:
            self._slots.release()

    async def ping(self) -> None:
        """A read, not the ping command: it needs a primary that answers."""
        async with self._turn() as db:
            await db["meta"].find_one({"_id": "schema"})

    async def sweep(self, now: datetime) -> int:
        """What the TTL index would remove, and published keys."""
        before = _utc(now - KEPT_AFTER_EXPIRY)
        async with self._turn(long=True) as db:
            sessions = await db["sessions"].delete_many({"expires_at": {"$lt": before}})
            swept = 0
            for _ in range(TRIES):
                rev, keys = await _key_list(db)
                kept = [k for k in keys if k["retire_at"] is None or k["retire_at"] >= before]
                swept = len(keys) - len(kept)
                if not swept or await _set_key_list(db, rev, kept):
                    break
            return sessions.deleted_count + swept

    # clients

    async def add_client(self, client: Client) -> None:
        """Insert; `_id` finds the Conflict."""
        try:
            async with self._turn() as db:
                await db["clients"].insert_one(
                    {
                        "_id": client.client_id,
                        "secret_hash": Binary(client.secret_hash),
                        "origins": list(client.origins),
                        "policy": client.policy,
                        "created_at": _utc(client.created_at),
                        "removing": False,
                    }
                )
        except DuplicateKeyError as error:
            raise Conflict("client") from error

    async def client(self, client_id: str) -> Client:
        """By `_id`."""
        async with self._turn() as db:
            document = await db["clients"].find_one({"_id": client_id, "removing": False})
        if document is None:
            raise NotFound("client")
        return _client(document)

    async def clients(self) -> Sequence[Client]:
        """All, in the byte order of their ids."""
        async with self._turn() as db:
            documents = await db["clients"].find({"removing": False}).sort("_id").to_list()
        return [_client(document) for document in documents]

    async def set_client_secret(self, client_id: str, secret_hash: bytes) -> None:
        """Overwrite the hash."""
        async with self._turn() as db:
            result = await db["clients"].update_one(
                {"_id": client_id, "removing": False},
                {"$set": {"secret_hash": Binary(secret_hash)}},
            )
        if not result.matched_count:
            raise NotFound("client")

    async def remove_client(self, client_id: str) -> None:
        """Hide it, remove what it owns, then itself: interrupted, the same call finishes the job.

        Whoever writes for a client looks afterwards whether it is still there (`_owned`): either
        that look comes after the hiding, or the removal comes after the write.
        """
        async with self._turn(long=True) as db:
            hidden = await db["clients"].update_one(
                {"_id": client_id}, {"$set": {"removing": True}}
            )
            if not hidden.matched_count:
                raise NotFound("client")
            for name in ("sessions", "templates", "failures"):
                await db[name].delete_many({"client_id": client_id})
            await db["galleries"].update_one({"_id": client_id}, {"$inc": {"version": 1}})
            await db["clients"].delete_one({"_id": client_id, "removing": True})

    # sessions

    async def add_session(self, record: SessionRecord) -> None:
        """Insert; `_id` finds the Conflict."""
        try:
            async with self._turn() as db:
                await db["sessions"].insert_one(
                    {
                        "_id": record.session_id,
                        "client_id": record.client_id,
                        "purpose": record.purpose,
                        "subject": record.subject,
                        "nonce": record.nonce,
                        "ticket_hash": Binary(record.ticket_hash),
                        "state": record.state,
                        "created_at": _utc(record.created_at),
                        "expires_at": _utc(record.expires_at),
                        "claimed_at": record.claimed_at and _utc(record.claimed_at),
                        "finished_at": record.finished_at and _utc(record.finished_at),
                        "reasons": list(record.reasons),
                        "evidence": record.evidence,
                        "replace": record.replace,
                        "challenge": record.challenge,
                    }
                )
                await _owned(db, "sessions", record.client_id, {"_id": record.session_id})
        except DuplicateKeyError as error:
            raise Conflict("session") from error

    async def session(self, session_id: str) -> SessionRecord:
        """By `_id`."""
        async with self._turn() as db:
            document = await db["sessions"].find_one({"_id": session_id})
        if document is None:
            raise NotFound("session")
        return _session(document)

    async def claim_session(
        self, session_id: str, ticket_hash: bytes, now: datetime
    ) -> SessionRecord:
        """One update whose filter holds every condition: it matches for one caller.

        Not find_one_and_update: that one scans the collection on the server that the tests use.
        """
        mine: Document = {
            "_id": session_id,
            "ticket_hash": Binary(ticket_hash),
            "expires_at": {"$gt": _utc(now)},
        }
        async with self._turn() as db:
            won = await db["sessions"].update_one(
                {**mine, "state": "new"}, {"$set": {"state": "live", "claimed_at": _utc(now)}}
            )
            document = await db["sessions"].find_one(mine)
        if document is None:
            raise NotFound("session")
        if not won.matched_count:
            raise Conflict("session")
        return _session({**document, "state": "live"})

    async def finish_session(
        self,
        session_id: str,
        *,
        was: str,
        now_is: str,
        at: datetime,
        reasons: tuple[str, ...] = (),
        evidence: str = "[]",
        subject: str | None = None,
    ) -> SessionRecord:
        """One update whose filter holds the expected state and subject."""
        change: Document = {
            "state": now_is,
            "finished_at": _utc(at),
            "reasons": list(reasons),
            "evidence": evidence,
        }
        expected: Document = {"_id": session_id, "state": was}
        if subject is not None:
            expected["subject"] = {"$in": [None, subject]}
            change["subject"] = subject
        async with self._turn() as db:
            won = await db["sessions"].update_one(expected, {"$set": change})
            document = await db["sessions"].find_one({"_id": session_id})
        if document is None:
            raise NotFound("session")
        if not won.matched_count:
            raise Conflict("session")
        return _session({**document, **change})

    # templates

    async def put_template(self, record: TemplateRecord, *, replace: bool) -> None:
        """The unique index on the owner finds the Conflict.

        The gallery's version grows before and after, because the two writes are not one: a server
        that dies in between leaves nobody with the old gallery who reads it later.
        """
        owner = {"client_id": record.client_id, "subject": record.subject}
        content = {
            "template_id": record.template_id,
            "model_id": record.model_id,
            "created_at": _utc(record.created_at),
            "quality": float(record.quality),
            "key_id": record.key_id,
            "sealed": Binary(record.sealed),
        }
        try:
            async with self._turn() as db:
                await _bump(db, record.client_id)
                if replace:
                    await _upsert(db, "templates", owner, {"$set": content})
                else:
                    await db["templates"].insert_one({**owner, **content})
                await _bump(db, record.client_id)
                await _owned(db, "templates", record.client_id, owner)
        except DuplicateKeyError as error:
            raise Conflict("template") from error

    async def template(self, client_id: str, subject: str) -> TemplateRecord:
        """By the unique index."""
        async with self._turn() as db:
            document = await db["templates"].find_one({"client_id": client_id, "subject": subject})
        if document is None:
            raise NotFound("template")
        return _template(document)

    async def templates(self, client_id: str) -> Sequence[TemplateRecord]:
        """A client's all, in the byte order of their subjects."""
        async with self._turn(long=True) as db:
            found = db["templates"].find({"client_id": client_id}).sort("subject")
            return [_template(document) async for document in found]

    async def gallery_version(self, client_id: str) -> int:
        """Changes so far, each counted twice."""
        async with self._turn() as db:
            document = await db["galleries"].find_one({"_id": client_id})
        return int(document["version"]) if document else 0

    async def remove_subject(self, client_id: str, subject: str) -> int:
        """The template first; interrupted, the same call finishes the job."""
        owner: Document = {"client_id": client_id, "subject": subject}
        async with self._turn() as db:
            known = await db["templates"].find_one(owner, {"_id": 1})
            if known is not None:
                await _bump(db, client_id)
            removed = (await db["templates"].delete_many(owner)).deleted_count
            if known is not None or removed:
                await _bump(db, client_id)
            await db["failures"].delete_many(owner)
            await db["sessions"].delete_many({**owner, "state": {"$in": _DONE}})
            return removed

    # failures

    async def add_failure(self, client_id: str, subject: str, now: datetime) -> int:
        """Add, then look: with others counting at the same time it may say their count, never less
        than one's own."""
        owner = {"client_id": client_id, "subject": subject}
        async with self._turn() as db:
            await _upsert(db, "failures", owner, {"$inc": {"n": 1}, "$max": {"last_at": _utc(now)}})
            await _owned(db, "failures", client_id, owner)
            document = await db["failures"].find_one(owner)
        return int(document["n"]) if document else 1

    async def failures(self, client_id: str, subject: str) -> tuple[int, datetime | None]:
        """By the unique index; (0, None) if there is no document."""
        async with self._turn() as db:
            document = await db["failures"].find_one({"client_id": client_id, "subject": subject})
        return (int(document["n"]), document["last_at"]) if document else (0, None)

    async def clear_failures(self, client_id: str, subject: str) -> None:
        """Remove the document."""
        async with self._turn() as db:
            await db["failures"].delete_one({"client_id": client_id, "subject": subject})

    # signing keys: a handful, in one document, so that retiring one and adding another is one write

    async def add_key(self, record: KeyRecord, *, retire_others_at: datetime | None) -> None:
        """Read the list, change it, put it back if it is still the one that was read."""
        new = {
            "kid": record.kid,
            "public_jwk": record.public_jwk,
            "sealed_private": Binary(record.sealed_private),
            "created_at": _utc(record.created_at),
            "retire_at": record.retire_at and _utc(record.retire_at),
        }
        async with self._turn() as db:
            for _ in range(TRIES):
                rev, keys = await _key_list(db)
                signing = [key for key in keys if key["retire_at"] is None]
                if any(key["kid"] == record.kid for key in keys):
                    raise Conflict("key")
                if signing and record.retire_at is None and retire_others_at is None:
                    raise Conflict("key")
                if retire_others_at is not None:
                    for key in signing:
                        key["retire_at"] = _utc(retire_others_at)
                if await _set_key_list(db, rev, [*keys, new]):
                    return
            raise Conflict("key")

    async def keys(self, now: datetime) -> Sequence[KeyRecord]:
        """Not those whose time is over at `now`."""
        async with self._turn() as db:
            _, documents = await _key_list(db)
        at = _utc(now)
        keys = [_key(k) for k in documents if k["retire_at"] is None or k["retire_at"] > at]
        keys.sort(key=lambda key: key.kid)
        keys.sort(key=lambda key: key.created_at, reverse=True)
        return sorted(keys, key=lambda key: key.retire_at is not None)


async def _upsert(
    db: AsyncDatabase[Document], name: str, filter_: Mapping[str, Any], change: Mapping[str, Any]
) -> None:
    """Update or insert by a unique filter. Of several first ones, all but one meet the index and
    find the document the next time (MongoDB manual, "Upsert with unique index")."""
    for _ in range(TRIES):
        try:
            await db[name].update_one(filter_, change, upsert=True)
            return
        except DuplicateKeyError:
            continue
    raise Unavailable(f"MongoDB: an upsert into {name} met others {TRIES} times")


async def _bump(db: AsyncDatabase[Document], client_id: str) -> None:
    await _upsert(db, "galleries", {"_id": client_id}, {"$inc": {"version": 1}})


async def _owned(
    db: AsyncDatabase[Document], name: str, client_id: str, written: Mapping[str, Any]
) -> None:
    """Take back what was written for a client that is not there. Raises NotFound."""
    if await db["clients"].find_one({"_id": client_id, "removing": False}, {"_id": 1}) is None:
        await db[name].delete_many(written)
        raise NotFound("client")


async def _key_list(db: AsyncDatabase[Document]) -> tuple[int, list[Document]]:
    """Its revision (0: there is none yet) and the keys."""
    document = await db["signing"].find_one({"_id": "keys"})
    return (document["rev"], document["keys"]) if document else (0, [])


async def _set_key_list(db: AsyncDatabase[Document], rev: int, keys: list[Document]) -> bool:
    """Whether the list was still at `rev`."""
    if rev == 0:
        try:
            await db["signing"].insert_one({"_id": "keys", "rev": 1, "keys": keys})
        except DuplicateKeyError:
            return False
        return True
    result = await db["signing"].update_one(
        {"_id": "keys", "rev": rev}, {"$set": {"rev": rev + 1, "keys": keys}}
    )
    return result.matched_count == 1
