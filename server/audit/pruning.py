"""Which old records of the audit may go, so that what is left can still be verified.

A signed record says first up to which number each chain is no longer kept, and the hash of the last
one that goes: that is what the chain hangs on from then on. What an earlier pruning said is said
again, as long as a chain or a checkpoint that is kept needs it, and for TOLD_AGAIN at least,
because a machine may have a witness of a chain that is gone. Not here: when (the operator says),
the removal itself (server/store/audit.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from server.audit.chain import Audit, Root, heads_of, roots_of
from server.audit.export import stored
from server.audit.record import SIGNED, read_body, written_at
from server.store.audit import AuditTrail

TOLD_AGAIN = timedelta(days=400)
"""A root is some 150 bytes, and each start and each command of the operator begins a chain."""


async def prune(audit: Audit, trail: AuditTrail, before: datetime, now: datetime) -> int:
    """Remove the records from before then; how many. Of each chain only what comes before the first
    that is kept. Interrupted, the next one finishes it. Raises Unavailable, VaultError."""
    limit, told_now = written_at(before), written_at(now)
    roots: dict[str, Root] = {}
    told: dict[str, Root] = {}
    needed: set[str] = set()
    ended: set[str] = set()
    async for record in stored(trail):
        body = read_body(record.body)
        if record.chain not in ended and str(body.get("at", "")) < limit:
            roots[record.chain] = Root(record.seq, record.hash, told_now)
        else:
            ended.add(record.chain)
            needed.add(record.chain)
            if body.get("kind") in SIGNED:
                needed |= heads_of(record).keys()
        for chain, root in roots_of(record).items():
            if chain not in told or told[chain].seq < root.seq:
                told[chain] = root
    if not roots:
        return 0
    old = written_at(now - TOLD_AGAIN)
    kept = {chain: root for chain, root in told.items() if chain in needed or root.told > old}
    await audit.pruned({**kept, **roots})
    removed = sum([await trail.prune(chain, root.seq + 1) for chain, root in roots.items()])
    audit.gone(roots)
    return removed
