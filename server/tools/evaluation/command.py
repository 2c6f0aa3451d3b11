"""`lookgate evaluate` and `lookgate calibrate`: arguments, files, progress, the printed table.

What computes is imported when it is wanted: SciPy and Matplotlib are an extra of the package.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from models.manifest import default_dir
from pipeline.nets.embed import Embedder
from pipeline.policy import POLICIES, Policy
from server import cpus
from server.settings import policies
from server.settings.load import Settings
from server.tools.evaluation.acquire import Acquired, See, acquire
from server.tools.evaluation.cache import Cache, Value, version
from server.tools.evaluation.folder import (
    AS_IT_IS,
    FRAMINGS,
    GROUPS,
    EvaluationError,
    Item,
    Listing,
    begun,
    digest,
    framed,
    groups,
    identities,
    presentations,
)
from server.tools.evaluation.work import Progress, each

Kept = TypeVar("Kept")


def add(verbs: Any) -> None:
    """The verbs; each sets `evaluation`, which `run` takes."""
    evaluate = verbs.add_parser("evaluate", help="error rates on your own data").add_subparsers(
        required=True, metavar="what"
    )
    match = _add(evaluate, "match", "confusions and refusals: one folder per identity")
    match.add_argument("--enroll", type=whole, default=3, metavar="N", help="pictures a template")
    match.add_argument("--probe", type=whole, default=3, metavar="M", help="pictures a probe")
    match.set_defaults(evaluation=_match)
    liveness = _add(
        evaluate, "liveness", "attacks let in, people refused: live/, attack/<species>/"
    )
    liveness.add_argument(
        "--begin",
        type=seconds,
        default=(),
        metavar="S,S",
        help="begin each film of attack/replay* at these seconds too: species replay_cut",
    )
    liveness.add_argument(
        "--framing",
        choices=FRAMINGS,
        default=AS_IT_IS,
        help="z: films cropped to 2 face boxes and enlarged, so that no border is left",
    )
    liveness.add_argument(
        "--leave-out",
        choices=("source",),
        help="judge the films of each source of DIR/manifest.csv by a fit without them, too",
    )
    liveness.set_defaults(evaluation=_liveness)

    text = "thresholds for target error rates, from evaluations"
    calibrate = verbs.add_parser("calibrate", help=text, description=text)
    calibrate.add_argument("report", type=Path, nargs="+", help="report.json, or its folder")
    calibrate.add_argument("--target-fmr", type=float, help="false matches of templates, 0..1")
    calibrate.add_argument("--target-apcer", type=float, help="of every species of attack, 0..1")
    calibrate.add_argument("--out", type=Path, required=True, help="policy file to write, JSON")
    calibrate.add_argument("--policy", type=Path, help="file of the policy to start from")
    calibrate.set_defaults(evaluation=_calibrate)


def _add(verbs: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.add_argument("dir", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path, help="folder for report.json and report.html")
    parser.add_argument(
        "--groups",
        type=Path,
        help="table: path or identity, and attributes (default: DIR/groups.csv)",
    )
    parser.add_argument("--policy", type=Path, help="judge by the fields in this JSON or TOML")
    parser.add_argument(
        "--jobs", type=whole, default=max(1, cpus.whole() // 2), help="files at a time"
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=default_dir().parent / "evaluation",
        help="where what files gave is kept, embeddings too (default: %(default)s)",
    )
    return parser


def whole(text: str) -> int:
    """An argument that counts something. Raises ValueError."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


whole.__name__ = "whole number from 1 on"  # argparse says it


def seconds(text: str) -> tuple[float, ...]:
    """An argument of seconds above 0, with commas between. Raises ValueError."""
    found = tuple(float(part) for part in text.split(","))
    if not all(0 < one < math.inf for one in found):
        raise ValueError(text)
    return tuple(sorted(set(found)))


def run(given: argparse.Namespace, settings: Settings) -> int:
    """Do what was asked. Raises EvaluationError, MediaError and what loading the nets raises."""
    return int(given.evaluation(given, settings))


def _extra() -> None:
    """Raises EvaluationError (evaluate_missing)."""
    if not all(map(importlib.util.find_spec, ("matplotlib", "scipy"))):
        raise EvaluationError(
            "evaluate_missing", "the extra is not installed: pip install 'lookgate[evaluate]'"
        )


def _nets(settings: Settings) -> tuple[See, Embedder]:
    from server.frames.look import load_see

    return load_see(settings.models_dir, settings.embedder)


def _added(settings: Settings) -> tuple[str, ...]:
    from server.frames.look import votes

    return votes(settings.models_dir)


def _policy(given: argparse.Namespace, settings: Settings) -> Policy:
    return policies.changed(
        POLICIES["standard"], match_score=settings.match_score, file=given.policy
    )


def _match(given: argparse.Namespace, settings: Settings) -> int:
    listing = identities(given.dir)
    table = given.groups or given.dir / GROUPS
    by = groups(table) if given.groups or table.is_file() else {}
    policy = _policy(given, settings)
    _extra()
    from server.tools.evaluation import match, report

    see, embedder = _nets(settings)
    cache = Cache(given.cache, version("match", embedder.model_id, *_added(settings)))
    views = functools.partial(_views, see=see)
    files = _looked(listing, views, Acquired.from_json, cache, given.jobs)
    found = match.evaluate(
        listing,
        files,
        policy=policy,
        embedder=embedder.model_id,
        enroll=given.enroll,
        probe=given.probe,
        groups=by,
    )
    return _tell(found, given.out, report)


def _liveness(given: argparse.Namespace, settings: Settings) -> int:
    listing = framed(begun(presentations(given.dir), given.begin), given.framing)
    table = given.groups or given.dir / GROUPS
    by = groups(table) if given.groups or table.is_file() else {}
    policy = _policy(given, settings)
    _extra()
    from server.tools.evaluation import cues, report
    from server.tools.evaluation.liveness import evaluate as liveness
    from server.tools.evaluation.liveness import origins, refit
    from server.tools.evaluation.play import play, still

    known = origins.origins(given.dir)
    if given.leave_out and not known:
        raise EvaluationError(
            "sources_missing",
            f"to leave sources out, {given.dir / origins.MANIFEST} needs the columns"
            f" {', '.join(origins.COLUMNS)}",
        )
    see, embedder = _nets(settings)

    def values(part: Listing, policy: Policy, what: str) -> list[tuple[Item, Value, str]]:
        def judge(item: Item) -> Value:
            if item.still:
                return still(item, see, policy)
            return play(item, see, policy, embedder.dimensions)

        said = version(
            "liveness", embedder.model_id, policy.fingerprint(), *_added(settings), session=True
        )
        return _looked(part, judge, cues.slim, Cache(given.cache, said), given.jobs, what)

    found = values(listing, policy, "files")
    left_out = None
    if given.leave_out:
        again, policies = [], {}
        for source, part, fitted in refit.without_each(policy, found, known):
            again += values(Listing(part, ()), fitted, f"files of {source or 'no source'}")
            policies[source] = fitted
        left_out = liveness.LeftOut(again, policies)
    about = liveness.About(known, by, left_out)
    return _tell(liveness.evaluate(listing, found, policy=policy, about=about), given.out, report)


def _calibrate(given: argparse.Namespace, settings: Settings) -> int:
    policy = _policy(given, settings)
    _extra()
    from server.tools.evaluation import calibrate

    found = calibrate.calibrate(
        [calibrate.read(path) for path in given.report],
        policy,
        target_fmr=given.target_fmr,
        target_apcer=given.target_apcer,
    )
    given.out.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", "utf-8")
    for name, claim in found["calibration"].items():
        said = f"{name} <= {claim['target']:g} at 95 %, on data {claim['data']}, n = {claim['n']}"
        print(f"{said}: {json.dumps(claim)}")
    print(given.out)
    return 0


def _views(item: Item, see: See) -> Value:
    return acquire(item, see).to_json()


def _looked(
    listing: Listing,
    do: Callable[[Item], Value],
    made: Callable[[Value], Kept],
    cache: Cache,
    jobs: int,
    what: str = "files",
) -> list[tuple[Item, Kept, str]]:
    """What each file gave, from the cache or now; of that, only what `made` leaves is held."""
    progress = Progress(len(listing.items), what)

    def one(item: Item) -> tuple[Kept, str, bool]:
        try:
            sha256 = digest(item.path)
        except OSError:
            return made(do(item)), "", True  # says by itself that the file cannot be read
        key = item.key(sha256)
        value = cache.get(key)
        known = value is not None
        if value is None:
            value = do(item)
            cache.put(key, value)
        return made(value), sha256, known

    found = []
    for item, (kept, sha256, known) in each(one, listing.items, jobs):
        progress.step(known=known)
        found.append((item, kept, sha256))
    progress.end()
    return found


def _tell(found: Any, out: Path | None, report: Any) -> int:
    print(report.text(found))
    if out is not None:
        report.write(found, out)
        print(f"\n{out / 'report.json'}\n{out / 'report.html'}")
    return 0
