"""Forgetting: what a server knows of a person, or of a whole client, is removed in one call.

The store's rows go first (`forget_subject` of each backend has the list of nouns), then the
recordings. Not here: who may ask (server/http/subjects.py, server/commands/admin.py), the rows
(server/store/), the tapes (shelf.py). Source: docs/protocol.md, "HTTP".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime

from server.audit.chain import Audit
from server.keys.keyring import Keyring
from server.keys.receipt import Erasure
from server.keys.vault import Vault, VaultError
from server.people.anchors import Ledger
from server.people.shelf import Shelf
from server.store.port import Store, Unavailable
from server.store.relying import people_of

logger = logging.getLogger(__name__)


async def forget_subject(
    store: Store, ledger: Ledger, shelf: Shelf | None, client_id: str, subject: str
) -> Mapping[str, int]:
    """Remove everything of a person; how many of each noun of the store, and `recordings`.

    Open sessions go first, and nothing is stored of them afterwards. Again does nothing. Raises
    Unavailable, for recordings that are left as well.
    """
    rows = dict(await store.forget_subject(client_id, subject))
    try:
        # After the row: one that is put back counts no more, and one that is there always did.
        await ledger.forget(client_id, subject)
    except VaultError as error:
        told = {"client": client_id, "code": error.code}
        logger.error("a template of a person who was removed may count again", extra=told)
    for other in await store.clients.all():  # where the same people log in, and what they got there
        if other.client_id != client_id == people_of(other):
            for noun, gone in (await store.forget_subject(other.client_id, subject)).items():
                rows[noun] = rows.get(noun, 0) + gone
    tapes = 0
    if shelf is not None:
        tapes = await _off_the_shelf(client_id, shelf.remove_subject, client_id, subject)
    erased = {**rows, "recordings": tapes}
    logger.info("subject removed", extra={"client": client_id, **erased})
    return erased


async def withdraw_subject(
    audit: Audit,
    keyring: Keyring,
    vault: Vault,
    store: Store,
    shelf: Shelf | None,
    *,
    client_id: str,
    subject: str,
    by: str,
    now: Callable[[], datetime],
    ledger: Ledger | None = None,
) -> tuple[Mapping[str, int], str]:
    """Record that a person is about to be removed, remove everything of them, and sign for it; how
    many of each noun, and the receipt. `by`: client or operator. `ledger`: one that knows how far
    the anchors were.

    Raises Unavailable, VaultError: then there is no receipt, and again does what is left.
    """
    async with audit.act("erasure", client_id=client_id, subject=subject, by=by) as record:
        held = ledger or Ledger(store.anchors, vault, now=now)
        erased = await forget_subject(store, held, shelf, client_id, subject)
    hashed = audit.seals.subject(client_id, subject)
    erasure = Erasure(record.ref, client_id, hashed, vault.key_id, erased)
    return erased, await keyring.receipt(erasure, now())


async def forget_client(store: Store, shelf: Shelf | None, client_id: str) -> None:
    """Remove a client with everybody that it enrolled: rows, then recordings.

    Raises NotFound, and Unavailable, for recordings that are left as well.
    """
    await store.clients.remove(client_id)
    if shelf is not None:
        await _off_the_shelf(client_id, shelf.remove_client, client_id)


async def _off_the_shelf(client_id: str, remove: Callable[..., int], *whose: str) -> int:
    try:
        return await asyncio.to_thread(remove, *whose)
    except OSError as error:
        cause = type(error).__name__
        logger.error("recordings are left", extra={"client": client_id, "cause": cause})
        raise Unavailable(cause, place="the folder of recordings") from error
