"""One MongoDB database and its pool: whose turn it is, how long it may take, what went wrong.

Not here: the indexes (schema.py), the verbs (one module for each noun). This folder is the only
place that imports pymongo (its own asyncio API; MongoDB retired Motor for it).
Source: mongodb.com/docs/manual (write concern, client-side operations timeout).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC

import pymongo
from bson.codec_options import CodecOptions
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
)
from pymongo.write_concern import WriteConcern

from server.store.mongo.documents import Document
from server.store.mongo.schema import prepare
from server.store.port import Broken, Unavailable

WAIT_S = 2.5
"""How long one verb may take, waiting for its turn included, before it is Unavailable."""

LONG_WAIT_S = 10.0
"""For what grows with a client: reading or removing its templates, building an index. An outage is
told as soon as for the rest: such a verb starts with a ping, because the driver's one time limit is
also how long it looks for a server."""

AT_ONCE = 20
"""Operations under way. More tasks than connections starve one another in the driver's own pool:
100 tasks on 20 connections had a p99 of 540-1000 ms, and 27 ms behind this FIFO semaphore."""

Prepare = Callable[[AsyncDatabase[Document]], Awaitable[None]]

REFUSED = (13, 18)
"""Unauthorized and AuthenticationFailed (mongodb.com/docs/manual/reference/error-codes): user or
password of LOOKGATE_STORE is wrong, or may not do this. No waiting helps."""

LACKED = (59, 115, 238)
"""CommandNotFound, CommandNotSupported, NotImplemented: no MongoDB, but a server of its protocol
that lacks what is needed. No waiting helps."""


def fault_of(error: PyMongoError) -> Unavailable:
    """What an error of the driver says about the database; ConfigurationError is a DNS that did not
    answer for mongodb+srv. The driver's own words may quote a password, so only names are told."""
    code = getattr(error, "code", None)
    cause = f"MongoDB: {type(error).__name__} {code or ''}".rstrip()
    if code in REFUSED + LACKED:
        return Broken("the MongoDB database of LOOKGATE_STORE", cause)
    return Unavailable(cause)


class Database:
    """The database; several servers may share it."""

    def __init__(
        self,
        url: str,
        *,
        name: str | None = None,
        wait_s: float = WAIT_S,
        prepare: Prepare = prepare,
    ) -> None:
        """`name` wins over the one in the URL; `lookgate` if neither names one. `prepare` is done
        with the database as soon as it is reached."""
        self._url = url
        self._name = name
        self._wait_s = wait_s
        self._prepare = prepare
        self._mongo: AsyncMongoClient[Document] | None = None
        self._db: AsyncDatabase[Document] | None = None
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Connect and prepare. Raises Unavailable, Broken, WrongSchema.

        Raises ValueError for a URL that the driver does not understand; it does not quote it.
        """
        async with self._opening:
            if self._db is not None:
                return
            self._mongo = self._new_client()
            try:
                self._db = self._mongo.get_database(
                    self._name or self._mongo.get_default_database("lookgate").name,
                    codec_options=CodecOptions(tz_aware=True, tzinfo=UTC),
                    # Tickets, counts and keys must outlive a crash: "majority" alone lost the last
                    # writes of a killed single server, j did not.
                    write_concern=WriteConcern(w="majority", j=True),
                )
                async with self.turn(long=True) as db:
                    await self._prepare(db)
            except BaseException:
                await self._close()
                raise

    def _new_client(self) -> AsyncMongoClient[Document]:
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

    @asynccontextmanager
    async def turn(self, *, long: bool = False) -> AsyncIterator[AsyncDatabase[Document]]:
        """One verb: its turn, its time limit, and a name for what may go wrong.

        Raises Unavailable. DuplicateKeyError means different things and stays as it is.
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
            raise fault_of(error) from error
        except PyMongoError as error:
            if not error.timeout:
                raise
            raise Unavailable(f"MongoDB: {type(error).__name__}") from error
        finally:
            self._slots.release()
