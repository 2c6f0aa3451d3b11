"""How many people one server carries at once, and what happens when more come.

    python -m benchmarks.capacity [--levels 1,2,4,8,16,32] [--seconds 30] [--runs 3] [--burn 0.5]
        [--processes N] [--cores 0,1] [--max-sessions N] [--set NAME=VALUE] [--stages]
        [--films FOLDER] [--json FILE] [--markdown] [--write FILE]

Each run starts a server of its own on loopback. Nothing is asserted here (check.py does).
docs/benchmarks.md has the method.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks import numbers
from benchmarks.capacity import run, tables
from benchmarks.capacity.cast import Cast, of_folder, recorded
from benchmarks.capacity.figures import Level, by_callers
from benchmarks.capacity.run import Plan
from benchmarks.login import processor
from benchmarks.serving import ServerFailed, end_when_told
from server.cpus import allowed, usable
from server.tools.caller.http_caller import HeadlessError
from server.tools.clips import MediaError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.capacity", description=(__doc__ or "").split("\n", 1)[0]
    )
    add = parser.add_argument
    add("--levels", type=_numbers, default=(1, 2, 4, 8, 16, 32), help="callers at once")
    add("--seconds", type=float, default=30.0, help="in which callers begin, a level")
    add("--runs", type=int, default=3, help="each with a new server")
    add("--burn", type=float, default=0.0, help="share of every CPU that burners take")
    add("--processes", default=None, metavar="N", help="for `lookgate serve --processes`")
    add("--cores", type=_cores, default=(), help="the server's; callers have the others")
    add("--max-sessions", type=int, default=None, metavar="N", help="LOOKGATE_MAX_SESSIONS")
    add("--set", type=_setting, action="append", default=[], metavar="NAME=VALUE",
        help="another setting of the server, without its prefix")  # fmt: skip
    add("--strangers", type=float, default=0.125, help="share of attempts in another's name")
    add("--stages", action="store_true", help="clocks inside the server: CPU by part")
    add("--films", type=Path, default=None, help="a folder of films, one a person")
    add("--models", type=Path, default=None, help="folder with the nets")
    add("--json", type=Path, default=None, help="write every attempt to this file")
    add("--markdown", action="store_true", help="the short table of README only")
    add("--write", type=Path, default=None, help="put the tables between the marks of this file")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    found = tuple(int(part) for part in text.split(","))
    if min(found) < 1:
        raise ValueError
    return found


def _cores(text: str) -> tuple[int, ...]:
    found = tuple(int(part) for part in text.split(","))
    if not set(found) <= allowed():
        raise ValueError
    return found


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError
    return name.lower(), value


def section(given: argparse.Namespace, levels: dict[int, list[Level]], load: float) -> str:
    """Markdown, as docs/benchmarks.md has it."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("onnxruntime", "aiortc", "av"))
    command = " ".join(["python -m benchmarks.capacity", *given.told])
    cores = len(given.cores) or usable()
    return "\n".join(
        [
            f"{datetime.now(UTC):%d %B %Y}, `{command}`: {processor()}, {cores:g} cores, Python"
            f" {platform.python_version()}, {packages}; load average before {load:.2f}.",
            f"Median of {given.runs} runs of {given.seconds:g} s a level, and their range."
            " [What the rows mean](#how-many-people-at-once).",
            "",
            *tables.table(levels),
            *(["", "CPU ms a verdict:", "", *rows] if (rows := tables.stages(levels)) else []),
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write. 2: it could not be measured."""
    end_when_told()
    told = sys.argv[1:] if arguments is None else arguments
    given = _parser().parse_args(told)
    given.told = told
    if given.write is not None:
        numbers.replaced(given.write.read_text("utf-8"), "", tables.BEGIN, tables.END)
    load = os.getloadavg()[0]
    settings = dict(given.set)
    if given.max_sessions is not None:
        settings["max_sessions"] = str(given.max_sessions)
    plan = Plan(
        levels=given.levels, seconds=given.seconds, burn=given.burn, processes=given.processes,
        cores=given.cores, stages=given.stages, models=given.models, settings=settings,
    )  # fmt: skip
    runs = []
    try:
        run.say("encoding the films")
        people = recorded() if given.films is None else of_folder(given.films)
        gc.freeze()
        for n in range(given.runs):
            run.say(f"run {n + 1} of {given.runs}")
            with tempfile.TemporaryDirectory(prefix="lookgate-bench-") as folder:
                cast = Cast(people, given.strangers)
                runs.append(asyncio.run(run.one(plan, cast, Path(folder))))
    except (ServerFailed, HeadlessError, MediaError, subprocess.SubprocessError) as error:
        run.say(f"not measured: {error}")
        return 2
    levels = by_callers(runs)
    text = "\n".join(tables.short(levels)) if given.markdown else section(given, levels, load)
    print(text)
    if given.json is not None:
        given.json.write_text(json.dumps([[asdict(level) for level in run] for run in runs]))
    if given.write is not None:
        page = given.write.read_text("utf-8")
        given.write.write_text(numbers.replaced(page, text, tables.BEGIN, tables.END), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
