"""How often living people are refused and attacks let in: real clips through `see` and a session.

    python -m benchmarks.liveness [--data ../shared/data] [--models DIR] [--cache DIR]
        [--begin 3,5,7] [--framing z]

Plays every film of the manifest as `lookgate evaluate liveness` does (server/tools/evaluation/;
needs its extra), each replay begun at the given seconds as well (`replay_cut`). It prints the
errors with their intervals by kind of camera and number of windows, what each cue is worth, and
which files failed. The policy's constants were fitted on a set that holds these clips; `refitted`
leaves one source out and fits the two logistic cues on the others. Tables: docs/liveness.md.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import cv2

from benchmarks.liveness_clips import Clip, NoClips, Seen, clips, stills, version
from models.manifest import default_dir
from pipeline.decision import Stand, liveness_sum
from pipeline.nets.ort import Nets, NetUnusable
from pipeline.observation import Ask
from pipeline.policy import POLICIES, Policy
from pipeline.reasons import Phase, Reason
from pipeline.see import see
from server.tools.evaluation import vp8
from server.tools.evaluation.command import seconds
from server.tools.evaluation.cues import BLINK, MEASURES, Window, window
from server.tools.evaluation.folder import AS_IT_IS, FRAMINGS
from server.tools.evaluation.liveness.refit import refitted as refit
from server.tools.evaluation.play import Outcome, Player, deciding, rows, still, watching
from server.tools.evaluation.statistics import auc, exact

GROUPS = ("webcam", "studio", "nuaa", "print", "replay", "replay_cut", "deepfake", "talking")
POLICY = deciding(POLICIES["standard"])
"""Anybody's face is a match: these are errors of liveness."""
DIMENSIONS = 128
"""Of SFace's embeddings (docs/models.md), which are compared with nobody's."""


@dataclass(frozen=True, slots=True)
class Report:
    """All that one clip gave."""

    clip: Clip
    outcomes: dict[str, Outcome]
    """By the number of windows allowed: first, retry, all."""
    windows: list[Window]
    """What was measured in every 3 s, for AUC, coverage and fits."""


def play(seen: Seen, policy: Policy) -> Outcome:
    """One session over the clip's frames, as the server runs it."""
    player, reference = Player(policy, DIMENSIONS), None
    for seq in range(len(seen.times_s)):
        ask = player.session.ask()
        player.take(seen.observe(seq, ask, reference))
        if ask.motion and ask.tracks is None:
            reference = seq
        if player.session.over:
            break
    return player.outcome()


def judge(seen: Seen, policy: Policy) -> dict[str, Outcome]:
    """With one window, two, and as many as the policy has."""
    counts = {"first": 1, "retry": 2, "all": policy.windows}
    return {name: play(seen, replace(policy, windows=n)) for name, n in counts.items()}


def measured(seen: Seen) -> list[Window]:
    """What the cues found in each whole window."""
    return [window(rows(table)) for table in play(seen, watching(POLICY)).windows]


# Workers: one process each, with nets of its own

_NETS: list[Nets] = []


def _open(models: Path) -> None:
    cv2.setNumThreads(1)
    _NETS[:] = [Nets(models)]


def _first_look(clip: Clip, cache: Path, now: str) -> Report:
    seen = Seen(clip, _NETS[0], cache, now)
    report = Report(clip, judge(seen, POLICY), measured(seen))
    seen.save()
    return report


def _again(job: tuple[Clip, Policy], cache: Path, now: str) -> tuple[str, dict[str, Outcome]]:
    clip, policy = job
    seen = Seen(clip, _NETS[0], cache, now)
    outcomes = judge(seen, policy)
    seen.save()
    return clip.name, outcomes


# Fitting


def refitted(reports: Sequence[Report]) -> Policy:
    """The policy with the two logistic cues fitted on these clips. Raises ValueError without people
    or attacks."""
    films = [("live" if r.clip.live else r.clip.group, r.windows) for r in reports]
    return refit(POLICY, films)


# Printing


def error(clip: Clip, outcome: Outcome) -> bool | None:
    """Whether a session ended wrongly; None if it had nothing to judge: a clip that is too short,
    or pictures that could not be used (ISO/IEC 30107-3: a non-response)."""
    if outcome.phase is Phase.ACCEPTED:
        return not clip.live
    if not clip.live:
        return False
    return True if Reason.LIVENESS in outcome.reasons else None


def errors(
    title: str, outcomes: Sequence[tuple[Clip, dict[str, Outcome]]], tries: Sequence[str]
) -> None:
    """The table of the errors."""
    said = {"first": "first window", "retry": "one retry", "all": f"{POLICY.windows} windows"}
    print(f"\n**{title}**\n")
    print("| | " + " | ".join(f"{g} {_kind(g)}" for g in GROUPS) + " |")
    print("|---" * (len(GROUPS) + 1) + "|")
    for name in tries:
        cells = []
        for group in GROUPS:
            wrong = [error(c, o[name]) for c, o in outcomes if c.group == group]
            known = [w for w in wrong if w is not None]
            silent = len(wrong) - len(known)
            rate = f"{exact(sum(known), len(known))}"
            cells.append(rate + (f", {silent} silent" if silent else ""))
        print(f"| {said[name]} | " + " | ".join(cells) + " |")


def _kind(group: str) -> str:
    return "BPCER" if group in ("webcam", "studio", "nuaa") else "APCER"


def files(outcomes: Sequence[tuple[Clip, dict[str, Outcome]]], name: str) -> None:
    """What went wrong, by file."""
    for clip, by in outcomes:
        outcome = by[name]
        wrong = error(clip, outcome)
        if wrong is False:
            continue
        kind = "silent" if wrong is None else "error"
        end = "clip over" if outcome.phase is None else outcome.phase.value
        why = ",".join(reason.value for reason in outcome.reasons)
        weak = " ".join(
            f"{row.cue}={row.llr:+.1f}" if row.llr else f"{row.cue}:{row.reason}"
            for row in outcome.rows
            if row.stand is not Stand.FOR or row.llr
        )
        total = f"S {liveness_sum(outcome.rows):+.2f}" if outcome.rows else "no usable frame"
        print(f"- {kind} {clip.name}: {end} {why}; {total}; {weak} {list(outcome.hints)}")


def cues(reports: Sequence[Report]) -> None:
    """AUC and coverage of every cue over all windows of 3 s."""
    pairs = (("webcam", "replay"), ("nuaa", "print"))
    print("\n| cue | " + " | ".join(f"AUC {a} / {b}" for a, b in pairs) + " | AUC all | known |")
    print("|---|---|---|---|---|")
    for cue in (*MEASURES, BLINK):
        by: dict[str, list[float]] = defaultdict(list)
        seen = Counter[str]()
        for report in reports:
            for each in report.windows:
                seen[report.clip.group] += 1
                found = each.get(cue)
                if found is not None:
                    by[report.clip.group].append(found)
        cells = [_two(auc(by[a], by[b])) for a, b in pairs]
        people = [v for g in GROUPS[:3] for v in by[g]]
        attacks = [v for g in GROUPS[3:6] for v in by[g]]
        known = f"{len(people)}/{sum(seen[g] for g in GROUPS[:3])} live, "
        known += f"{len(attacks)}/{sum(seen[g] for g in GROUPS[3:6])} attack"
        print(f"| {cue} | {' | '.join(cells)} | {_two(auc(people, attacks))} | {known} |")


def _two(number: float) -> str:
    return "-" if math.isnan(number) else f"{number:.2f}"


def costs(seen: Seen, nets: Nets, count: int = 40) -> None:
    """What each measurement adds to see(), and to a second of a session at 15 frames/s."""
    rates = {
        "spoof": 1 / POLICY.spoof_period_s, "edges": 1 / POLICY.edges_period_s,
        "glow": 1 / POLICY.edges_period_s, "motion": 1 / POLICY.motion_period_s,
        "eyes": 1 / POLICY.eyes_period_s,
    }  # fmt: skip
    took: dict[str, list[float]] = defaultdict(list)
    roi = tracks = reference = None
    for seq in range(min(count, len(seen.times_s))):
        frame = seen.frame(seq, reference)
        bare = Ask(detect=roi is None, roi=roi)
        asks = {
            "mesh": bare,
            "spoof": replace(bare, spoof=True),
            "edges": replace(bare, edges=True),
            "glow": replace(bare, glow=True),
            "motion": replace(bare, motion=True, tracks=tracks),
            "eyes": replace(bare, eyes=True),
        }
        for what, ask in asks.items():
            began_s = time.perf_counter()
            face = see(frame, ask, nets).face
            took[what].append(time.perf_counter() - began_s)
            if what == "mesh" and face is not None:
                roi = face.roi
            if what == "motion" and face is not None and face.motion is not None:
                reference = seq if tracks is None else reference
                tracks = face.motion.tracks
    base = median(took["mesh"][1:])
    print("\n| measurement | ms a run | times a second | cores |\n|---|---|---|---|")
    print(f"| mesh and look | {base * 1e3:.1f} | 15 | {base * 15:.3f} |")
    for what, often in rates.items():
        more = median(b - a for a, b in zip(took["mesh"][1:], took[what][1:], strict=True))
        print(f"| {what} | {more * 1e3:.1f} | {often:.1f} | {more * often:.3f} |")


def pictures(data: Path, nets: Nets) -> None:
    """The vote on pictures of attacks of which there is no film: one frame, not a session."""
    print("\n| still | anti-spoof LLR of one frame, `+` for live |\n|---|---|")
    for kind in ("cutout_still", "print_still", "screen_still"):
        values = [
            still(item, lambda frame, ask: see(frame, ask, nets), POLICY)
            for item in stills(data, kind)
        ]
        said = [v["failure"] or f"{v['rows'][0]['llr']:+.1f}" for v in values]
        print(f"| {kind} | {' '.join(said)} |")


def main(argv: Sequence[str] | None = None) -> int:
    """Play, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--models", type=Path, default=default_dir())
    parser.add_argument("--cache", type=Path, default=default_dir().parent / "liveness")
    parser.add_argument("--begin", type=seconds, default=(3.0, 5.0, 7.0), metavar="S,S")
    parser.add_argument("--framing", choices=FRAMINGS, default=AS_IT_IS)
    parser.add_argument("--only", default="", help="clips with this in their name")
    args = parser.parse_args(argv)
    try:
        found = [
            clip for clip in clips(args.data, args.begin, args.framing) if args.only in clip.name
        ]
        nets = Nets(args.models)
    except (NoClips, NetUnusable) as problem:
        print(f"nothing measured: {problem}", file=sys.stderr)
        return 2
    now = version(args.models)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(2, initializer=_open, initargs=(args.models,)) as pool:
        look = partial(_first_look, cache=args.cache, now=now)
        reports = list(pool.map(look, found))
        sources = sorted({clip.source for clip in found})
        jobs: list[tuple[Clip, Policy]] = []
        try:
            for out in sources:
                policy = refitted([r for r in reports if r.clip.source != out])
                jobs += [(clip, policy) for clip in found if clip.source == out]
        except ValueError as problem:
            print(f"no refit: {problem}", file=sys.stderr)
            jobs = []
        again = dict(pool.map(partial(_again, cache=args.cache, now=now), jobs))
    people = {clip.person for clip in found}
    print(f"{len(found)} clips of {len(people)} people from {len(sources)} sources; ", end="")
    print(f"VP8 {vp8.KBPS} kbit/s, {vp8.FPS} frames/s (slow clips: their own)")
    fixed = [(r.clip, r.outcomes) for r in reports]
    tries = ("first", "retry", "all")
    errors("The policy's constants (fitted on a set that holds these clips)", fixed, tries)
    took = [o["first"].took_s for c, o in fixed if c.live and o["first"].phase is Phase.ACCEPTED]
    known = [t for t in took if t is not None]
    if known:
        print(f"\nmedian decision {median(known):.2f} s after the first usable frame", end="")
        print(f" (live, first window, n = {len(known)}; most {max(known):.2f} s)")
    print("\nBy file, all windows:\n")
    files(fixed, "all")
    print("\nBy file, first window:\n")
    files(fixed, "first")
    if again:
        left = [(clip, again[clip.name]) for clip in found]
        errors("Leave-one-source-out refit of spoof and bezel", left, tries)
        print("\nBy file, all windows:\n")
        files(left, "all")
        gains = [(p.spoof_gain, p.spoof_offset, p.bezel_gain) for _, p in jobs]
        spread = [f"{min(g):.2f}..{max(g):.2f}" for g in zip(*gains, strict=True)]
        names = ("spoof_gain", "spoof_offset", "bezel_gain")
        print("\nrefits: " + ", ".join(f"{n} {s}" for n, s in zip(names, spread, strict=True)))
    cues(reports)
    pictures(args.data, nets)
    webcam = next((clip for clip in found if clip.group == "webcam"), found[0])
    costs(Seen(webcam, nets, args.cache, now), nets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
