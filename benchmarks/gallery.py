"""What 1:N costs as a client's gallery grows: the first search, one enrolment, one removal.

    python -m benchmarks.gallery [--rows 1000,10000,100000] [--runs 3] [--repeat 9] [--before]

Every size is a SQLite database of its own in a temporary folder, with sealed templates of random
vectors, and a process of its own that serves it as a server does. Memory is that process' peak over
what it had before, without the matrix. "Stood still" is the longest time between two turns of the
event loop that a task asked for every millisecond; "idle" is the same for as long a time in which
the process had nothing to do, which is what others on the machine make of it. --before: templates
as a version stored them that kept no vectors.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.template import Floats, Template
from server.keys.vault import Vault
from server.people.anchors import Ledger
from server.people.galleries import Galleries
from server.people.protection import protection_of
from server.people.templates import open_template, seal_template
from server.store.port import Client, TemplateRecord
from server.store.sqlite.rows import micros
from server.store.sqlite.store import SqliteStore

CLIENT, MODEL, DIMENSIONS, EMBEDDINGS = "shop", "sface", 128, 5
NOW = datetime(2026, 1, 1, tzinfo=UTC)
VAULT = Vault([bytes(range(32))])
BATCH = 5000
COLUMNS = (
    ("rows", "{:,.0f}"),
    ("first s", "{:.2f}"),
    ("first CPU s", "{:.2f}"),
    ("over the matrix MB", "{:.0f}"),
    ("stood still ms", "{:.0f}"),
    ("stood still idle ms", "{:.0f}"),
    ("after an enrolment ms", "{:.1f}"),
    ("after a removal ms", "{:.1f}"),
    ("worst of both ms", "{:.0f}"),
    ("stood still then ms", "{:.0f}"),
    ("nothing changed ms", "{:.2f}"),
    ("search p50 ms", "{:.3f}"),
    ("bare product p50 ms", "{:.3f}"),
)


def person(
    n: int, rng: np.random.Generator, *, vector: bool = True, counted: bool = True
) -> TemplateRecord:
    """A sealed template of nobody; `counted`: as one who enrolled first in their anchor."""
    drawn = rng.standard_normal((EMBEDDINGS, DIMENSIONS), dtype=np.float32)
    rows: Floats = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    # As enrolment makes ids, but the same in each run: subjects in no order of rows.
    template_id = rng.bytes(16).hex()
    sealed = seal_template(
        VAULT,
        Template(MODEL, rows, 0.9),
        client_id=CLIENT,
        subject=f"{rng.bytes(6).hex()}-{n}",
        template_id=template_id,
        created_at=NOW,
        counter=int(counted and vector),
        epoch=int(counted and vector),
    )
    return sealed if vector else TemplateRecord(*[getattr(sealed, k) for k in OLD])


OLD = (
    "client_id",
    "subject",
    "template_id",
    "model_id",
    "created_at",
    "quality",
    "key_id",
    "sealed",
)


async def seed(path: Path, count: int, *, vector: bool) -> None:
    """A database with so many people, written in large transactions."""
    store = SqliteStore(path)
    await store.open()
    await store.clients.add(Client(CLIENT, bytes(32), (), "standard", NOW))
    rng, names = np.random.default_rng(1), list[str]()

    def batch(start: int) -> Iterator[tuple[Any, ...]]:
        for n in range(start, min(start + BATCH, count)):
            of = person(n, rng, vector=vector)
            yield (
                of.client_id, of.subject, of.template_id, of.model_id, micros(of.created_at),
                of.quality, of.key_id, of.sealed, of.vector, n + 1, of.counter, of.epoch,
            )  # fmt: skip
            names.append(of.subject)

    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA synchronous = OFF")
        for start in range(0, count, BATCH):
            with db:
                db.executemany(
                    "INSERT INTO templates (client_id, subject, template_id, model_id, created_at,"
                    " quality, key_id, sealed, vector, changed, counter, epoch)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    batch(start),
                )
        with db:
            db.execute("INSERT INTO galleries VALUES (?, ?, ?)", (CLIENT, count, count))
    if vector:
        ledger = Ledger(store.anchors, VAULT)
        _, given = await ledger.announce(CLIENT, names)
        assert set(given.values()) == {1}, "as person says"
        await ledger.settle(CLIENT, given)
    await store.close()


async def serve(path: Path, repeat: int) -> dict[str, float]:
    """The numbers of one size, in the process that this is."""
    store = SqliteStore(path)
    await store.open()
    protection = protection_of(store, VAULT, lambda: NOW)
    galleries = Galleries(store.templates, protection, model_id=MODEL)
    before_mb, rng = _reset_peak(), np.random.default_rng()
    cpu_s = time.process_time()
    gallery, first_s, stood_s = await _watched(lambda: galleries.of_client(CLIENT))
    cpu_s = time.process_time() - cpu_s
    peak_mb = _memory_mb("VmHWM")
    _, _, idle_s = await _watched(lambda: asyncio.sleep(first_s))
    took: dict[str, list[float]] = {"enrolled": [], "removed": [], "nothing": []}
    then_s = 0.0
    for n in range(repeat):
        for what in took:
            if what == "enrolled":
                record = person(n, rng, counted=False)
                sealed = await protection.seal(
                    open_template(VAULT, record),
                    client_id=CLIENT,
                    subject=record.subject,
                    template_id=record.template_id,
                    created_at=NOW,
                )
                await store.templates.put(sealed, replace=False)
                await protection.settle(sealed)
            elif what == "removed":
                await store.forget_subject(CLIENT, gallery.subjects[n])
            gallery, wall_s, still_s = await _watched(lambda: galleries.of_client(CLIENT))
            took[what].append(wall_s)
            then_s = max(then_s, still_s)
    search, bare = [], []
    for _ in range(50):
        probe = rng.standard_normal(DIMENSIONS, dtype=np.float32)
        probe /= np.linalg.norm(probe)
        at = time.perf_counter()
        gallery.best(probe)
        search.append(time.perf_counter() - at)
        at = time.perf_counter()
        gallery.matrix @ probe
        bare.append(time.perf_counter() - at)
    await store.close()
    middle = {what: float(np.median(times)) * 1e3 for what, times in took.items()}
    worst_s = max(took["enrolled"] + took["removed"])
    return dict(
        zip(
            [name for name, _ in COLUMNS],
            [
                len(gallery), first_s, cpu_s,
                peak_mb - before_mb - gallery.matrix.nbytes / 1e6, stood_s * 1e3, idle_s * 1e3,
                middle["enrolled"], middle["removed"], worst_s * 1e3, then_s * 1e3,
                middle["nothing"], float(np.median(search)) * 1e3, float(np.median(bare)) * 1e3,
            ],
            strict=True,
        )
    )  # fmt: skip


async def _watched(call: Callable[[], Awaitable[Any]]) -> tuple[Any, float, float]:
    """What it returns, how long it took, and how long the event loop stood still within."""
    longest_s, last_s = 0.0, time.perf_counter()

    async def watch() -> None:
        nonlocal longest_s, last_s
        while True:
            await asyncio.sleep(0.001)
            now_s = time.perf_counter()
            longest_s, last_s = max(longest_s, now_s - last_s), now_s

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    began_s = last_s = time.perf_counter()
    found = await call()
    ended_s = time.perf_counter()
    watching.cancel()
    return found, ended_s - began_s, max(longest_s, ended_s - last_s)


def _memory_mb(name: str) -> float:
    """A line of /proc/self/status in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(name)


def _reset_peak() -> float:
    """Begin a new peak (proc(5), clear_refs); MB at its beginning."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory_mb("VmRSS")


def several(runs: int, path: Path, repeat: int) -> dict[str, float]:
    """Each run in a process of its own: medians, but the worst of what stood still."""
    command = [sys.executable, "-m", "benchmarks.gallery", "--serve", str(path)]
    command += ["--repeat", str(repeat)]
    found: list[dict[str, float]] = []
    for _ in range(runs):
        ran = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        found.append(json.loads(ran.stdout))
    worst = {name for name, _ in COLUMNS if name.startswith(("stood", "worst"))}
    return {
        name: (max if name in worst else np.median)([one[name] for one in found])
        for name, _ in COLUMNS
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="1000,10000,100000")
    parser.add_argument("--repeat", type=int, default=9, help="changes of each kind in a run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--before", action="store_true")
    parser.add_argument("--keep", type=Path, help="keep the databases in this folder")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve is not None:
        print(json.dumps(asyncio.run(serve(args.serve, args.repeat))))
        return
    print("| " + " | ".join(name for name, _ in COLUMNS) + " |")
    print("|" + "-|" * len(COLUMNS), flush=True)
    with tempfile.TemporaryDirectory(prefix="lookgate-gallery-") as folder:
        for count in (int(rows) for rows in args.rows.split(",")):
            name = f"{count}{'-before' if args.before else ''}.sqlite3"
            path = (args.keep or Path(folder)) / name
            if not path.exists():
                asyncio.run(seed(path, count, vector=not args.before))
            found = several(args.runs, path, args.repeat)
            line = " | ".join(how.format(found[name]) for name, how in COLUMNS)
            print(f"| {line} |", flush=True)
            if args.keep is None:
                path.unlink()


if __name__ == "__main__":
    main()
