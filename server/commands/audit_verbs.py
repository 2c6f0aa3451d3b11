"""`lookgate audit`: what it prints. Reads the store beside running servers, or an export.

Not here: what is checked and decided (server/audit/), what the verbs are given (arguments.py).
Exit codes: 0 whole, 1 not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path

from pipeline.policy import Policy
from server.audit.export import ExportError, in_order, is_since, line_of, record_of, stored
from server.audit.pruning import prune
from server.audit.record import PublicSeals, key_of, written_at
from server.audit.rejudge import rejudge
from server.audit.verify import Findings, Named, verify
from server.audit.witness import Witness
from server.commands.admin import Admin, AdminError
from server.parts import utc_now
from server.settings import policies
from server.settings.load import Settings
from server.store.audit import AuditRecord

FAULTY = 1
LEAST_DAYS = 1.0
"""Kept at least: what is pruned on the day itself helps nobody."""


def run(given: argparse.Namespace, settings: Callable[[], Settings]) -> int:
    """Do one of them. Raises AdminError, ConfigError, ExportError, Unavailable, VaultError."""
    if given.verb == "verify" and given.file is not None:
        records, public = _read(given.file), _public(given.key)
        return _tell(asyncio.run(verify(in_order(records), public, partial=True)))

    async def opened() -> int:
        async with Admin.of(settings()) as admin:
            return await _VERBS[given.verb](admin, given)

    return asyncio.run(opened())


def _public(key: Path | None) -> PublicSeals:
    if key is None:
        raise AdminError("audit_key_missing", "An export needs --key: `lookgate audit key`.")
    try:
        return PublicSeals([key_of(json.loads(key.read_text("utf-8")))])
    except (ValueError, AttributeError) as error:
        raise AdminError("audit_key_malformed", f"{key} is no public key of an audit.") from error


async def _verify(admin: Admin, given: argparse.Namespace) -> int:
    began = written_at(utc_now())
    heads = Witness(admin.settings.data_dir).heads()
    seen: list[Named] = [(chain, *head) for chain, head in heads.items()]
    if given.against is not None:
        seen += [(one.chain, one.seq, one.hash) for one in _read(given.against)]
    records = stored(admin.store.audit)
    return _tell(await verify(records, admin.audit.seals, seen=seen, began=began))


def _read(file: Path) -> list[AuditRecord]:
    with file.open(encoding="utf-8") as lines:
        try:
            return [record_of(line) for line in lines if line.strip()]
        except UnicodeDecodeError as error:
            raise ExportError("audit_export_malformed", f"{file} is no text") from error


def _tell(found: Findings) -> int:
    for fault in found.faults:
        print(f"{fault.kind}  {fault.chain}  {fault.seq}  {fault.text}")
    told = f"{found.records} records in {found.chains} chains"
    state = "NOT whole" if found.faults else "whole"
    print(f"{state}: {told}, {found.behind} of them behind the last checkpoint")
    return FAULTY if found.faults else 0


async def _export(admin: Admin, given: argparse.Namespace) -> int:
    since = "" if given.since is None else written_at(given.since)
    async for record in stored(admin.store.audit):
        if is_since(record, since):
            sys.stdout.write(line_of(record) + "\n")
    return 0


async def _key(admin: Admin, given: argparse.Namespace) -> int:
    await admin.recorded()
    print(json.dumps(admin.audit.seals.public_jwk()))
    return 0


async def _prune(admin: Admin, given: argparse.Namespace) -> int:
    if given.days < LEAST_DAYS:
        raise AdminError("days_invalid", "The audit is kept for a day at least.")
    now = utc_now()
    before = now - timedelta(days=given.days)
    removed = await prune(await admin.recorded(), admin.store.audit, before, now)
    print(f"removed {removed} record(s) from before {before:%F}")
    return 0


async def _rejudge(admin: Admin, given: argparse.Namespace) -> int:
    def change(policy: Policy) -> Policy:
        return policies.load(given.policy, policy)

    found = rejudge([one async for one in stored(admin.store.audit)], change)
    print(f"{found.verdicts} verdicts, {found.same} the same")
    for (before, after), count in found.changes.most_common():
        print(f"{count}  {before} -> {after}")
    for why, count in sorted(found.left_out.items()):
        print(f"{count}  not decided again: {_WHY[why]}")
    if found.not_followed:
        print(f"no recorded table follows: {' '.join(sorted(found.not_followed))}")
    return 0


_WHY: Mapping[str, str] = {
    "no_policy": "the audit does not have its policy",
    "no_table": "no table was decided",
    "not_reproduced": "its table alone did not end it",
}


_VERBS: Mapping[str, Callable[[Admin, argparse.Namespace], Awaitable[int]]] = {
    "verify": _verify,
    "export": _export,
    "key": _key,
    "prune": _prune,
    "rejudge": _rejudge,
}
