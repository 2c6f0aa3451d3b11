"""What a call of the embedder costs here and at a server of KServe's protocol v2 on this machine.

    PYTHONPATH=build/peers/client python -m benchmarks.elsewhere [--calls 300] [--rounds 3]

One call after the other; CPU is that of this process and, for the servers, of all their processes
(proc(5)). The servers are those of tests/peers, which `make test-peers` installs. Table:
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.manifest import default_dir
from pipeline.nets import Run
from pipeline.nets.ort import SPECS, Nets
from server.frames.elsewhere import RemoteNets, TritonClient, Where
from tests.peers.kserve_servers import SERVERS

WARM = 20


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one call, milliseconds."""

    p50: float
    p95: float
    here: float
    """CPU of this process."""
    there: float
    """CPU of the server."""


def cost(run: Run, calls: int, cpu_there_s: Callable[[], float] = lambda: 0.0) -> Cost:
    """Of `calls` calls, after some that do not count."""
    pictures = np.random.default_rng(1).integers(0, 256, (8, *SPECS["embed"].feed))
    feeds = list(pictures.astype(np.float32))
    for n in range(WARM):
        run("embed", feeds[n % len(feeds)])
    took_s = []
    here_s, there_s = time.process_time(), cpu_there_s()
    for n in range(calls):
        began_s = time.perf_counter()
        run("embed", feeds[n % len(feeds)])
        took_s.append(time.perf_counter() - began_s)
    here_s, there_s = time.process_time() - here_s, cpu_there_s() - there_s
    cuts = statistics.quantiles(took_s, n=20)
    return Cost(*(1000 * s for s in (cuts[9], cuts[18], here_s / calls, there_s / calls)))


def main() -> int:
    """Print the table: medians of the rounds, and their range."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    nets = Nets(default_dir(), ["embed"])
    rows: dict[str, list[Cost]] = {"here": [cost(nets, given.calls) for _ in range(given.rounds)]}
    for name, start in SERVERS.items():
        with start() as server:
            where = Where(server.address, ("embed",), 5.0, fall_back=False)
            far = RemoteNets(where, nets, TritonClient(server.address))
            far.check()
            rows[name] = [cost(far, given.calls, server.cpu_s) for _ in range(given.rounds)]
    print("| | p50 ms | p95 ms | CPU ms here | CPU ms there |\n|---|---|---|---|---|")
    for name, costs in rows.items():
        cells = []
        for field in ("p50", "p95", "here", "there"):
            values = sorted(getattr(one, field) for one in costs)
            middle = statistics.median(values)
            cells.append(f"{middle:.1f} ({values[0]:.1f} to {values[-1]:.1f})")
        print(f"| {name} | {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
