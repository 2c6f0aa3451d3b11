"""What is written for a person goes again if the person is not enrolled (any more).

A removal takes the template first and the rest afterwards: either the look here comes after the
template went, or the removal of the rest comes after the write. Not here: the same for clients
(server/store/mongo/clients.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from server.store.mongo.documents import Document
from server.store.port import NotFound


def of(people: str, subject: str) -> Document:
    """Whose."""
    return {"people": people, "subject": subject}


async def enrolled(
    db: AsyncDatabase[Document], name: str, owner: Mapping[str, str], written: Mapping[str, Any]
) -> None:
    """Take back what was written for somebody who has no template. Raises NotFound."""
    template = {"client_id": owner["people"], "subject": owner["subject"]}
    if await db["templates"].find_one(template, {"_id": 1}) is None:
        await db[name].delete_many(written)
        raise NotFound("template")
