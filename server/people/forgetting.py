"""Forgetting: what a server knows of a person, or of a whole client, is removed in one call.

The store's rows go first (`forget_subject` of each backend has the list of nouns), then the
recordings. Not here: who may ask (server/http/subjects.py, server/commands/admin.py), the rows
(server/store/), the tapes (shelf.py). Source: docs/protocol.md, "HTTP".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from server.people.shelf import Shelf
from server.store.port import Store

logger = logging.getLogger(__name__)


async def forget_subject(
    store: Store, shelf: Shelf | None, client_id: str, subject: str
) -> Mapping[str, int]:
    """Remove everything of a person; how many of each noun of the store, and `recordings`.

    Open sessions go first, and nothing is stored of them afterwards. Again does nothing. Raises
    Unavailable, and OSError for the recordings.
    """
    rows = await store.forget_subject(client_id, subject)
    tapes = 0
    if shelf is not None:
        tapes = await asyncio.to_thread(shelf.remove_subject, client_id, subject)
    erased = {**rows, "recordings": tapes}
    logger.info("subject removed", extra={"client": client_id, **erased})
    return erased


async def forget_client(store: Store, shelf: Shelf | None, client_id: str) -> None:
    """Remove a client with everybody that it enrolled: rows, then recordings.

    Raises NotFound, Unavailable, and OSError for the recordings.
    """
    await store.clients.remove(client_id)
    if shelf is not None:
        await asyncio.to_thread(shelf.remove_client, client_id)
