"""How often living people are refused and attacks let in: real clips through `see` and a session.

    python -m benchmarks.liveness [--data ../shared/data] [--models DIR] [--cache DIR]

Plays every film of the manifest, resampled and through VP8, into the session that the server runs,
with any face counted as a match, and prints the errors with their intervals, what each cue is
worth, and which files failed. The policy's constants were fitted on a set that holds these clips;
`refitted` leaves one source out and fits the two logistic cues on the others. Tables:
docs/liveness.md.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from benchmarks.liveness_clips import Clip, NoClips, Seen, clips, fitted, forget, stills, version
from benchmarks.liveness_numbers import auc, fit, rate
from models.manifest import default_dir
from pipeline.decision import Evidence, Stand, liveness_sum
from pipeline.events import Decided, Hinted, PhaseChanged
from pipeline.frame import Frame
from pipeline.nets.ort import Nets, NetUnusable
from pipeline.observation import Ask
from pipeline.policy import POLICIES, Policy
from pipeline.reasons import Phase, Purpose, Reason
from pipeline.see import see
from pipeline.session import SessionPipeline
from pipeline.template import Gallery, Template

GROUPS = ("webcam", "studio", "nuaa", "print", "replay", "deepfake")
POLICY = replace(POLICIES["standard"], match_score=-1.0, mismatch_score=-1.0)
"""Anybody's face is a match: these are errors of liveness."""
WATCHING = replace(
    POLICY,
    settle_s=POLICY.window_s,
    windows=10**6,
    time_limit_s=1e9,
    required=(),
    reject_llr=-1e9,
    accept_llr=1e9,
    accept_late_llr=1e9,
    spoof_strong=-1e9,
    bezel_strong=1e9,
    plane_ratio=-1.0,
    frozen_step=-1.0,
    frozen_s=1e9,
    frozen_wobble=-1.0,
    loop_ratio=-1.0,
)
"""Never ends: every window of 3 s is measured to its end, for AUC, coverage and fits."""
MEASURES: dict[str, Callable[[Evidence], float | None]] = {
    "spoof": lambda row: row.numbers.get("margin"),
    "bezel": lambda row: _minus(row.numbers.get("second_edge")),
    "background": lambda row: row.numbers.get("stays"),
    "glow": lambda row: _minus(row.numbers.get("log_ratio")),
    "micro": lambda row: row.numbers.get("eye_change"),
    "plane": lambda row: row.numbers.get("ratio"),
    "blink": lambda row: None if row.reason == "too_few_samples" else float(row.stand is Stand.FOR),
}
"""What each cue measured in a window, the larger the livelier; None where it is unknown."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session about one clip ended."""

    phase: Phase | None
    """None: the clip was over before the session was."""
    reasons: tuple[Reason, ...]
    took_s: float | None
    """From the first usable frame of the window that decided to the verdict."""
    since_first_s: float | None
    """From the first usable frame of the clip to the verdict."""
    rows: list[Evidence]
    ends: list[list[Evidence]]
    """The tables of windows that ended undecided."""
    hints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All that one clip gave."""

    clip: Clip
    outcomes: dict[str, Outcome]
    """By the number of windows allowed: first, retry, all."""
    windows: list[list[Evidence]]
    """The tables at the end of every 3 s."""


def anybody() -> Gallery:
    """Somebody to be matched."""
    return Gallery.of([("x", Template("x", np.eye(128, dtype=np.float32)[:1], 1.0))])


def play(seen: Seen, policy: Policy) -> Outcome:
    """One session over the clip's frames, as the server runs it."""
    session = SessionPipeline(
        purpose=Purpose.LOGIN, policy=policy, gallery=anybody(), model_id="x", started_s=0.0
    )
    reference = first_s = window_s = None
    decided, hints, ends, at_s = None, [], [], 0.0
    for seq, at_s in enumerate(seen.times_s):
        ask = session.ask()
        events = session.step(seen.observe(seq, ask, reference))
        if ask.motion and ask.tracks is None:
            reference = seq
        for event in events:
            match event:
                case PhaseChanged(Phase.GATHERING):
                    window_s = at_s
                    first_s = at_s if first_s is None else first_s
                case PhaseChanged(Phase.FRAMING) if window_s is not None:
                    # Else a break in continuity, whose window was never whole.
                    if at_s - window_s >= policy.window_s:
                        ends.append(session.evidence())
                case Hinted(hint) if hint is not None:
                    hints.append(hint.value)
                case Decided():
                    decided = event
        if session.over:
            break
    done = decided is not None
    return Outcome(
        phase=decided.phase if decided else None,
        reasons=decided.reasons if decided else (),
        took_s=at_s - window_s if done and window_s is not None else None,
        since_first_s=at_s - first_s if done and first_s is not None else None,
        rows=session.evidence(),
        ends=ends,
        hints=tuple(dict.fromkeys(hints)),
    )


def judge(seen: Seen, policy: Policy) -> dict[str, Outcome]:
    """With one window, two, and as many as the policy has."""
    counts = {"first": 1, "retry": 2, "all": policy.windows}
    return {name: play(seen, replace(policy, windows=n)) for name, n in counts.items()}


def measured(seen: Seen) -> list[list[Evidence]]:
    """The table at the end of each whole window."""
    return play(seen, WATCHING).ends


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
    """The policy with the two logistic cues fitted together on these clips, the rest as it is. The
    windows of a clip share a weight of 1; the bezel keeps its share of the offset, which clips it.
    Raises ValueError without people or attacks."""
    samples: list[tuple[list[float], bool, float]] = []
    for report in reports:
        pairs = [(value(rows, "spoof"), value(rows, "bezel")) for rows in report.windows]
        known = [
            [margin, max(edge, -POLICY.bezel_most)]
            for margin, edge in pairs
            if margin is not None and edge is not None
        ]
        samples += [(both, report.clip.live, 1 / len(known)) for both in known]
    (gain, edge_gain), offset = fit(samples)
    return replace(
        POLICY,
        spoof_gain=gain,
        spoof_offset=offset - POLICY.bezel_offset,
        bezel_gain=-edge_gain,
    )


def value(rows: Sequence[Evidence], cue: str) -> float | None:
    """What a cue measured in a window, larger for live; None where unknown."""
    return next((MEASURES[cue](row) for row in rows if row.cue == cue), None)


def _minus(number: float | None) -> float | None:
    return None if number is None else -number


def _number(rows: Sequence[Evidence], cue: str, name: str) -> float | None:
    return next((row.numbers.get(name) for row in rows if row.cue == cue), None)


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
            cells.append(rate(sum(known), len(known)) + (f" ({silent} silent)" if silent else ""))
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
    for cue in MEASURES:
        by: dict[str, list[float]] = defaultdict(list)
        seen = Counter[str]()
        for report in reports:
            for rows in report.windows:
                seen[report.clip.group] += 1
                found = value(rows, cue)
                if found is not None:
                    by[report.clip.group].append(found)
        cells = [_two(auc(by[a], by[b])) for a, b in pairs]
        people = [v for g in GROUPS[:3] for v in by[g]]
        attacks = [v for g in GROUPS[3:5] for v in by[g]]
        known = f"{len(people)}/{sum(seen[g] for g in GROUPS[:3])} live, "
        known += f"{len(attacks)}/{sum(seen[g] for g in GROUPS[3:5])} attack"
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
    kinds = ("cutout_still", "print_still", "screen_still")
    print("\n| still | anti-spoof LLR of one frame, `+` for live |\n|---|---|")
    for kind in kinds:
        said = []
        for path in stills(data, kind):
            image = cv2.imread(str(path))
            if image is None:
                continue
            ask = Ask(detect=True, spoof=True)
            face = see(Frame(fitted(image.astype(np.uint8)), 0, 0.0, 0.0), ask, nets).face
            if face is None or face.spoof_margin is None or face.spoof_crop is None:
                said.append("no face")
            elif face.spoof_crop < POLICY.spoof_crop:
                said.append("too tight")
            else:
                margin = max(-8.0, min(8.0, face.spoof_margin))
                said.append(f"{POLICY.spoof_gain * margin + POLICY.spoof_offset:+.1f}")
        print(f"| {kind} | {' '.join(said)} |")


def main(argv: Sequence[str] | None = None) -> int:
    """Play, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--models", type=Path, default=default_dir())
    parser.add_argument("--cache", type=Path, default=default_dir().parent / "liveness")
    parser.add_argument("--only", default="", help="clips with this in their name")
    args = parser.parse_args(argv)
    try:
        found = [clip for clip in clips(args.data) if args.only in clip.name]
        nets = Nets(args.models)
    except (NoClips, NetUnusable) as problem:
        print(f"nothing measured: {problem}", file=sys.stderr)
        return 2
    now = version(args.models)
    args.cache.mkdir(parents=True, exist_ok=True)
    forget(args.cache, now)
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
    print(
        f"{len(found)} clips of {len(people)} people from {len(sources)} sources; VP8 {KBPS_TEXT}"
    )
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


KBPS_TEXT = "600 kbit/s, 15 frames/s (slow clips: their own)"

if __name__ == "__main__":
    sys.exit(main())
