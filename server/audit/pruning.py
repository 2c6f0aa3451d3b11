"""Which old records of the audit may go, so that what is left can still be verified.

A signed record says first up to which number each chain is no longer kept, and the hash of the last
one that goes: that is what the chain hangs on from then on. What an earlier pruning said is said
again, as long as a chain or a checkpoint that is kept needs it. Not here: when (the operator says),
the removal itself (server/store/audit.py).
"""

from __future__ import annotations

from datetime import datetime

from server.audit.chain import Audit, heads_of
from server.audit.export import stored
from server.audit.record import SIGNED, read_body, written_at
from server.store.audit import AuditTrail


async def prune(audit: Audit, trail: AuditTrail, before: datetime) -> int:
    """Remove the records from before then; how many. Of each chain only what comes before the first
    that is kept. Interrupted, the next one finishes it. Raises Unavailable, VaultError."""
    limit = written_at(before)
    roots: dict[str, tuple[int, bytes]] = {}
    told: dict[str, tuple[int, bytes]] = {}
    needed: set[str] = set()
    ended: set[str] = set()
    async for record in stored(trail):
        body = read_body(record.body)
        if record.chain not in ended and str(body.get("at", "")) < limit:
            roots[record.chain] = record.seq, record.hash
        else:
            ended.add(record.chain)
            needed.add(record.chain)
            if body.get("kind") in SIGNED:
                needed |= heads_of(record).keys()
        if body.get("kind") == "prune":
            for chain, root in heads_of(record, "roots").items():
                told[chain] = max(root, told.get(chain, root))
    if not roots:
        return 0
    kept = {chain: root for chain, root in told.items() if chain in needed}
    await audit.pruned({**kept, **roots})
    return sum([await trail.prune(chain, seq + 1) for chain, (seq, _) in roots.items()])
