"""A server with clocks inside: `lookgate serve` that tells on /metrics where its CPU goes.

    python -m benchmarks.capacity.staged serve

Adds `lookgate_bench_cpu_seconds{part="..."}`: CPU of each kind of thread, of each net, and of SRTP;
and `lookgate_bench_tasks`: tasks of the event loop.
One process only. Not here: what is made of it (tables.py). The product knows nothing of it.
Source: clock_gettime(2), CLOCK_THREAD_CPUTIME_ID and pthread_getcpuclockid(3).
"""

from __future__ import annotations

import asyncio
import functools
import re
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import pylibsrtp

from pipeline.nets.ort import Nets
from server.commands.main import main
from server.metrics import Family, Metrics

NAME = "lookgate_bench_cpu_seconds"
TASKS = "lookgate_bench_tasks"
KINDS = (
    ("see", re.compile(r"^see")),
    ("decode", re.compile(r"decoder")),
    ("loop", re.compile(r"^MainThread$")),
    ("store", re.compile(r"connection_worker|sqlite", re.IGNORECASE)),
)
"""Threads by name; others are `other threads`."""


class Clocks:
    """CPU seconds by part."""

    def __init__(self) -> None:
        self._spent: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    def add(self, part: str, seconds: float) -> None:
        """Count more."""
        with self._lock:
            self._spent[part] += seconds

    def timed(self, part: Callable[..., str], call: Callable[..., Any]) -> Callable[..., Any]:
        """`call`, counted under what `part` says of its arguments."""

        @functools.wraps(call)
        def timing(*args: Any, **named: Any) -> Any:
            began_s = time.thread_time()
            try:
                return call(*args, **named)
            finally:
                self.add(part(*args), time.thread_time() - began_s)

        return timing

    def now(self) -> dict[str, float]:
        """By part, threads that live included."""
        with self._lock:
            found = defaultdict(float, self._spent)
        for thread in threading.enumerate():
            if thread.ident is not None and thread.is_alive():
                clock = time.pthread_getcpuclockid(thread.ident)
                found[kind(thread.name)] += time.clock_gettime(clock)
        known = sum(spent for part, spent in found.items() if not part.startswith(("net ", "srtp")))
        found["threads of libraries"] = max(0.0, time.process_time() - known)
        return dict(found)


def kind(thread: str) -> str:
    """Of a thread by its name."""
    found = (part for part, pattern in KINDS if pattern.search(thread))
    return next(found, "other threads")


def families(spent: Mapping[str, float], tasks: int) -> tuple[Family, ...]:
    """As metrics of the server."""
    rows = tuple((f'{NAME}{{part="{part}"}}', seconds) for part, seconds in sorted(spent.items()))
    return (
        Family(NAME, "counter", "CPU by part.", rows),
        Family(TASKS, "gauge", "Tasks of the event loop.", ((TASKS, tasks),)),
    )


def install(clocks: Clocks) -> None:
    """Put the clocks in. Before the server makes its threads."""
    run = threading.Thread.run

    def counted(thread: threading.Thread) -> None:
        try:
            run(thread)
        finally:
            clocks.add(kind(thread.name), time.thread_time())

    threading.Thread.run = counted  # type: ignore[method-assign]
    Nets.__call__ = clocks.timed(  # type: ignore[method-assign]
        lambda _, net, *__: f"net {net}", Nets.__call__
    )
    for name in ("protect", "protect_rtcp", "unprotect", "unprotect_rtcp"):
        call = getattr(pylibsrtp.Session, name)
        setattr(pylibsrtp.Session, name, clocks.timed(lambda *_: "srtp", call))
    known = Metrics.families

    def more(metrics: Metrics) -> tuple[Family, ...]:
        # On the event loop, where requests are answered.
        return known(metrics) + families(clocks.now(), len(asyncio.all_tasks()))

    Metrics.families = more  # type: ignore[method-assign]


if __name__ == "__main__":
    install(Clocks())
    sys.exit(main())
