"""What the machine does beside the server: burners that take its CPUs, and clocks of everybody.

    python -m benchmarks.capacity.machine CORE SHARE

is one burner, which takes that share of one CPU until it is ended. Source: proc(5), sched(7).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.serving import ROOT, Server, cpu_s, machine_busy_s

SLICE_S = 0.002
LAG_S = 0.1
"""What a burner catches up with at most, if it did not get its share in time."""
EAGER = -15
"""Its nice value, where that is allowed: the share must be taken, whoever else is hungry. It has a
session of its own, because nice values count within a session where those share the CPU evenly
(sched(7), "The autogroup feature"), and it must not starve the server more than others do."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds, from whenever."""

    wall: float
    server: float
    """CPU, its children included."""
    callers: float
    burned: float
    others: float
    """CPU of everything else on the machine."""

    @classmethod
    def now(cls, server: Server, burners: Collection[int]) -> Clocks:
        """Read them."""
        serving, calling = server.cpu_s(), time.process_time()
        burned = sum(map(cpu_s, burners))
        others = machine_busy_s() - serving - calling - burned
        return cls(time.monotonic(), serving, calling, burned, others)

    def since(self, earlier: Clocks) -> Clocks:
        """What passed."""
        return Clocks(
            self.wall - earlier.wall,
            self.server - earlier.server,
            self.callers - earlier.callers,
            self.burned - earlier.burned,
            max(0.0, self.others - earlier.others),
        )


@contextmanager
def burning(cores: Collection[int], share: float) -> Iterator[list[int]]:
    """Process ids of burners that take `share` (0 to 1) of each core."""
    command = [sys.executable, "-m", "benchmarks.capacity.machine"]
    with contextlib.ExitStack() as stack:
        burners = []
        for core in sorted(cores) if share else ():
            process = subprocess.Popen(
                [*command, str(core), str(share)], cwd=ROOT, start_new_session=True
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            burners.append(process.pid)
        yield burners


def burn(core: int, share: float) -> None:
    """Take so much of this core, for ever."""
    os.sched_setaffinity(0, {core})
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, EAGER)
    parent = os.getppid()
    due_s = time.monotonic()
    """When it should have had what it has had."""
    while os.getppid() == parent:
        now_s = time.monotonic()
        if due_s > now_s:
            time.sleep(SLICE_S)
            continue
        cpu = time.process_time()
        while time.process_time() - cpu < SLICE_S:
            pass
        due_s = max(due_s, now_s - LAG_S) + SLICE_S / share


if __name__ == "__main__":
    burn(int(sys.argv[1]), float(sys.argv[2]))
