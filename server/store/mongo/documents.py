"""How documents are written: moments, and upserts that meet one another.

Not here: which collections there are (schema.py), what their documents mean (one module for each
noun). Dates are BSON dates: whole milliseconds, the rest is cut off.
Source: mongodb.com/docs/manual (upsert with unique index).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from server.store.port import Unavailable

Document = dict[str, Any]

TRIES = 20
"""Of a compare-and-set or of a first upsert that meets another; each loss is another's success."""


def utc(moment: datetime) -> datetime:
    """Raises TypeError for a naive datetime, which the driver would take for UTC."""
    if moment.utcoffset() is None:
        raise TypeError("a store takes aware datetimes only")
    return moment.astimezone(UTC)


async def upsert(
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
