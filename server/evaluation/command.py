"""`lookgate evaluate` and `lookgate calibrate`: arguments, files, progress, the printed table.

What computes is imported when it is wanted: SciPy and Matplotlib are an extra of the package.
"""

from __future__ import annotations

import argparse
import functools
import os
from pathlib import Path
from typing import Any

from models.manifest import default_dir
from pipeline.policy import POLICIES, Policy
from server.config import Settings
from server.evaluation.folder import (
    GROUPS,
    EvaluationError,
    Item,
    Listing,
    digest,
    groups,
    identities,
)
from server.evaluation.looks import Look, See, look_at
from server.evaluation.memory import Memory, version
from server.evaluation.work import Progress, each


def add(verbs: Any) -> None:
    """The verbs; each sets `evaluation`, which `run` takes."""
    evaluate = verbs.add_parser("evaluate", help="error rates on your own data").add_subparsers(
        required=True, metavar="what"
    )
    match = _add(evaluate, "match", "confusions and refusals: one folder per identity")
    match.add_argument("--enroll", type=_whole, default=3, metavar="N", help="pictures a template")
    match.add_argument("--probe", type=_whole, default=3, metavar="M", help="pictures a probe")
    match.add_argument(
        "--groups",
        type=Path,
        help="table: path or identity, and attributes (default: DIR/groups.csv)",
    )
    match.set_defaults(evaluation=_match)


def _add(verbs: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.add_argument("dir", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path, help="folder for report.json and report.html")
    parser.add_argument(
        "--jobs", type=_whole, default=max(1, (os.cpu_count() or 2) // 2), help="files at a time"
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=default_dir().parent / "evaluation",
        help="where what files gave is kept, embeddings too (default: %(default)s)",
    )
    return parser


def _whole(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


_whole.__name__ = "whole number from 1 on"  # argparse says it


def run(given: argparse.Namespace, settings: Settings) -> int:
    """Do what was asked. Raises EvaluationError, MediaError and what loading the nets raises."""
    return int(given.evaluation(given, settings))


def _extra() -> None:
    """Raises EvaluationError (evaluate_missing)."""
    try:
        import matplotlib  # noqa: F401
        import scipy  # noqa: F401
    except ImportError as fault:
        raise EvaluationError(
            "evaluate_missing", "the extra is not installed: pip install 'lookgate[evaluate]'"
        ) from fault


def _nets(settings: Settings) -> tuple[See, str]:
    from server.app import load_see

    see, embedder = load_see(settings.models_dir, settings.embedder)
    return see, embedder.model_id


def _policy(settings: Settings) -> Policy:
    policy = POLICIES["standard"]
    if settings.match_score is not None:
        policy = policy.matching_at(settings.match_score)
    return policy


def _match(given: argparse.Namespace, settings: Settings) -> int:
    listing = identities(given.dir)
    table = given.groups or given.dir / GROUPS
    by = groups(table) if given.groups or table.is_file() else {}
    _extra()
    from server.evaluation import match, report

    see, embedder = _nets(settings)
    memory = Memory(given.cache, version("match", embedder))
    looks = [
        (item, Look.from_json(value), sha256)
        for item, value, sha256 in _looked(
            listing, functools.partial(_views, see=see), memory, given.jobs
        )
    ]
    found = match.evaluate(
        listing,
        looks,
        policy=_policy(settings),
        embedder=embedder,
        enroll=given.enroll,
        probe=given.probe,
        groups=by,
    )
    return _tell(found, given.out, report)


def _views(item: Item, see: See) -> dict[str, Any]:
    return look_at(item, see).to_json()


def _looked(
    listing: Listing, do: Any, memory: Memory, jobs: int
) -> list[tuple[Item, dict[str, Any], str]]:
    """What each file gave, from the memory or now."""
    progress = Progress(len(listing.items), "files")

    def one(item: Item) -> tuple[dict[str, Any], str, bool]:
        try:
            sha256 = digest(item.path)
        except OSError:
            return {"failure": "media_unreadable", "pictures": 0, "views": []}, "", True
        known = memory.get(sha256)
        if known is None:
            value = do(item)
            memory.put(sha256, value)
            return value, sha256, False
        return known, sha256, True

    found = []
    for item, (value, sha256, known) in each(one, listing.items, jobs):
        progress.step(known=known)
        found.append((item, value, sha256))
    progress.end()
    return found


def _tell(found: Any, out: Path | None, report: Any) -> int:
    print(report.text(found))
    if out is not None:
        report.write(found, out)
        print(f"\n{out / 'report.json'}\n{out / 'report.html'}")
    return 0
