"""What one call of see() costs, and how much of that is the nets.

    python -m benchmarks.see_cost [--clip cap12] [--seconds 20] [--size 640x480] [--models DIR]

Plays a real recording to real sessions, one login after the other, and prints two tables: what each
net and each look around the face costs, and what sessions cost. Times are CPU of this thread alone;
`nets` is the time inside the Run, everything else is what see() adds. What a login costs beside
see() is measured by benchmarks/cost.py.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from models.clips import cache_dir, clip
from pipeline.frame import Frame, Reference
from pipeline.inputs import Seen
from pipeline.nets import Floats, Run, embed, iris
from pipeline.nets.mesh import landmarks
from pipeline.nets.ort import SPECS, Nets
from pipeline.observation import Ask, Tracks
from pipeline.policy import POLICIES, Policy
from pipeline.reasons import Purpose
from pipeline.see import see
from pipeline.session import SessionPipeline
from pipeline.sight import motion, patch
from pipeline.sight.detail import detail
from pipeline.sight.edges import edges
from pipeline.sight.glow import glow
from pipeline.sight.mouth import mouth
from pipeline.sight.tint import tint
from pipeline.template import Gallery, Template

T = TypeVar("T")

FPS = 15.0
MODEL = "see-cost"
ANYBODY = replace(POLICIES["standard"], match_score=-1.0, mismatch_score=-1.0)
"""Any face is a match: no template is needed."""
IN_DOUBT = replace(
    ANYBODY, accept_llr=1e9, accept_late_llr=1e9, reject_llr=-1e9, windows=10**6, time_limit_s=1e9
)
"""Never decides, so it looks at the eyes as often as it can."""
SCHEDULES = {"logins, one after the other": ANYBODY, "in doubt, for ever": IN_DOUBT}
REFERENCE_S = ANYBODY.window_s
"""Motion begins again with every window of evidence."""


class Timed:
    """A Run that keeps the time spent in each net."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.wall: dict[str, list[float]] = defaultdict(list)
        self.cpu: dict[str, list[float]] = defaultdict(list)
        self.cpu_s = 0.0

    def __call__(self, net: str, feed: Floats) -> tuple[Floats, ...]:
        wall, cpu = time.perf_counter(), time.thread_time()
        out = self._run(net, feed)
        spent = time.thread_time() - cpu
        self.cpu_s += spent
        self.cpu[net].append(spent)
        self.wall[net].append(time.perf_counter() - wall)
        return out


def login(started_s: float, policy: Policy = ANYBODY) -> SessionPipeline:
    """An attempt of anybody."""
    anybody = Template(MODEL, np.eye(embed.DIMENSIONS, dtype=np.float32)[:1], 1.0)
    return SessionPipeline(
        purpose=Purpose.LOGIN,
        policy=policy,
        gallery=Gallery.of([("anybody", anybody)]),
        model_id=MODEL,
        started_s=started_s,
    )


def frames(path: Path, size: tuple[int, int], seconds: float) -> list[Frame]:
    """The clip at FPS in the given size, decoded beforehand."""
    capture = cv2.VideoCapture(str(path))
    rate = capture.get(cv2.CAP_PROP_FPS) or 25.0
    out: list[Frame] = []
    for n in range(int(seconds * rate)):
        ok, image = capture.read()
        if not ok:
            break
        if n / rate >= len(out) / FPS:
            at = len(out) / FPS
            out.append(Frame(np.ascontiguousarray(cv2.resize(image, size)), len(out), at, at))
    return out


def play(
    clip_frames: list[Frame], run: Timed, policy: Policy = ANYBODY
) -> tuple[list[float], float]:
    """Seconds of each see(), and the CPU seconds of this thread in all of them: of sessions, one
    after the other, with what they ask for."""
    session, reference = login(0.0, policy), Reference()
    times, cpu_s = [], 0.0
    for picture in clip_frames:
        if session.over:
            session, reference = login(picture.arrival_s, policy), Reference()
        ask = session.ask()
        start, cpu = time.perf_counter(), time.thread_time()
        frame = reference.attach(picture)
        seen = see(frame, ask, run)
        reference.keep(frame, ask)
        cpu_s += time.thread_time() - cpu
        times.append(time.perf_counter() - start)
        session.receive(Seen(seen))
    return times, cpu_s


def looks(clip_frames: list[Frame], run: Run) -> dict[str, list[float]]:
    """CPU seconds of each look around the face, twice a second."""
    spent: dict[str, list[float]] = defaultdict(list)

    def clock(name: str, look: Callable[..., T], *args: Any) -> T:
        cpu = time.thread_time()
        out = look(*args)
        spent[name].append(time.thread_time() - cpu)
        return out

    begun: tuple[Frame, Tracks] | None = None
    for frame in clip_frames[:: int(FPS / 2)]:
        face = see(frame, Ask(detect=True), run).face
        seen = None if face is None else landmarks(frame.image, face.roi, run)
        if seen is None:
            continue
        image, mesh = frame.image, seen.points_px
        clock("edges", edges, image, mesh)
        clock("mouth", mouth, image, mesh)
        clock("detail", detail, image, mesh)
        near = clock("cut for glow and tint", patch.near, image, mesh)
        if near is not None:
            clock("glow", glow, near, mesh)
            clock("tint", tint, near, mesh)
        clock("eyes (both)", iris.openness, image, mesh, run)
        if begun is not None and frame.arrival_s - begun[0].arrival_s < REFERENCE_S:
            clock("motion: follow", motion.follow, image, mesh, begun[0].image, begun[1])
        elif (begin := clock("motion: begin", motion.start, image, mesh)) is not None:
            begun = frame, begin.tracks
    return spent


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", default="cap12")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--models", type=Path, default=cache_dir().parent / "models")
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    nets = Nets(args.models)
    nets.warm_up()
    clip_frames = frames(clip(args.clip), (width, height), args.seconds)
    play(clip_frames[:15], Timed(nets))
    run = Timed(nets)
    times, cpu_s = play(clip_frames, run)
    count = len(times)
    wall = sum(times) / sum(sum(t) for t in run.wall.values())
    print(f"{args.clip} at {args.size}, {count} frames, {count / FPS:.1f} s of video\n")
    print("| net | runs | median ms | ms a frame |\n|---|---|---|---|")
    for name in SPECS:
        t = run.cpu.get(name, [])
        if t:
            print(f"| {name} | {len(t)} | {np.median(t) * 1e3:.2f} | {sum(t) / count * 1e3:.2f} |")
    print(f"| nets | | | {run.cpu_s / count * 1e3:.2f} |")
    print(f"| see() | {count} | | {cpu_s / count * 1e3:.2f} |\n")
    print(f"see() over nets: {wall:.2f} (wall), {cpu_s / run.cpu_s:.2f} (CPU)")
    print(f"{cpu_s / (count / FPS):.3f} cores a session\n")
    print("| look | median CPU ms |\n|---|---|")
    for name, spent in looks(clip_frames, nets).items():
        print(f"| {name} | {np.median(spent) * 1e3:.2f} |")
    print("\n| schedule | cores a session |\n|---|---|")
    for name, policy in SCHEDULES.items():
        _, cpu_s = play(clip_frames, Timed(nets), policy)
        print(f"| {name} | {cpu_s / (count / FPS):.3f} |")


if __name__ == "__main__":
    main()
