"""What the audit adds to a verdict: `python -m benchmarks.audit [--verdicts N]`.

Verdicts of one store, with and without their record, by turns in one run, on a SQLite database in
a folder of its own. Wall time and CPU time of the process; the table is that of a whole login.
Not here: the rest of a login (login.py). Reads and sends nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.decision import Evidence, Moment, Stand, Topic
from pipeline.events import Decided
from pipeline.policy import POLICIES
from pipeline.reasons import Phase
from server.audit.chain import Audit
from server.audit.export import stored
from server.audit.record import Seals
from server.audit.verdicts import verdict_entry
from server.audit.verify import verify
from server.audit.witness import Witness
from server.keys.vault import Vault
from server.store.audit import Note
from server.store.port import Client, SessionRecord
from server.store.sqlite.store import SqliteStore

CUES = (
    *("face", "spoof", "freshness", "bezel", "glow", "detail", "micro", "plane", "background"),
    *("blink", "attention", "camera", "identity", "continuity"),
)
ROWS = [
    Evidence(
        cue, Topic.LIVENESS, Stand.FOR, "a_reason", 0.512, False, dict.fromkeys("abcd", 0.1234)
    )
    for cue in CUES
]
"""As many rows and numbers as a login's table."""
MOMENT = Moment(1.6, 1.5, 3.0)


def now() -> datetime:
    return datetime.now(UTC)


async def _session(store: SqliteStore) -> SessionRecord:
    record = SessionRecord(
        session_id=secrets.token_urlsafe(32),
        client_id="shop",
        purpose="login",
        subject="ann",
        nonce="n" * 32,
        ticket_hash=secrets.token_bytes(32),
        state="live",
        created_at=now(),
        expires_at=now() + timedelta(minutes=1),
    )
    await store.sessions.add(record)
    return record


async def _measure(folder: Path, verdicts: int) -> None:
    store = SqliteStore(folder / "audit.sqlite3")
    await store.open()
    vault = Vault([secrets.token_bytes(32)])
    audit = Audit(store.audit, vault, now=now, by="benchmark", witness=Witness(folder))
    await audit.record("settings")
    await store.clients.add(Client("shop", bytes(32), (), "standard", now()))
    wall: dict[bool, list[float]] = {False: [], True: []}
    cpu: dict[bool, list[float]] = {False: [], True: []}
    decided = Decided(Phase.ACCEPTED, subject="ann")
    for n in range(2 * verdicts):
        recorded = n % 2 == 1
        session = await _session(store)
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        note: Note | None = None
        if recorded:
            note = audit.note(
                verdict_entry(
                    audit,
                    session,
                    POLICIES["standard"],
                    decided,
                    ROWS,
                    MOMENT,
                    subject="ann",
                    model_id="sface",
                )
            )
        await store.endings.accept(session.session_id, at=now(), subject="ann", note=note)
        wall[recorded].append(1000 * (time.perf_counter() - began_s))
        cpu[recorded].append(1000 * (time.process_time() - began_cpu_s))
    for name, found in (("wall", wall), ("CPU", cpu)):
        without, with_it = (_told(found[which]) for which in (False, True))
        added = statistics.median(found[True]) - statistics.median(found[False])
        print(f"{name}: without {without}, with {with_it}; added in the median {added:.2f} ms")
    began_s = time.perf_counter()
    await audit.checkpoint()
    print(f"a checkpoint: {1000 * (time.perf_counter() - began_s):.2f} ms")
    began_s = time.perf_counter()
    found = await verify(stored(store.audit), Seals(vault))
    took_s = time.perf_counter() - began_s
    assert not found.faults
    print(f"verify: {found.records} records, {1000 * took_s / found.records:.3f} ms each")
    await audit.close()
    await store.close()


def _told(values: list[float]) -> str:
    ordered = sorted(values)
    p95 = ordered[int(0.95 * len(ordered))]
    return f"{statistics.median(ordered):.2f} ms (p95 {p95:.2f}, n = {len(ordered)})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--verdicts", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_measure(Path(folder), given.verdicts))


if __name__ == "__main__":
    main()
