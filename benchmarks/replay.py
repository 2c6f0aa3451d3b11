"""How much faster than real time a tape is played: `python -m benchmarks.replay [TAPE ...]`.

Without a tape: a synthetic login of 20 s at 15 and at 30 frames a second, at which every frame is
measured in full. Reading, checksums, parsing and the session, all included. One thread, so CPU time
is what an idle machine takes, whatever else runs on this one.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from pipeline.policy import Policy
from pipeline.reasons import Purpose
from pipeline.session import SessionPipeline
from pipeline.tape.reader import open_tape
from pipeline.tape.replay import replay
from pipeline.tape.writer import TapeWriter, taped
from tests.pipeline.observations import Camera, gallery

GOAL = 500
SECONDS = 20.0


def synthetic(folder: Path, fps: float) -> Path:
    """A login that never comes to an end: undecided windows until the time limit."""
    camera = Camera(fps=fps, now_s=100.0)
    told = {
        "purpose": Purpose.LOGIN,
        "policy": Policy(settle_s=SECONDS, window_s=SECONDS),
        "gallery": gallery(1),
        "model_id": "test",
        "started_s": 100.0,
    }
    tape = TapeWriter(folder / f"fps{fps:g}", session=told, about={}, at_s=100.0)
    session = taped(SessionPipeline(**told), tape, lambda: camera.now_s)
    session.begin()
    for n in range(int(SECONDS * fps)):
        # As a recorder writes them; the packets themselves are not read by a replay.
        tape._write(
            {
                "k": "frame",
                "t": camera.now_s,
                "n": n,
                "codec": "VP8",
                "ticks": 6000 * n,
                "size": 9000,
                "key": n == 0,
                "sha256": "0" * 16,
            }
        )
        tape._frames += 1
        session.step(camera.shot(session.ask()))
    session.cancel(camera.now_s)
    tape.close(camera.now_s)
    return tape.folder


def measure(path: Path, runs: int) -> float:
    """Real time over replay time, median."""
    times = []
    for _ in range(runs):
        began_s = time.process_time()
        result = replay(open_tape(path))
        times.append(time.process_time() - began_s)
        assert result.same, result.differences[:3]
    took_s = statistics.median(times)
    ratio = result.length_s / took_s
    print(
        f"{path.name:<14} {result.length_s:6.1f} s  {result.observations:4d} observations"
        f"  replayed in {1000 * took_s:6.1f} CPU-ms"
        f"  ({1e6 * took_s / max(1, result.observations):4.0f} us each)  {ratio:6.0f} x real time"
    )
    return ratio


def main() -> int:
    """Print a line for each tape; 1 if one is slower than the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tapes", nargs="*", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = given.tapes or [synthetic(Path(folder), fps) for fps in (15.0, 30.0)]
        slowest = min(measure(path, given.runs) for path in paths)
    print(f"goal {GOAL} x: {'met' if slowest >= GOAL else 'MISSED'}")
    return 0 if slowest >= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
