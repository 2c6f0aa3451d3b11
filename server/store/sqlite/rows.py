"""How a moment is written in a row, and what one statement did.

Not here: the tables (schema.py), what their rows mean (one module for each noun).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import aiosqlite

from server.store.port import Conflict, NotFound

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Integer microseconds since 1970 UTC, exact. Raises TypeError for a naive datetime."""
    return (moment - _EPOCH) // _MICROSECOND


def micros_or_none(moment: datetime | None) -> int | None:
    """As `micros`; NULL for never."""
    return None if moment is None else micros(moment)


def moment(micros: int) -> datetime:
    """The aware UTC datetime that `micros` wrote."""
    return _EPOCH + micros * _MICROSECOND


def moment_or_none(micros: int | None) -> datetime | None:
    """As `moment`; None for NULL."""
    return None if micros is None else moment(micros)


async def changed(db: aiosqlite.Connection, sql: str, *parameters: object) -> int:
    """Run one DELETE or UPDATE; how many rows it met."""
    return len(list(await db.execute_fetchall(f"{sql} RETURNING 1", parameters)))


def is_missing_client(error: sqlite3.IntegrityError) -> bool:
    """Whether a row was refused because the client that it belongs to is not there."""
    return bool(error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY)


@contextmanager
def refusals(what: str) -> Iterator[None]:
    """Name what an INSERT is refused for. Raises NotFound (what it belongs to is not there),
    Conflict (its key is taken)."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        if is_missing_client(error):
            raise NotFound(f"owner of a {what}") from error
        raise Conflict(what) from error
