"""The audit as JSON lines, and back; and all of a store's records in order.

A line has everything that verifies it: whoever has the public key of the checkpoints needs no
database. Not here: what is checked (verify.py).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

from pipeline.refusal import Refusal
from server.audit.record import canonical, read_body
from server.store.audit import AuditRecord, AuditTrail

AT_ONCE = 500
"""Records a read: some 3 MB of verdicts."""


class ExportError(Refusal):
    """A file that is no export; `code` is stable."""


async def stored(trail: AuditTrail) -> AsyncIterator[AuditRecord]:
    """Every record, by chain and number. Raises Unavailable."""
    after = ("", 0)
    while True:
        found = await trail.records(after=after, most=AT_ONCE)
        for record in found:
            yield record
        if len(found) < AT_ONCE:
            return
        after = (found[-1].chain, found[-1].seq)


def line_of(record: AuditRecord) -> str:
    """One line of an export, without its end."""
    return canonical(
        {
            "chain": record.chain,
            "seq": record.seq,
            "prev": record.prev.hex(),
            "ref": record.ref,
            "body": record.body,
            "hash": record.hash.hex(),
            "seal": record.seal.hex(),
        }
    )


def record_of(line: str) -> AuditRecord:
    """What `line_of` wrote. Raises ExportError `audit_export_malformed`."""
    try:
        told: Any = json.loads(line)
        chain, seq, ref, body = told["chain"], told["seq"], told["ref"], told["body"]
        if not (isinstance(seq, int) and all(isinstance(one, str) for one in (chain, ref, body))):
            raise TypeError
        prev, digest, seal = (bytes.fromhex(told[name]) for name in ("prev", "hash", "seal"))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ExportError(
            "audit_export_malformed", "a line of the file is no record of an audit"
        ) from error
    return AuditRecord(chain, seq, prev, ref, body, digest, seal)


def is_since(record: AuditRecord, since: str) -> bool:
    """Whether it was written then or later; `since` as `written_at` writes moments."""
    return str(read_body(record.body).get("at", "")) >= since


async def in_order(records: Iterable[AuditRecord]) -> AsyncIterator[AuditRecord]:
    """Those of a file, by chain and number."""
    for record in sorted(records, key=lambda one: (one.chain, one.seq)):
        yield record
