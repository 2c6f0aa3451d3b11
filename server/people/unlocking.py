"""Unlocking: a person who showed by another factor who they are may try their face again.

Recorded before it is done. Not here: who may ask (server/http/subjects.py,
server/commands/admin.py), what is counted and when it locks (server/store/tries.py).
Source: NIST SP 800-63B-4 section 3.2.3; docs/decisions/lockout.md.
"""

from __future__ import annotations

import logging

from server.audit.chain import Audit
from server.store.port import Store

logger = logging.getLogger(__name__)


async def unlock_subject(
    audit: Audit, store: Store, *, client_id: str, subject: str, by: str, forget_devices: bool
) -> int:
    """Begin all counters of a person anew; how many had counted something. `by`: client or
    operator. `forget_devices`: every browser is a new one again, as after a theft.

    Raises Unavailable, VaultError: then nothing is done, or not all, and again does the rest.
    """
    told = {"by": by, "forget_devices": forget_devices}
    async with audit.act("unlock", client_id=client_id, subject=subject, **told):
        unlocked = await store.tries.unlock(client_id, subject, forget_devices=forget_devices)
    logger.info("subject unlocked", extra={"client": client_id, "counters": unlocked})
    return unlocked
