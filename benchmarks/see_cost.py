"""What one call of see() costs, and how much of that is the nets.

    python benchmarks/see_cost.py [--clip cap12] [--seconds 20] [--size 640x480] [--models DIR]

Plays a real recording through see() with a session's schedule and prints one table. Times are of
this thread alone; `nets` is the time inside the Run, everything else is what see() adds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.frame import Frame
from pipeline.nets import Floats
from pipeline.nets.ort import SPECS, Nets
from pipeline.observation import Ask
from pipeline.see import see
from tests.clips import cache_dir, clip

FPS = 15.0
DETECT_S, SPOOF_S, EMBED_S = 0.5, 0.25, 0.33
"""The session's schedule: seconds between runs; the mesh runs on every frame."""


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


def play(clip_frames: list[Frame], run: Timed) -> tuple[list[float], float]:
    """Seconds of each see(), and this thread's CPU seconds altogether."""
    last = dict.fromkeys(("detect", "spoof", "embed"), -1e9)
    roi, times = None, []
    cpu = time.thread_time()
    for frame in clip_frames:
        now = frame.arrival_s
        due = {
            name: roi is None or now - last[name] >= every - 1e-6
            for name, every in (("detect", DETECT_S), ("spoof", SPOOF_S), ("embed", EMBED_S))
        }
        ask = Ask(due["detect"], roi, 0.35 if due["embed"] else None, due["spoof"])
        start = time.perf_counter()
        face = see(frame, ask, run).face
        times.append(time.perf_counter() - start)
        roi = face.roi if face else None
        last.update({name: now for name, asked in due.items() if asked})
    return times, time.thread_time() - cpu


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
    print(f"CPU: {cpu_s / count * 1e3:.2f} ms a frame, {cpu_s / (count / FPS):.3f} cores a session")


if __name__ == "__main__":
    main()
