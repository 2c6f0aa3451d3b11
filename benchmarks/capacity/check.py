"""The short form that asserts: what must hold on any machine, whatever else it does.

    python -m benchmarks.capacity.check [--seconds 10] [--runs 3] [--json FILE]

Each run offers what the machine carries, twice and four times that, and the same with half of its
CPU taken. Verdicts are judged in every level of every run. Rates are compared within a run and the
median of the runs counts, with a margin: the goals are .8 and 1.8 (issue of capacity), asserted are
.7 and 1.5. Not here: the figures (figures.py), how they are measured (run.py).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.capacity import run, tables
from benchmarks.capacity.cast import Cast, recorded
from benchmarks.capacity.figures import End, Level, by_callers
from benchmarks.capacity.run import Plan
from benchmarks.serving import MODULE, ROOT, ServerFailed, end_when_told
from server.cpus import allowed
from server.tools.caller.http_caller import HeadlessError

CARRIED = 4
"""Callers for each core that a machine carries: a live session takes .16 to .19 of a core, and the
callers and the system have theirs (docs/benchmarks.md)."""
MOST_CORES = 2
"""Cores of the server here: 32 callers for four times their load are enough for one process."""
BURN = 0.5
OVER = 64
"""LOOKGATE_MAX_SESSIONS here, far above what is carried: the measuring must hold people back, not
the setting."""
STRANGERS = 0.15
LEAST = 0.7
"""Accepted a second at twice and four times the load, over the best level of the same run."""
LEAST_PROCESSES = 1.5
"""Accepted a second of two processes on two cores, over one on one core."""
NEVER = (End.WRONG_IN, End.WRONG_OUT, End.TIMEOUT, End.FAULT)

Run = Mapping[str, Sequence[Level]]
"""By part: levels in the order of their callers."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that must not be."""

    text: str

    def __str__(self) -> str:
        return self.text


def judged(runs: Sequence[Run]) -> list[Failure]:
    """What is wrong with these runs; nothing if all is well."""
    return [*_verdicts(runs), *_bending(runs), *_processes(runs)]


def _verdicts(runs: Sequence[Run]) -> list[Failure]:
    """Every attempt of every level counts: no median excuses a stranger."""
    found = []
    for n, run_of in enumerate(runs, 1):
        for part, levels in run_of.items():
            for level in levels:
                where = f"run {n}, {part}, {level.callers} at once"
                found += [
                    Failure(
                        f"{where}: {level.count(end)} of {len(level.tries)} ended {end.value}"
                        f" ({', '.join(level.reasons(end))})"
                    )
                    for end in NEVER
                    if level.count(end)
                ]
                if not level.count(End.RIGHT):
                    found.append(Failure(f"{where}: nobody got a right verdict"))
                if not any(tried.stranger and tried.end is End.RIGHT for tried in level.tries):
                    # Else nothing would say that strangers are refused.
                    found.append(Failure(f"{where}: no stranger was judged"))
    return found


def _bending(runs: Sequence[Run]) -> list[Failure]:
    found = []
    for part in (QUIET, BURNED):
        for position, load in ((1, "twice"), (2, "four times")):
            shares = [_share(run_of[part], position) for run_of in runs if part in run_of]
            if not shares:
                found.append(Failure(f"{part} was not measured"))
            elif (share := statistics.median(shares)) < LEAST:
                each = ", ".join(f"{one:.2f}" for one in shares)
                found.append(
                    Failure(
                        f"{part}, {load} the load: {share:.2f} of the best level's logins ({each})"
                        f" where {LEAST} are asked for"
                    )
                )
    return found


def _share(levels: Sequence[Level], position: int) -> float:
    best = max(level.accepted_per_s for level in levels)
    return levels[position].accepted_per_s / best if best else 0.0


def _processes(runs: Sequence[Run]) -> list[Failure]:
    if not any(ONE in run_of or TWO in run_of for run_of in runs):
        return []
    ratios = []
    for run_of in runs:
        one, two = (
            max((level.accepted_per_s for level in run_of.get(part, ())), default=0.0)
            for part in (ONE, TWO)
        )
        ratios.append(two / one if one else 0.0)
    ratio = statistics.median(ratios)
    if ratio >= LEAST_PROCESSES:
        return []
    each = ", ".join(f"{each:.2f}" for each in ratios)
    text = f"two processes on two cores: {ratio:.2f} of one on one core ({each})"
    return [Failure(f"{text} where {LEAST_PROCESSES} are asked for")]


QUIET, BURNED = "alone", "half the CPU taken"
ONE, TWO = "one process, one core", "two processes, two cores"


def plans(seconds: float, cores: Sequence[int], *, processes: bool) -> dict[str, Plan]:
    """What one run measures."""
    mine = tuple(cores[:MOST_CORES])
    carried = CARRIED * len(mine)
    settings = {"max_sessions": str(OVER)}

    def loads(base: int) -> tuple[int, ...]:
        return (base, 2 * base, 4 * base)

    found = {
        QUIET: Plan(loads(carried), seconds, cores=mine, settings=settings),
        BURNED: Plan(
            loads(round(carried * (1 - BURN))), seconds, burn=BURN, cores=mine, settings=settings
        ),
    }
    if processes and len(mine) > 1:
        # Callers share the server's cores in both: else one core would be its own and two not.
        for part, count in ((ONE, 1), (TWO, 2)):
            found[part] = Plan(
                (CARRIED * 2 * count,), seconds, processes=str(count), cores=mine[:count],
                share_cores=True, settings=settings,
            )  # fmt: skip
    return found


def knows_processes() -> bool:
    """Whether `lookgate serve` has `--processes`."""
    command = [sys.executable, "-m", MODULE, "serve", "--help"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return "--processes" in told.stdout


async def _measured(wanted: Mapping[str, Plan], cast: Cast) -> Run:
    found = {}
    for part, plan in wanted.items():
        run.say(part)
        with tempfile.TemporaryDirectory(prefix="lookgate-check-") as folder:
            found[part] = await run.one(plan, cast, Path(folder))
    return found


def main(arguments: list[str] | None = None) -> int:
    """Measure and judge. 1: something must not be; 2: it could not be measured."""
    end_when_told()
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="a level")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, default=None, help="write every attempt to this file")
    given = parser.parse_args(arguments)
    try:
        wanted = plans(given.seconds, sorted(allowed()), processes=knows_processes())
        run.say(f"measured: {', '.join(wanted)}")
        cast = Cast(recorded(), STRANGERS)
        gc.freeze()
        runs = [asyncio.run(_measured(wanted, cast)) for _ in range(given.runs)]
    except (ServerFailed, HeadlessError, subprocess.SubprocessError) as error:
        run.say(f"not measured: {error}")
        return 2
    for part in wanted:
        print(f"\n{part}\n")
        print("\n".join(tables.table(by_callers([run_of[part] for run_of in runs]))))
    if given.json is not None:
        parts = [
            {part: [asdict(level) for level in levels] for part, levels in run_of.items()}
            for run_of in runs
        ]
        given.json.write_text(json.dumps(parts))
    failures = judged(runs)
    for failure in failures:
        print(f"NOT AS IT MUST BE: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
