"""How many CPUs this process may use, which is seldom how many the machine has.

The least of its affinity (taskset, cpusets) and of every CPU quota over it (containers, systemd's
CPUQuota). Not here: what is made of the number (server/settings/load.py). Source:
sched_setaffinity(2); Linux, admin-guide/cgroup-v2.rst, "CPU Interface Files" and
scheduler/sched-bwc.rst; cgroups(7) and proc_pid_mountinfo(5).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def allowed() -> frozenset[int]:
    """Numbers of the CPUs that this process may run on; a quota may leave it less than those."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))  # no Linux


def usable(root: Path = Path("/")) -> float:
    """CPUs, above 0; half a CPU is 0.5. `root` is where `proc` and the mounts are."""
    return min([float(len(allowed())), *_quotas(root)])


def whole(root: Path = Path("/")) -> int:
    """The same, rounded up, because a part of a CPU needs a thread as well."""
    return math.ceil(usable(root))


def _quotas(root: Path) -> Iterator[float]:
    """The quota of every cgroup over this process that has one, in CPUs."""
    mounts = _mounts(root)
    for line in _lines(root / "proc/self/cgroup"):
        number, controllers, path = (*line.split(":", 2), "", "")[:3]
        unified = number == "0" and not controllers
        if unified or "cpu" in controllers.split(","):
            for mount in mounts["cgroup2" if unified else "cgroup"]:
                for folder in _upwards(mount, path):
                    yield from _unified(folder) if unified else _v1(folder)


def _mounts(root: Path) -> dict[str, list[Path]]:
    """Where CPU controllers are mounted, by type of file system."""
    found: dict[str, list[Path]] = {"cgroup": [], "cgroup2": []}
    for line in _lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), (*after.split(), "", "", "")
        if len(fields) < 5 or kind[0] not in found:
            continue
        if kind[0] == "cgroup2" or "cpu" in kind[2].split(","):
            found[kind[0]].append(root / fields[4].lstrip("/"))
    return found


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    """The cgroup's folder and those above it, to the mount's own.

    A container may see its own cgroup as the mount, and yet its path from the host's; what is not
    there is left out.
    """
    within = PurePosixPath(path.lstrip("/"))
    if ".." in within.parts:  # outside of its own namespace
        within = PurePosixPath()
    while within.parts:
        yield mount / within
        within = within.parent
    yield mount


def _unified(folder: Path) -> Iterator[float]:
    for line in _lines(folder / "cpu.max")[:1]:
        quota, _, period = line.partition(" ")
        yield from _ratio(quota, period)


def _v1(folder: Path) -> Iterator[float]:
    quota = _lines(folder / "cpu.cfs_quota_us")[:1]
    period = _lines(folder / "cpu.cfs_period_us")[:1]
    if quota and period:
        yield from _ratio(quota[0], period[0])


def _ratio(quota: str, period: str) -> Iterator[float]:
    """Both in microseconds; nothing for "max", for -1 and for what is no number."""
    if quota.isdecimal() and period.strip().isdecimal() and int(quota) and int(period):
        yield int(quota) / int(period)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []
