"""Forgetting: what a server knows of a person, or of a whole client, is removed in one call.

The store's rows go first (templates, failures, finished sessions), then the recordings. Not here:
who may ask (server/http/sessions.py, server/commands/admin.py), the rows (server/store/), the tapes
(shelf.py). Source: docs/protocol.md, "HTTP".
"""

from __future__ import annotations

import asyncio
import logging

from server.people.shelf import Shelf
from server.store.port import Store

logger = logging.getLogger(__name__)


async def forget_subject(store: Store, shelf: Shelf | None, client_id: str, subject: str) -> int:
    """Remove a person's templates, failures, finished sessions and recordings; how many templates.

    Again does nothing. Raises Unavailable, and OSError for the recordings.
    """
    removed = await store.forget_subject(client_id, subject)
    tapes = 0
    if shelf is not None:
        tapes = await asyncio.to_thread(shelf.remove_subject, client_id, subject)
    logger.info(
        "subject removed",
        extra={"client": client_id, "templates": removed, "recordings": tapes},
    )
    return removed


async def forget_client(store: Store, shelf: Shelf | None, client_id: str) -> None:
    """Remove a client with everybody that it enrolled: rows, then recordings.

    Raises NotFound, Unavailable, and OSError for the recordings.
    """
    await store.clients.remove(client_id)
    if shelf is not None:
        await asyncio.to_thread(shelf.remove_client, client_id)
