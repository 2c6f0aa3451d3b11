"""How much faster than real time a tape is played: `python -m benchmarks.replay [TAPE ...]`.

Without a tape: a synthetic login at 15 and at 30 frames a second whose evidence stays undecided
until the third window ends, the longest way that a session has to judge. The standard policy asks,
and everything that it asks for is measured: as on tapes of real logins. Opening, checksums,
parsing, the session and comparing, all included. CPU time of one thread. The goal is judged by the
best of the runs, which is nearest to what a machine takes that does nothing else, as caches are
shared (cf. the standard library's timeit); the median says how far that is from what was to be had.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.inputs import Began, Seen
from pipeline.observation import Motion, Tracks
from pipeline.policy import POLICIES
from pipeline.reasons import Purpose
from pipeline.tape.reader import open_tape
from pipeline.tape.replay import replay
from pipeline.tape.writer import TapedSession, TapeWriter
from tests.pipeline.observations import Camera, gallery

GOAL = 300
UNDECIDED = -4.0
"""Anti-spoof margin that no window accepts and none refuses before its end."""


@dataclass
class Followed(Camera):
    """A camera whose points are found elsewhere in each frame: they are on a tape every time."""

    def _motion(self, tracks: Tracks | None) -> Motion:
        motion = super()._motion(tracks)
        by_px = np.float32(0.1) * self._rng.standard_normal((60, 2)).astype(np.float32)
        now_px = motion.tracks.reference_px + by_px
        return replace(motion, tracks=replace(motion.tracks, now_px=now_px))


def synthetic(folder: Path, fps: float) -> Path:
    """A login that proves nothing, until it is refused for that."""
    camera = Followed(fps=fps, now_s=100.0, margin=UNDECIDED)
    told = {
        "purpose": Purpose.LOGIN,
        "policy": POLICIES["standard"],
        "gallery": gallery(1),
        "model_id": "test",
        "started_s": 100.0,
    }
    tape = TapeWriter(folder / f"fps{fps:g}", session=told, about={}, at_s=100.0)
    session = TapedSession(tape, lambda: camera.now_s, **told)
    session.receive(Began())
    while not session.over:
        # As a recorder writes them; the packets themselves are not read by a replay.
        tape._write(
            {
                "k": "frame",
                "t": camera.now_s,
                "n": tape._frames,
                "codec": "VP8",
                "ticks": 6000 * tape._frames,
                "size": 9000,
                "key": tape._frames == 0,
                "sha256": "0" * 16,
            }
        )
        tape._frames += 1
        session.receive(Seen(camera.shot(session.ask())))
    tape.close(camera.now_s)
    return tape.folder


def measure(path: Path, runs: int) -> float:
    """Real time over replay time in the best run; prints the median as well."""
    times = []
    for _ in range(runs):
        began_s = time.process_time()
        result = replay(open_tape(path))
        times.append(time.process_time() - began_s)
        if not result.same:
            raise SystemExit(f"{path.name}: other events than recorded; what a policy changed?")
    best, median = (result.length_s / s for s in (min(times), statistics.median(times)))
    each_us = 1e6 * min(times) / max(1, result.observations)
    print(
        f"{path.name:<16} {result.length_s:5.1f} s  {result.observations:4d} observations"
        f"  best {each_us:4.0f} us each, {best:5.0f} x real time  median {median:5.0f} x"
        f"  goal of {GOAL} x: {'met' if best >= GOAL else 'MISSED'}"
    )
    return best


def main() -> int:
    """Print a line for each tape; 1 if one is slower than the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tapes", nargs="*", type=Path)
    parser.add_argument("--runs", type=int, default=15)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = given.tapes or [synthetic(Path(folder), fps) for fps in (15.0, 30.0)]
        return 0 if min([measure(path, given.runs) for path in paths]) >= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
