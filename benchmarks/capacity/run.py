"""One run: a server, people enrolled, and one level after the other measured.

Not here: what callers do (callers.py), options and output (__main__.py), asserting (check.py).
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.capacity import staged
from benchmarks.capacity.callers import crowd
from benchmarks.capacity.cast import Cast, Part, enrolled
from benchmarks.capacity.figures import End, Level
from benchmarks.capacity.machine import Clocks, burning
from benchmarks.serving import MODULE, Server, serving
from server.cpus import allowed

SAMPLE_S = 0.25
"""Between two looks at the memory."""
REST_S = 2.0
EMPTY_S = 40.0
"""The longest that a server may keep a session after its caller has left."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure."""

    levels: tuple[int, ...]
    seconds: float
    burn: float = 0.0
    processes: str | None = None
    """As `lookgate serve --processes` takes it; None: the option is not given."""
    cores: tuple[int, ...] = ()
    """Of the server; empty: all."""
    share_cores: bool = False
    """Callers have the server's cores in place of the others."""
    stages: bool = False
    models: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


async def one(plan: Plan, cast: Cast, folder: Path) -> list[Level]:
    """A new server, and all levels. Raises ServerFailed, HeadlessError, subprocess errors."""
    quiet()
    every = allowed()
    arguments = [] if plan.processes is None else ["--processes", plan.processes]
    module = staged.__name__ if plan.stages else MODULE
    with serving(
        folder, plan.models, module=module, arguments=arguments, cores=plan.cores, **plan.settings
    ) as server:
        mine = plan.cores if plan.share_cores else (every - set(plan.cores)) or every
        os.sched_setaffinity(0, mine or every)
        try:
            people = await enrolled(server, cast.people)
            parts = Cast(people, cast.strangers).parts()
            with burning(plan.cores or every, plan.burn) as burners:
                return [
                    await _level(server, parts, callers, plan.seconds, burners)
                    for callers in plan.levels
                ]
        finally:
            os.sched_setaffinity(0, every)


async def _level(
    server: Server, parts: Iterator[Part], callers: int, seconds: float, burners: Collection[int]
) -> Level:
    await _empty(server)
    rest_mb = peak_mb = server.rss_mb()

    async def look() -> None:
        nonlocal peak_mb
        while True:
            peak_mb = max(peak_mb, server.rss_mb())
            await asyncio.sleep(SAMPLE_S)

    before, began = await _counted(server), Clocks.now(server, burners)
    looking = asyncio.create_task(look())
    tries = await crowd(server, parts, callers, seconds)
    took, staged_s = Clocks.now(server, burners).since(began), await _counted(server)
    looking.cancel()
    await _empty(server)
    after = await _counted(server)
    frames, dropped = (
        after.get(f"lookgate_frames_{name}", 0.0) - before.get(f"lookgate_frames_{name}", 0.0)
        for name in ("total", "dropped_total")
    )
    mark = staged.NAME + '{part="'
    level = Level(
        callers=callers,
        seconds=seconds,
        tries=tries,
        wall_s=took.wall,
        server_cpu_s=took.server,
        caller_cpu_s=took.callers,
        burned_cpu_s=took.burned,
        other_cpu_s=took.others,
        frames=frames,
        dropped=dropped,
        rest_mb=rest_mb,
        peak_mb=peak_mb,
        after_mb=server.rss_mb(),
        stages={
            name[len(mark) : -len('"}')]: spent_s - before.get(name, 0.0)
            for name, spent_s in staged_s.items()
            if name.startswith(mark)
        },
    )
    ends = ", ".join(f"{level.count(end)} {end}" for end in End if level.count(end))
    say(f"{callers} at once: {level.accepted_per_s:.2f} accepted a second; {ends}")
    return level


def quiet() -> None:
    """Say nothing of callers' connections that end under way, in the running event loop."""
    asyncio.get_running_loop().set_exception_handler(_hang_up)


def _hang_up(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The stack's tasks of a connection that ended under way are nobody's to await."""
    if not isinstance(context.get("exception"), ConnectionError):
        loop.default_exception_handler(context)


async def _counted(server: Server) -> dict[str, float]:
    return await asyncio.to_thread(server.metrics)


async def _empty(server: Server) -> None:
    """Until no session is left, and a little longer."""
    deadline_s = time.monotonic() + EMPTY_S
    while time.monotonic() < deadline_s:
        if not (await _counted(server)).get("lookgate_sessions_active"):
            break
        await asyncio.sleep(SAMPLE_S)
    await asyncio.sleep(REST_S)


def say(text: str) -> None:
    """How far it is, beside the results."""
    print(text, file=sys.stderr, flush=True)
