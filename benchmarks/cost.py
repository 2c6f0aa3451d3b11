"""What a login costs, in CPU of one thread: films decoded, converted, seen, judged by a session.

    python -m benchmarks.cost [--against FOLDER] [--rounds 3] [--fps 15] [--models DIR]

Thirteen passages, eight of a man filmed well and five of a hard case, 640x480 at 15 frames/s, coded
once as VP8 at 1.4 Mbit/s. Any face is a match. No network and no event loop: what those cost is
measured by benchmarks/login.py. `--against` is another working tree of this project: the same films
are played by its code too, by turns and in the same minutes, and the ratio is printed. `--fps`:
the frames that are looked at; all are decoded.
"""

from __future__ import annotations

import argparse
import json
import pickle
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from statistics import median

import av
import cv2

from benchmarks.see_cost import Timed, login
from models.manifest import default_dir
from pipeline.frame import Reference
from pipeline.inputs import Seen
from pipeline.nets.ort import SPECS, Nets
from pipeline.see import see
from server.frames.convert import to_frame
from server.settings.load import child_environ
from tests.e2e.cameras import FPS, SIZE, person

ROOT = Path(__file__).resolve().parents[1]
PASSAGES = [("franck", 40.0 + 2.5 * n) for n in range(8)] + [("cap13", 3.8 * n) for n in range(5)]
"""Clip and start, seconds: as the logins of benchmarks/login.py lie in the two recordings."""
SECONDS = 12.0
KBPS = 1400
CODER = {
    "quality": "realtime", "speed": "-8", "lag-in-frames": "0", "threads": "1",
    "error-resilient": "1", "g": "3000",
}  # fmt: skip
"""As a WebRTC sender encodes. One thread and one speed: the same bytes every time."""

Coded = list[bytes]


def coded(name: str, start_s: float) -> Coded:
    """A passage as VP8, one packet a frame."""
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = *SIZE, "yuv420p"
    encoder.bit_rate, encoder.framerate = KBPS * 1000, Fraction(FPS)
    encoder.time_base, encoder.options, encoder.thread_count = Fraction(1, FPS), CODER, 1
    packets: Coded = []
    for n, image in enumerate(person(name, start_s=start_s, seconds=SECONDS)):
        picture = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format="yuv420p")
        picture.pts, picture.time_base = n, Fraction(1, FPS)
        packets += [bytes(packet) for packet in encoder.encode(picture)]
    return packets


def attempt(packets: Coded, run: Timed, fps: float) -> tuple[str, Counter[str]]:
    """One login: how it ended, and what it took: CPU seconds by stage, runs by net, frames."""
    spent: Counter[str] = Counter()
    session, reference = login(0.0), Reference()
    clock, due_s, next_s = time.thread_time, 0.0, 0.0
    outcome = "film over"
    for seq, picture in enumerate(_decoded(packets, spent)):
        at_s = seq / FPS
        if at_s < next_s - 0.5 / FPS:
            continue
        ask = session.ask()
        if at_s < getattr(ask, "not_before_s", due_s):
            continue
        next_s = max(next_s + 1 / fps, at_s)
        began = clock()
        frame = to_frame(picture, seq, at_s, at_s)
        converted = clock()
        in_nets = run.cpu_s
        frame = reference.attach(frame)
        obs = see(frame, ask, run)
        reference.keep(frame, ask)
        seen = clock()
        events = session.receive(Seen(obs))
        in_nets = run.cpu_s - in_nets
        spent["convert"] += converted - began
        spent["nets"] += in_nets
        spent["see without nets"] += seen - converted - in_nets
        spent["session"] += clock() - seen
        spent["seen"] += 1
        if session.over:
            outcome = " ".join([session.phase.value, *events[-1].reasons])
            spent["seconds"] += at_s
            break
    return outcome, spent


def _decoded(packets: Coded, spent: Counter[str]) -> Iterator[av.VideoFrame]:
    decoder = av.CodecContext.create("vp8", "r")
    decoder.thread_count = 1
    for packet in packets:
        began = time.thread_time()
        pictures = decoder.decode(av.Packet(packet))
        spent["decode"] += time.thread_time() - began
        spent["decoded"] += 1
        yield from pictures


def played(films: Sequence[Coded], models: Path, fps: float) -> tuple[list[str], dict[str, float]]:
    """Every film once, after one that does not count: outcomes, and totals as `attempt` has them,
    with those of each net: its CPU seconds by name, its runs as "runs: name"."""
    nets = Nets(models)
    nets.warm_up()
    attempt(films[0], Timed(nets), fps)
    run, total, outcomes = Timed(nets), Counter[str](), []
    for packets in films:
        outcome, spent = attempt(packets, run, fps)
        outcomes.append(outcome)
        total.update(spent)
    for net, times in run.cpu.items():
        total[net] = sum(times)
        total[f"runs: {net}"] = len(times)
    return outcomes, dict(total)


def table(before: dict[str, float], after: dict[str, float] | None, films: int) -> Iterator[str]:
    """Rows in ms a login; the second tree's beside them."""
    both = [before] if after is None else [after, before]
    titles = ["ms a login"] if after is None else ["ms a login there", "here"]
    yield f"| | {' | '.join(titles)} |\n|---|{'---|' * len(both)}"
    for name in ("decode", "convert", *SPECS, "nets", "see without nets", "session"):
        cells = []
        for one in both:
            runs = one.get(f"runs: {name}")
            count = "" if runs is None else f" ({runs / films:.1f} runs)"
            cells.append(f"{1000 * one.get(name, 0.0) / films:.1f}{count}")
        yield f"| {name} | {' | '.join(cells)} |"
    yield f"| **all** | {' | '.join(f'**{_ms(one) / films:.0f}**' for one in both)} |"
    for name in ("decoded", "seen", "seconds"):
        yield f"| {name} | {' | '.join(f'{one.get(name, 0) / films:.1f}' for one in both)} |"
    for one, title in zip(both, ("there", "here") if after else ("here",), strict=True):
        ratio = (one["nets"] + one["see without nets"]) / one["nets"]
        yield f"\nsee() over its nets, {title}: {ratio:.2f}"


def _ms(one: dict[str, float]) -> float:
    return 1000 * sum(
        one[name] for name in ("decode", "convert", "nets", "see without nets", "session")
    )


def _elsewhere(tree: Path, films: Path, args: argparse.Namespace) -> tuple[list[str], dict]:
    """The same by the code of a working tree, in a process of its own."""
    environ = {**child_environ(), "PYTHONPATH": str(tree)}
    command = [sys.executable, "-m", "benchmarks.cost", "--films", str(films)]
    command += ["--models", str(args.models), "--fps", str(args.fps)]
    made = subprocess.run(
        command, cwd=tree, env=environ, check=True, text=True, stdout=subprocess.PIPE
    )
    outcomes, total = json.loads(made.stdout)
    return outcomes, total


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--against", type=Path, help="another working tree")
    parser.add_argument("--rounds", type=int, default=3, help="the median counts")
    parser.add_argument("--fps", type=float, default=FPS)
    parser.add_argument("--models", type=Path, default=default_dir())
    parser.add_argument("--films", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    if args.films is not None:
        print(json.dumps(played(pickle.loads(args.films.read_bytes()), args.models, args.fps)))
        return
    with tempfile.TemporaryDirectory(prefix="lookgate-cost-") as folder:
        path = Path(folder) / "films"
        path.write_bytes(pickle.dumps([coded(*passage) for passage in PASSAGES]))
        trees = [tree for tree in (args.against, ROOT) if tree is not None]
        done = [[_elsewhere(tree, path, args) for tree in trees] for _ in range(args.rounds)]
    count = len(PASSAGES)
    middle = [sorted((row[n] for row in done), key=lambda one: _ms(one[1]))[len(done) // 2]
              for n in range(len(trees))]  # fmt: skip
    here = middle[-1][1]
    print("\n".join(table(here, middle[0][1] if args.against else None, count)))
    spread = ["-".join(f"{_ms(row[n][1]) / count:.0f}" for row in done) for n in range(len(trees))]
    print(f"\n{count} logins, {args.rounds} rounds: {', '.join(spread)} ms")
    if args.against:
        ratios = [_ms(row[1][1]) / _ms(row[0][1]) for row in done]
        print(f"here over there: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    for passage, *outcomes in zip(PASSAGES, *(one[0] for one in middle), strict=True):
        print(*passage, " | ".join(outcomes))


if __name__ == "__main__":
    main()
