"""Every table of errors again, from one command: `make accuracy DATA=DIR`.

    python -m benchmarks.accuracy.run DIR [--framings as_is,z] [--jobs 1] [--cache DIR]

DIR has live/, attack/, pairs/ (one folder per identity) and manifest.csv. What `see` answered is
kept, so a run that was stopped goes on where it was, and a change of policy alone takes seconds.
Writes summary.json beside this file and the tables of docs/liveness.md and docs/evaluation.md, and
says which verdicts moved. Not here: counting (tables.py), playing (benchmarks/liveness.py).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import cv2

from benchmarks.accuracy.blocks import PAGES, ROOT, filled
from benchmarks.accuracy.summary import ACCEPTED, FILE, Film, Summary, moved
from benchmarks.accuracy.tables import blocks
from benchmarks.liveness import POLICY, Report, judge, play, refitted
from benchmarks.liveness_clips import Clip, NoClips, Seen, clips, version
from models.manifest import default_dir
from pipeline.decision import liveness_sum
from pipeline.nets.ort import Nets, NetUnusable
from pipeline.policy import POLICIES, Policy
from pipeline.see import see
from server.tools.evaluation.cache import Value
from server.tools.evaluation.cues import window
from server.tools.evaluation.folder import AS_IT_IS, CUT, digest, fingerprint, presentations
from server.tools.evaluation.liveness.presented import stills as shown
from server.tools.evaluation.liveness.refit import FITTED
from server.tools.evaluation.play import Outcome, rows, still, watching
from server.tools.evaluation.work import Progress

BEGIN_S = (3.0, 5.0, 7.0)
POOLS = ((3, 3), (2, 2), (1, 1))
"""Pictures a template and a probe."""
ID = 10
"""Hex digits of a file's hash."""

# Workers: one process each, with nets of its own

_NETS: list[Nets] = []


def _open(models: Path) -> None:
    cv2.setNumThreads(1)
    _NETS[:] = [Nets(models)]


def _look(clip: Clip, cache: Path, now: str) -> tuple[Report, float | None]:
    """What a clip gave, and S of its first whole window."""
    seen = Seen(clip, _NETS[0], cache, now)
    tables = play(seen, watching(POLICY)).windows
    report = Report(clip, judge(seen, POLICY), [window(rows(table)) for table in tables])
    seen.save()
    return report, liveness_sum(tables[0]) if tables else None


def _again(job: tuple[Clip, Policy], cache: Path, now: str) -> dict[str, Outcome]:
    seen = Seen(job[0], _NETS[0], cache, now)
    outcomes = judge(seen, job[1])
    seen.save()
    return outcomes


# One framing


def _said(outcome: Outcome) -> str:
    if outcome.phase is None:
        return "over"
    why = [] if outcome.phase.value == ACCEPTED else [reason.value for reason in outcome.reasons]
    return " ".join([outcome.phase.value, *why])


def _label(clip: Clip) -> str:
    if clip.live or clip.group == CUT:
        return "live" if clip.live else CUT
    return clip.name.split("/")[1]


def _film(report: Report, left: dict[str, Outcome], known: dict[str, int], s: float | None) -> Film:
    clip, last = report.clip, report.outcomes["all"]
    values: dict[str, list[float]] = {}
    for each in report.windows:
        for cue, value in each.items():
            if value is not None:
                values.setdefault(cue, []).append(value)
    return Film(
        id=digest(clip.path)[:ID] + clip.item.suffix,
        group=clip.group,
        label=_label(clip),
        framing=clip.framing,
        person=known[f"person {clip.person}"],
        source=known[f"source {clip.source}"],
        said={name: _said(outcome) for name, outcome in report.outcomes.items()},
        left_out={name: _said(outcome) for name, outcome in left.items()},
        s=None if s is None else round(s, 3),
        since_first_s=None if last.since_first_s is None else round(last.since_first_s, 3),
        gathered=last.gathered,
        windows=len(report.windows),
        known={cue: len(found) for cue, found in sorted(values.items())},
        cues={cue: round(median(found), 3) for cue, found in sorted(values.items())},
        llr={row.cue: round(row.llr, 2) for row in last.rows if row.llr},
        hints=list(last.hints),
    )


def _numbers(found: Sequence[Clip]) -> dict[str, int]:
    """A number for each person and source, in order of their names."""
    people = sorted({clip.person for clip in found})
    sources = sorted({clip.source for clip in found})
    names = [*(f"person {p}" for p in people), *(f"source {s}" for s in sources)]
    return {name: names.index(name) for name in names}


def _played(
    found: Sequence[Clip], pool: ProcessPoolExecutor, cache: Path, now: str
) -> tuple[list[Film], dict[str, list[float]]]:
    """The films, and the range of each refitted field."""
    progress, looks = Progress(len(found), "films"), []
    for look in pool.map(partial(_look, cache=cache, now=now), found):
        looks.append(look)
        progress.step()
    progress.end()
    jobs: list[tuple[Clip, Policy]] = []
    fits: list[Policy] = []
    for out in sorted({clip.source for clip in found}):
        try:
            fits.append(refitted([r for r, _ in looks if r.clip.source != out]))
        except ValueError as problem:
            print(f"no refit without {out}: {problem}", file=sys.stderr)
            continue
        jobs += [(clip, fits[-1]) for clip in found if clip.source == out]
    again, left = Progress(len(jobs), "films, refitted"), {}
    for (clip, _), outcomes in zip(
        jobs, pool.map(partial(_again, cache=cache, now=now), jobs), strict=True
    ):
        left[clip.name] = outcomes
        again.step()
    again.end()
    numbers = _numbers(found)
    films = [_film(r, left.get(r.clip.name, {}), numbers, s) for r, s in looks]
    ranges = {name: sorted(getattr(policy, name) for policy in fits) for name in FITTED}
    spread = {name: [round(v[0], 3), round(v[-1], 3)] for name, v in ranges.items() if v}
    return sorted(films, key=lambda film: (film.group, film.id)), spread


# Stills and matching


def _stills(data: Path, nets: Nets) -> dict[str, list[int]]:
    """Label -> wrong, judged, all."""
    policy = POLICIES["standard"]
    values: list[tuple[Any, Value, str]] = [
        (item, still(item, lambda frame, ask: see(frame, ask, nets), policy), "")
        for item in presentations(data).items
        if item.still
    ]
    found: dict[str, list[int]] = {}
    for one in shown(values, policy):
        count = found.setdefault(one.item.label, [0, 0, 0])
        judged = one.passed is not None
        bad = judged and one.passed is (one.item.label != "live")
        found[one.item.label] = [count[0] + bad, count[1] + judged, count[2] + 1]
    return dict(sorted(found.items(), key=lambda pair: (pair[0] != "live", pair[0])))


def _rate(said: dict[str, Any]) -> str:
    low, high = 100 * said["low"], 100 * said["high"]
    if said["rate"] is None:
        return "-"
    return f"{100 * said['rate']:.2f} % [{low:.2f}, {high:.2f}] ({said['count']:g}/{said['n']})"


def _column(name: str, one: dict[str, Any], whole: dict[str, Any] | None) -> dict[str, str]:
    genuine, impostor, at = one["genuine"], one["impostor"], one["at_policy"]
    found = {
        "name": name,
        "genuine trials": f"{genuine['n']}",
        "impostor trials (pairs of people)": f"{impostor['n']} ({one['identity_pairs']})",
        "genuine mean, 1 % below": f"{genuine['mean']:.3f}, {genuine['p01']:.3f}",
        "impostor mean, 1 % above": f"{impostor['mean']:.3f}, {impostor['p99']:.3f}",
        "EER": _rate({**one["eer"], "count": one["eer"]["count"]}).rsplit(" (", 1)[0],
        f"FMR at {at['threshold']:.2f}": _rate(at["fmr"]),
        f"FNMR at {at['threshold']:.2f}": _rate(at["fnmr"]),
    }
    for target, said in one["fnmr_at_fmr"].items():
        star = "" if said["supported"] else " *"
        text = _rate(said).rsplit(" (", 1)[0]
        found[f"FNMR at FMR {target} (threshold)"] = f"{text} ({said['threshold']:.3f}){star}"
    if whole is not None:
        found["failure to enrol"] = _rate(whole["failure_to_enroll"])
        found["rank 1"] = _rate(whole["identification"]["rank_1"])
        found["DIR by the policy"] = _rate(whole["identification"]["at_policy"]["dir"])
    return found


def _matching(data: Path, cache: Path, models: Path) -> list[dict[str, str]]:
    """As `lookgate evaluate match` says it."""
    columns = []
    for enroll, probe in POOLS:
        with tempfile.TemporaryDirectory() as out:
            command = [sys.executable, "-m", "server.commands.main", "evaluate", "match"]
            command += [str(data / "pairs"), "--out", out, "--jobs", "1", "--cache", str(cache)]
            command += ["--enroll", str(enroll), "--probe", str(probe)]
            told = {**os.environ, "LOOKGATE_MODELS_DIR": str(models)}
            subprocess.run(command, check=True, env=told, stdout=subprocess.DEVNULL)
            found = json.loads((Path(out) / "report.json").read_text("utf-8"))
        if not columns:
            columns.append(_column("single images", found["single"], None))
        columns.append(_column(f"templates {enroll}/{probe}", found["templates"], found))
    return [columns[0], *reversed(columns[1:])]


# All of it


def _written(summary: Summary, before: Summary | None) -> None:
    FILE.write_text(summary.text(), "utf-8")
    tables = blocks(summary)
    for page in PAGES:
        path = ROOT / page
        path.write_text(filled(path.read_text("utf-8"), tables), "utf-8")
    for name, lines in tables.items():
        print(f"\n**{name}**\n")
        print("\n".join(lines))
    print("\nVerdicts that moved against the committed summary:")
    print("\n".join((before and moved(before, summary)) or ["none"]))


def main(argv: Sequence[str] | None = None) -> int:
    """Play, count, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, metavar="DIR")
    parser.add_argument("--framings", default="as_is,z", help="without z it takes half the time")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--models", type=Path, default=default_dir())
    parser.add_argument("--cache", type=Path, default=default_dir().parent / "liveness")
    args = parser.parse_args(argv)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    before = Summary.read(FILE.read_text("utf-8")) if FILE.is_file() else None
    films: list[Film] = []
    fits: dict[str, list[float]] = {}
    try:
        nets = Nets(args.models)
        whole = clips(args.data, BEGIN_S)
        now = version(args.models)
        with ProcessPoolExecutor(args.jobs, initializer=_open, initargs=(args.models,)) as pool:
            for framing in args.framings.split(","):
                shown_so = AS_IT_IS if framing == "as_is" else framing
                part = [replace(clip, framing=shown_so) for clip in whole]
                more, spread = _played(part, pool, args.cache, now)
                films += more
                fits = fits or spread
    except (NoClips, NetUnusable) as problem:
        print(f"nothing measured: {problem}", file=sys.stderr)
        return 2
    summary = Summary(
        data=fingerprint((clip.name, digest(clip.path)) for clip in whole),
        policy=POLICIES["standard"].fingerprint(),
        made=datetime.now(UTC).date().isoformat(),
        fits=fits,
        matching=_matching(args.data, args.cache.parent / "evaluation", args.models),
        stills=_stills(args.data, nets),
        films=films,
    )
    _written(summary, before)
    return 0


if __name__ == "__main__":
    sys.exit(main())
