"""What the rotation of templates holds, on real faces, and what protection costs.

    python -m benchmarks.template_protection DATA [--clients 50] [--rows 100000]

DATA: a folder with one folder a person, of pictures of their face. They are looked at once; what
they gave is kept in the cache of `lookgate evaluate`. Each pair of clients has two secrets. A
comparison across clients is one picture of a person under one secret against another picture under
the other: mated if it is the same person. Prints a table; reads and sends nothing else.
Not here: the rates of the embedder itself (`lookgate evaluate match`).
Source: Gomez-Barrero et al., "General Framework to Evaluate Unlinkability in Biometric Template
Protection Systems", IEEE TIFS 13(6), 2018: D_sys with omega = 1, from histograms of 100 bins.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.policy import POLICIES
from pipeline.template import Floats, Template
from server.keys.rotation import rotation_of
from server.keys.vault import Vault
from server.people.protection import Space, protection_of
from server.people.standing import Head, Standing
from server.people.templates import open_template, open_vector, seal_template
from server.settings.load import load
from server.store.gallery import VectorRecord
from server.store.port import TemplateRecord
from server.store.sqlite.store import SqliteStore
from server.tools.evaluation.acquire import Acquired, acquire
from server.tools.evaluation.cache import Cache, version
from server.tools.evaluation.folder import digest, identities
from server.tools.evaluation.samples import gather
from server.tools.evaluation.work import Progress

BINS = 100
VAULT = Vault([bytes(range(32))])
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Faces:
    """One embedding a picture."""

    model_id: str
    rows: Floats
    """float32 (n, d), unit rows."""
    owners: NDArray[np.int64]


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("data", type=Path, metavar="DATA")
    given.add_argument("--clients", type=int, default=50, help="pairs of clients")
    given.add_argument("--rows", type=int, default=100_000)
    told = given.parse_args()
    faces = look(told.data)
    print("\n".join(protection(faces, told.clients, np.random.default_rng(1))))
    print("\n".join(costs(told.rows, faces.model_id, faces.rows.shape[1])))


def look(data: Path) -> Faces:
    """The best picture of every file, as `lookgate evaluate match` takes it."""
    from server.frames.look import load_see, votes

    settings = load()
    see, embedder = load_see(settings.models_dir, settings.embedder)
    folder = settings.models_dir.parent / "evaluation"
    cache = Cache(folder, version("match", embedder.model_id, *votes(settings.models_dir)))
    listing = identities(data)
    progress, found = Progress(len(listing.items), "pictures"), []
    for item in listing.items:
        key = item.key(digest(item.path))
        value = cache.get(key)
        known = value is not None
        if value is None:
            value = acquire(item, see).to_json()
            cache.put(key, value)
        found.append((item, Acquired.from_json(value)))
        progress.step(known=known)
    progress.end()
    material = gather(found, POLICIES["standard"])
    rows = np.stack([sample.views[0].embedding for sample in material.samples])
    owners = np.asarray([sample.person for sample in material.samples])
    return Faces(embedder.model_id, rows.astype(np.float32), owners)


def protection(faces: Faces, clients: int, rng: np.random.Generator) -> Iterator[str]:
    """The table: across clients, inside one, and for who knows both secrets."""
    people = len(np.unique(faces.owners))
    size = len(faces.rows)
    mated_pairs = faces.owners[:, None] == faces.owners[None, :]
    np.fill_diagonal(mated_pairs, False)  # never a picture against itself
    others = faces.owners[:, None] != faces.owners[None, :]
    plain = faces.rows @ faces.rows.T
    across: tuple[list[Scores], list[Scores]] = ([], [])
    alone, known = [], []
    worst = 0.0
    for _ in range(clients):
        one, other = (
            rotation_of(rng.bytes(32), faces.model_id, faces.rows.shape[1]) for _ in range(2)
        )
        left, right = faces.rows @ one, faces.rows @ other
        worst = max(worst, float(np.abs(left @ left.T - plain).max()))
        crossed = (left @ right.T).astype(np.float64)
        mated, nonmated = crossed[mated_pairs], crossed[others]
        across[0].append(mated)
        across[1].append(nonmated)
        alone.append((d_sys(mated, nonmated), eer(mated, nonmated)))
        back = ((left @ one.T) @ (right @ other.T).T).astype(np.float64)
        known.append((d_sys(back[mated_pairs], back[others]), eer(back[mated_pairs], back[others])))
    mated, nonmated = (np.concatenate(side) for side in across)
    inside = (d_sys(*_of(plain, mated_pairs, others)), eer(*_of(plain, mated_pairs, others)))
    each = np.asarray(alone)
    low, middle, high = np.quantile(each, [0.05, 0.5, 0.95], axis=0)
    yield (
        f"{size} pictures of {people} people ({faces.model_id}), {clients} pairs of clients,"
        f" {len(mated)} mated and {len(nonmated)} non-mated comparisons across"
    )
    yield ""
    yield "| | D_sys | EER |"
    yield "|-|-|-|"
    yield _row("across clients, all pairs of them", d_sys(mated, nonmated), eer(mated, nonmated))
    yield (
        f"| one pair of clients, median (5 to 95 % of the pairs) |"
        f" {middle[0]:.3f} ({low[0]:.3f} to {high[0]:.3f}) |"
        f" {_percent(middle[1])} ({_percent(low[1])} to {_percent(high[1])}) |"
    )
    yield f"| the same without a person in it: labels drawn | {_floor(across, rng):.3f} | |"
    yield _row("across clients, both secrets known", *np.mean(known, axis=0))
    yield _row("not rotated, or inside a client", *inside)
    yield ""
    yield f"Scores inside a client change by {worst:.1e} at most ({clients} secrets, all pairs)."
    yield ""


def _of(scores: Floats, *which: NDArray[np.bool_]) -> tuple[Scores, Scores]:
    mated, nonmated = (scores[one].astype(np.float64) for one in which)
    return mated, nonmated


def _floor(across: tuple[list[Scores], list[Scores]], rng: np.random.Generator) -> float:
    """What D_sys finds in one pair of clients where nothing is to be found: the same scores, and
    which are mated drawn. So much of it is the noise of a histogram."""
    found = []
    for mated, nonmated in zip(*across, strict=True):
        mixed = np.concatenate([mated, nonmated])
        rng.shuffle(mixed)
        found.append(d_sys(mixed[: len(mated)], mixed[len(mated) :]))
    return float(np.median(found))


def d_sys(mated: Scores, nonmated: Scores) -> float:
    """The global measure of linkability, 0 to 1; as many bins as their own tool takes."""
    bins = min(BINS, max(2, len(mated) // 10))
    both = np.concatenate([mated, nonmated])
    edges = np.linspace(both.min(), both.max(), bins + 1)
    p_mated, _ = np.histogram(mated, edges, density=True)
    p_non, _ = np.histogram(nonmated, edges, density=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = p_mated / p_non
        local = np.where(ratio <= 1, 0.0, 2 * ratio / (1 + ratio) - 1)
    local[p_non == 0] = 1.0  # a score that no two people have
    local[p_mated == 0] = 0.0
    return float(np.sum(local * p_mated * np.diff(edges)))


def eer(mated: Scores, nonmated: Scores) -> float:
    """Where as many mated are below as non-mated are at or above."""
    thresholds = np.unique(np.quantile(np.concatenate([mated, nonmated]), np.linspace(0, 1, 2001)))
    misses = np.searchsorted(np.sort(mated), thresholds) / len(mated)
    false = 1 - np.searchsorted(np.sort(nonmated), thresholds) / len(nonmated)
    at = int(np.argmin(np.abs(misses - false)))
    return float((misses[at] + false[at]) / 2)


def _row(name: str, linkable: float, error: float) -> str:
    return f"| {name} | {linkable:.3f} | {_percent(error)} |"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def costs(count: int, model_id: str, dimensions: int) -> Iterator[str]:
    """CPU of this process for opening `count` templates, and of what is done once."""
    rng = np.random.default_rng(2)
    drawn = rng.standard_normal((5, dimensions), dtype=np.float32)
    template = Template(model_id, drawn / np.linalg.norm(drawn, axis=1, keepdims=True), 0.9)
    record = seal_template(
        VAULT, template, client_id="shop", subject="ada", template_id="t", created_at=NOW,
        counter=1, epoch=1,
    )  # fmt: skip
    older = seal_template(
        VAULT, template, client_id="shop", subject="ada", template_id="t", created_at=NOW
    )
    head = Head("h", 1, 2, NOW, {1: rng.bytes(32), 2: rng.bytes(32)}, {}, adopted=False)
    standing = Standing(head, {"ada": (0, 1)})
    store = SqliteStore(Path("unused"))  # never opened: nothing is read
    guard = protection_of(store, VAULT, lambda: NOW)
    same, other = (Space(head.secrets[epoch], epoch) for epoch in (1, 2))
    row, old_row = vector_of(record), vector_of(older)
    started = time.process_time()
    rotation = rotation_of(bytes(32), model_id, dimensions)
    made_s = time.process_time() - started
    probe = template.embeddings[0]
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("open a vector of before, unsealed only", lambda: open_vector(VAULT, "shop", old_row)),
        ("open a vector: seal, counter", lambda: guard.opened_vector("shop", row, standing, same)),
        (
            "the same into another secret, as while templates are renewed",
            lambda: guard.opened_vector("shop", row, standing, other),
        ),
        ("open a whole template, unsealed only", lambda: open_template(VAULT, record)),
        ("open a whole template: seal, counter", lambda: guard.opened(record, standing, same)),
        ("rotate a probe", lambda: probe @ rotation),
    )
    yield f"| {count:,} times, {dimensions} numbers | CPU s | each, us |"
    yield "|-|-|-|"
    for name, call in steps:
        call()
        started = time.process_time()
        for _ in range(count):
            call()
        took_s = time.process_time() - started
        yield f"| {name} | {took_s:.2f} | {took_s / count * 1e6:.1f} |"
    yield ""
    yield f"Making a client's matrix takes {made_s * 1e3:.1f} ms of CPU, once a process."


def vector_of(record: TemplateRecord) -> VectorRecord:
    """As a search reads it."""
    return VectorRecord(
        record.subject,
        record.template_id,
        record.model_id,
        record.vector,
        record.counter,
        record.epoch,
    )


if __name__ == "__main__":
    sys.exit(main())
