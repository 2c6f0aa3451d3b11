"""`make fuzz`: changed bytes at every way in, for a bounded time.

    python -m tests.fuzz.run [--seconds 60] [--seed 1] [--only NAME]

Ways in that Python reads are searched by coverage as well, each in a process of its own, on
machines that have Atheris. A traceback that is no refusal, and something taken that had to be
refused, are written to build/fuzz/ and fail the run; tests/vectors/found keeps what was mended.
Not here: the ways in (targets.py), the changes (mutation.py), the search (guided.py).
Exit codes: 0 nothing found; 1 something found.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.fuzz.guided import is_here, searched
from tests.fuzz.mutation import changed
from tests.fuzz.targets import Target, targets

FOUND = Path(__file__).parents[2] / "build" / "fuzz"
SLOW_S = 5.0
"""One check takes milliseconds: so long is a hang, whatever else the machine does."""


@dataclass(frozen=True, slots=True)
class Found:
    """Bytes that break something."""

    target: str
    data: bytes
    fault: Exception


def fuzz(
    wanted: Sequence[Target], seed: int, more: Callable[[], bool], clock: Callable[[], float]
) -> tuple[dict[str, int], list[Found]]:
    """Check each in turn while there is `more` time: how many were, and the first fault of each.

    What a target gets depends on the seed and on how many it had, not on the others.
    """
    counts = dict.fromkeys((target.name for target in wanted), 0)
    rngs = {target.name: random.Random(f"{seed} {target.name}") for target in wanted}
    spent_s = dict.fromkeys(counts, 0.0)
    broken: dict[str, Found] = {}
    while more() and len(broken) < len(wanted):
        # The one that had the least time: a tape takes as long as a thousand messages.
        whole = [target for target in wanted if target.name not in broken]
        target = min(whole, key=lambda one: spent_s[one.name])
        data = changed(target.examples, rngs[target.name])
        began_s = clock()
        try:
            target.check(data)
            if clock() - began_s > SLOW_S:
                raise TimeoutError(f"took {clock() - began_s:.1f} s")
        except Exception as fault:
            broken[target.name] = Found(target.name, data, fault)
        spent_s[target.name] += clock() - began_s
        counts[target.name] += 1
    return counts, list(broken.values())


def keep(found: Iterable[Found], folder: Path) -> list[Path]:
    """Write what broke something where it can be tried again."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for one in found:
        numbers = (folder / f"{one.target}-{n}.bin" for n in itertools.count())
        path = next(path for path in numbers if not path.exists())
        path.write_bytes(one.data)
        paths.append(path)
    return paths


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, tell, keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="ways in with this in their name")
    given = parser.parse_args(arguments)
    wanted = [target for target in targets() if given.only in target.name]
    guided = [target.name for target in wanted if target.guided and is_here()]
    if not is_here():
        print("Atheris is not here, so that nothing is searched by coverage.", file=sys.stderr)
    # The changes below are one share as well. They go on beside the first of the others.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    share_s = given.seconds * min(cores, len(guided) + 1) / (len(guided) + 1)
    with ThreadPoolExecutor(cores) as processes:
        search = partial(searched, seconds=share_s, seed=given.seed)
        searching = processes.map(search, guided)
        end_s = time.monotonic() + share_s
        counts, found = fuzz(wanted, given.seed, lambda: time.monotonic() < end_s, time.monotonic)
        ended = list(searching)
    print("Changed: " + ", ".join(f"{n} of {name}" for name, n in counts.items()))
    if ended:
        print("Searched: " + ", ".join(f"{one.runs} of {one.target}" for one in ended))
    for one, path in zip(found, keep(found, FOUND), strict=True):
        print(f"\n{one.target}: {path}", file=sys.stderr)
        traceback.print_exception(one.fault)
    broken = [one for one in ended if one.fault]
    for one in broken:
        print(f"\n{one.target}: {' '.join(map(str, one.found[:1]))}", file=sys.stderr)
        print(one.fault, file=sys.stderr)
    return 1 if found or broken else 0


if __name__ == "__main__":
    sys.exit(main())
