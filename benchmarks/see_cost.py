"""What one call of see() costs, and how much of that is the nets.

    python -m benchmarks.see_cost [--clip cap12] [--seconds 20] [--size 640x480] [--models DIR]

Plays a real recording through see() with a session's schedule and prints two tables: what each net
and each look around the face costs, and what schedules of them cost a session. Times are of this
thread alone; `nets` is the time inside the Run, everything else is what see() adds.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from models.clips import cache_dir, clip
from pipeline.frame import Frame, Reference
from pipeline.nets import Floats, Run, iris
from pipeline.nets.mesh import landmarks
from pipeline.nets.ort import SPECS, Nets
from pipeline.observation import Ask, Tracks
from pipeline.policy import POLICIES
from pipeline.see import see
from pipeline.sight import motion, patch
from pipeline.sight.edges import edges
from pipeline.sight.glow import glow
from pipeline.sight.mouth import mouth
from pipeline.sight.tint import tint

T = TypeVar("T")

FPS = 15.0
POLICY = POLICIES["standard"]
LIVENESS = {
    "detect": POLICY.detect_period_s, "spoof": POLICY.spoof_period_s,
    "edges": POLICY.edges_period_s, "glow": POLICY.edges_period_s,
    "mouth": POLICY.edges_period_s, "motion": POLICY.motion_period_s,
}  # fmt: skip
EMBED = {"embed": POLICY.embed_period_s}
EYES = {"eyes": POLICY.eyes_period_s}
TINT = {"tint": 0.0}
"""The session's schedule: seconds between runs; the mesh runs on every frame."""
BASE = {name: every for name, every in LIVENESS.items() if name in ("detect", "spoof")} | EMBED
SCHEDULES = {
    "mesh, detector, anti-spoof": {name: BASE[name] for name in ("detect", "spoof")},
    "liveness: and edges, glow, mouth, motion": LIVENESS,
    "a session: and embeddings": LIVENESS | EMBED,
    "in doubt: and eyes": LIVENESS | EMBED | EYES,
    "light challenge: and tint on every frame": LIVENESS | EMBED | EYES | TINT,
}
ASKS = ("spoof", "edges", "glow", "mouth", "eyes", "tint", "motion")
REFERENCE_S = POLICY.window_s
"""Motion begins again with every window of evidence."""


class Timed:
    """A Run that keeps the time spent in each net."""

    def __init__(self, run: Nets) -> None:
        self._run = run
        self.wall: dict[str, list[float]] = defaultdict(list)
        self.cpu_s = 0.0

    def __call__(self, net: str, feed: Floats) -> tuple[Floats, ...]:
        wall, cpu = time.perf_counter(), time.thread_time()
        out = self._run(net, feed)
        self.cpu_s += time.thread_time() - cpu
        self.wall[net].append(time.perf_counter() - wall)
        return out


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
    clip_frames: list[Frame], run: Timed, periods: dict[str, float] | None = None
) -> tuple[list[float], float]:
    """Seconds of each see(), and this thread's CPU seconds altogether."""
    periods = BASE if periods is None else periods
    last: dict[str, float] = {}
    reference, tracks, begun_s = Reference(), None, 0.0
    roi, times = None, []
    cpu = time.thread_time()
    for picture in clip_frames:
        now = picture.arrival_s
        due = {
            name for name, every in periods.items() if now - last.get(name, -1e6) >= every - 0.02
        }
        if now - begun_s >= REFERENCE_S:
            tracks = None
        ask = Ask(
            detect=roi is None or "detect" in due,
            roi=roi,
            embed_above=0.35 if "embed" in due else None,
            tracks=tracks,
            **{name: name in due for name in ASKS},
        )
        start = time.perf_counter()
        frame = reference.attach(picture)
        face = see(frame, ask, run).face
        reference.keep(frame, ask)
        times.append(time.perf_counter() - start)
        roi = face.roi if face else None
        if face is not None and face.motion is not None:
            begun_s = now if tracks is None else begun_s
            tracks = face.motion.tracks
        last.update(dict.fromkeys(due, now))
    return times, time.thread_time() - cpu


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
    count, total = len(times), sum(times)
    bare = sum(sum(t) for t in run.wall.values())
    print(f"{args.clip} at {args.size}, {count} frames, {count / FPS:.1f} s of video\n")
    print("| net | runs | median ms | ms a frame |\n|---|---|---|---|")
    for name in SPECS:
        t = run.wall.get(name, [])
        if t:
            print(f"| {name} | {len(t)} | {np.median(t) * 1e3:.2f} | {sum(t) / count * 1e3:.2f} |")
    print(f"| nets | | | {bare / count * 1e3:.2f} |")
    print(f"| see() | {count} | {np.median(times) * 1e3:.2f} | {total / count * 1e3:.2f} |\n")
    print(f"see() over nets: {total / bare:.2f} (wall), {cpu_s / run.cpu_s:.2f} (CPU)")
    print(
        f"CPU: {cpu_s / count * 1e3:.2f} ms a frame, {cpu_s / (count / FPS):.3f} cores a session\n"
    )
    print("| look | median CPU ms |\n|---|---|")
    for name, spent in looks(clip_frames, nets).items():
        print(f"| {name} | {np.median(spent) * 1e3:.2f} |")
    print("\n| schedule | cores a session |\n|---|---|")
    for name, periods in SCHEDULES.items():
        _, cpu_s = play(clip_frames, Timed(nets), periods)
        print(f"| {name} | {cpu_s / (count / FPS):.3f} |")


if __name__ == "__main__":
    main()
