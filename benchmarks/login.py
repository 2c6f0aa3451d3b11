"""What a login takes: each stage in ms, the server's CPU and memory, the cost of a frame.

    python -m benchmarks.login [--logins 20] [--concurrent 1,4] [--memory 50] [--chromium 20]
        [--write docs/benchmarks.md]

Starts a server of its own on loopback and ends it. Nothing is asserted: the table says which goal
was missed. docs/benchmarks.md has the method; pure parts are in numbers.py.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

from benchmarks import browser, caller, numbers, see_cost, serving
from benchmarks.caller import Done, Film, Order
from benchmarks.numbers import Goal, Run, mean_ms
from benchmarks.serving import Server, ServerFailed, end_when_told
from models.clips import clip
from models.manifest import default_dir
from pipeline.nets.ort import Nets
from server import cpus
from server.memory import KEPT_S, PACE_S
from tests.e2e.cameras import SIZE

ENROLMENT, LOGIN = Film("webcam", "cap12", 0.0, 30.0), Film("webcam", "cap13", 0.0, 31.0)
"""Two recordings of one man with a webcam of old (400x300, H.264), who is a hard case: coding him
once more, as VP8, takes 3 to 4 off his anti-spoof margin and leaves it about -1."""
CLEAR_ENROLMENT = Film("clear", "franck", 0.0, 30.0)
CLEAR_LOGIN = Film("clear", "franck", 40.0, 32.0)
"""Another man, filmed well: his margin stays at 8."""
BROWSER = "Chromium, hard film"
"""The column of the real browser."""
CALLS_S = 240.0
"""The longest that one set of logins may take."""
REST_S = KEPT_S + 2 * PACE_S
"""Until the memory of ended sessions is given back."""
SEE_S = 20.0
"""Seconds of video for the cost of a frame."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of the server, 10^6 bytes."""

    started: float
    """Ready for the first session."""
    warm: float
    """After the enrolment and one login."""
    before: float
    """Before the logins that only look for growth."""
    after: float
    logins: int
    """How many those were."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of this thread alone, per frame."""

    frames: int
    see_ms: float
    nets_ms: float

    @property
    def ratio(self) -> float:
        """What see() takes over what its nets take."""
        return self.see_ms / self.nets_ms


def frame_cost(models_dir: Path) -> Cost:
    """A recording seen by real sessions (see_cost.py)."""
    nets = Nets(models_dir)
    nets.warm_up()
    pictures = see_cost.frames(clip(ENROLMENT.clip), SIZE, SEE_S)
    see_cost.play(pictures[:15], see_cost.Timed(nets))
    run = see_cost.Timed(nets)
    times, cpu_s = see_cost.play(pictures, run)
    return Cost(len(times), 1000 * cpu_s / len(times), 1000 * run.cpu_s / len(times))


def measured(server: Server, title: str, make: Callable[[], Done]) -> Run:
    """One set of logins, with what the server and the kernel counted meanwhile."""
    before, cpu_s = server.metrics(), server.cpu_s()
    done = make()
    cpu_s, after = server.cpu_s() - cpu_s, server.metrics()
    other_s = None
    if done.cpu_s is not None and done.busy_s is not None:
        other_s = max(0.0, done.busy_s - done.cpu_s - cpu_s)
    frames, dropped = (
        after[f"lookgate_frames_{name}"] - before[f"lookgate_frames_{name}"]
        for name in ("total", "dropped_total")
    )
    return Run(
        title=title,
        logins=tuple(numbers.paired(done.calls, numbers.sessions_over(server.log()))),
        wall_s=done.wall_s,
        server_cpu_s=cpu_s,
        caller_cpu_s=done.cpu_s,
        other_cpu_s=other_s,
        see_ms=mean_ms(before, after, "see"),
        frames=frames,
        dropped=dropped,
        rss_mb=server.rss_mb(),
    )


def played(server: Server, film: Film, count: int = 1, at_once: int = 1) -> Done:
    """Logins of callers that play a recording."""
    order = Order(server.url, server.secret, "login", film, count, at_once)
    return caller.run(order, CALLS_S)


def enrolled(server: Server, film: Film, at_once: int = 1) -> None:
    """Enrol those who play a film at once, one after the other. Raises ServerFailed."""
    for n in range(at_once):
        one = replace(film, subject=film.subject_of(n))
        done = caller.run(Order(server.url, server.secret, "enroll", one, 1, 1), CALLS_S)
        if done.calls[0].outcome != "accepted":
            raise ServerFailed(f"nobody is enrolled: {done.calls[0].reasons}")


def browsed(server: Server, count: int, folder: Path) -> Done:
    """Logins of a real Chromium."""
    began_s = time.monotonic()
    calls = asyncio.run(browser.logins(server, LOGIN, count, folder))
    return Done(tuple(calls), time.monotonic() - began_s)


def log_ins(given: argparse.Namespace, folder: Path) -> tuple[list[Run], Memory]:
    """Everything that needs a server. Raises ServerFailed, NoBrowser, subprocess errors."""
    runs = []
    with serving.serving(folder, given.models) as server:
        started = server.rss_mb()
        enrolled(server, ENROLMENT)
        played(server, LOGIN)
        warm = server.rss_mb()
        enrolled(server, CLEAR_ENROLMENT, max(given.concurrent))
        # The hard film is for one at a time only: its refusals lock the account, and a locked
        # account would make the other columns measure nothing.
        columns = [(f"{n} at a time", CLEAR_LOGIN, n) for n in given.concurrent]
        columns.append(("hard film, 1 at a time", LOGIN, 1))
        for title, film, at_once in columns:
            _say(f"{given.logins} logins, {title}")
            made = partial(played, server, film, given.logins, at_once)
            runs.append(measured(server, title, made))
        if given.chromium:
            _say(f"{given.chromium} logins from Chromium")
            with tempfile.TemporaryDirectory(prefix="lookgate-camera-") as scratch:
                made = partial(browsed, server, given.chromium, Path(scratch))
                runs.append(measured(server, BROWSER, made))
        before = _at_rest(server)
        if given.memory:
            _say(f"{given.memory} logins for the memory")
            played(server, CLEAR_LOGIN, given.memory, max(given.concurrent))
        return runs, Memory(started, warm, before, _at_rest(server), given.memory)


def _at_rest(server: Server) -> float:
    """Its memory once the last connection is closed."""
    time.sleep(REST_S)
    return server.rss_mb()


def goals(runs: list[Run], memory: Memory, cost: Cost) -> list[Goal]:
    """What was promised for one login at a time, and what was measured: with our own caller, and
    in the browser where one was used."""
    judged = [runs[0], *(run for run in runs if run.title == BROWSER)]
    timed = []
    for run in judged:
        first, verdict = run.first_frame, run.verdict
        timed += [
            Goal(f"POST offer → first decoded frame, p50; {run.title}", 150, first and first.p50),
            Goal(f"first frame → verdict, p50; {run.title}", 2000, verdict and verdict.p50),
            Goal(f"first frame → verdict, p95; {run.title}", 3000, verdict and verdict.p95),
        ]
    return [
        *timed,
        Goal("CPU of `see()` over CPU of its nets", 1.3, cost.ratio, 2, ""),
        Goal("resident memory after start", 350, memory.started, 0, "MB"),
        Goal(
            f"growth over {memory.logins} logins", 10,
            memory.after - memory.before if memory.logins else None, 1, "MB",
        ),
    ]  # fmt: skip


def section(
    given: argparse.Namespace, runs: list[Run], memory: Memory, cost: Cost, load: float
) -> str:
    """Markdown, as docs/benchmarks.md has it."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("onnxruntime", "aiortc", "av"))
    command = " ".join(["python -m benchmarks.login", *given.told])
    return "\n".join(
        [
            f"{datetime.now(UTC):%d %B %Y}, `{command}`: {processor()}, {_cores()} cores,"
            f" Python {platform.python_version()}, {packages}; load average before {load:.2f}.",
            "Server and callers, who encode VP8 live, share the cores. Each login starts elsewhere"
            " in the film; the hard film is a still man, 400x300 enlarged."
            " [What is measured how](#what-is-measured).",
            "",
            *numbers.goal_table(goals(runs, memory, cost)),
            "",
            *numbers.stage_table(runs),
            "",
            f"`see()` takes {cost.see_ms:.1f} ms of CPU a frame, {cost.nets_ms:.1f} of them in the"
            f" nets ({cost.frames} frames, one thread). Resident memory:"
            f" {memory.started:.0f} MB after start, {memory.warm:.0f} after the first login,"
            f" {', '.join(f'{run.rss_mb:.0f}' for run in runs)} after the columns above"
            + (
                f", {memory.after:.0f} after {memory.logins} more ({max(given.concurrent)} at a"
                " time)."
                if memory.logins
                else "."
            ),
        ]
    )


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _cores() -> int:
    return cpus.whole()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    add = parser.add_argument
    add("--logins", type=int, default=20, help="a column")
    add("--concurrent", type=_numbers, default=[1, 4], help="columns: so many at a time")
    add("--memory", type=int, default=50, help="logins at the end, for growth; 0: none")
    add("--chromium", type=int, default=0, metavar="LOGINS", help="a column from a real Chromium")
    add("--models", type=Path, default=None, help="folder with the nets")
    add("--write", type=Path, default=None, help="put the tables between the marks of this file")
    return parser


def _numbers(text: str) -> list[int]:
    found = [int(part) for part in text.split(",")]
    if min(found) < 1:
        raise ValueError
    return found


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write. 2: it could not be measured; a missed goal is no error."""
    end_when_told()
    told = sys.argv[1:] if arguments is None else arguments
    given = _parser().parse_args(told)
    given.told = told
    if given.write is not None:
        numbers.replaced(given.write.read_text("utf-8"), "")  # better now than in five minutes
    for film in (ENROLMENT, LOGIN, CLEAR_LOGIN):
        clip(film.clip)  # fetched now, not while the clock runs
    load = os.getloadavg()[0]
    _say(f"load average {load:.2f}; what a frame costs")
    cost = frame_cost(given.models or default_dir())
    try:
        with tempfile.TemporaryDirectory(prefix="lookgate-bench-") as folder:
            runs, memory = log_ins(given, Path(folder))
    except (ServerFailed, browser.NoBrowser, subprocess.SubprocessError) as error:
        _say(f"not measured: {error}")
        return 2
    text = section(given, runs, memory, cost, load)
    print(text)
    if given.write is not None:
        written = numbers.replaced(given.write.read_text("utf-8"), text)
        given.write.write_text(written, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
