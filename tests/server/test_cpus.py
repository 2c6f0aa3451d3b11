"""CPUs that this process may use: affinity with `taskset`, quotas in a tree made up here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from server import cpus
from server.settings.load import load

UNIFIED = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
HYBRID = (
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 /docker/a /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "34 31 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)


def tree(root: Path, mounts: str, cgroup: str, files: Mapping[str, str]) -> float:
    """What is usable, apart from affinity, where these files are."""
    told = {"proc/self/mountinfo": mounts, "proc/self/cgroup": cgroup}
    told |= {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in told.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return cpus.usable(root)


@pytest.fixture(autouse=True)
def _many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


def test_without_quotas_the_affinity_counts(tmp_path: Path) -> None:
    assert cpus.usable(tmp_path) == 16.0
    files = {"cpu.max": "max 100000\n", "a/cpu.max": "max 100000\n"}
    assert tree(tmp_path, UNIFIED, "0::/a\n", files) == 16.0


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"a/b/cpu.max": "250000 100000\n"}, 2.5),
        ({"a/b/cpu.max": "max 100000\n", "a/cpu.max": "50000 100000\n"}, 0.5),
        ({"a/b/cpu.max": "400000 100000\n", "cpu.max": "300000 100000\n"}, 3.0),
        ({"a/b/cpu.max": "100000 50000\n", "a/cpu.max": "900000 100000\n"}, 2.0),
        ({"c/cpu.max": "100000 100000\n"}, 16.0),
        ({"a/b/cpu.max": "nonsense\n"}, 16.0),
        ({"a/b/cpu.max": "0 0\n"}, 16.0),
    ],
)
def test_the_least_quota_on_the_way_up_counts(
    tmp_path: Path, files: Mapping[str, str], found: float
) -> None:
    assert tree(tmp_path, UNIFIED, "0::/a/b\n", files) == found


@pytest.mark.parametrize(
    ("quota", "period", "found"),
    [("150000", "100000", 1.5), ("-1", "100000", 16.0), ("20000", "40000", 0.5)],
)
def test_version_1_has_a_quota_and_a_period(
    tmp_path: Path, quota: str, period: str, found: float
) -> None:
    # A container that sees its own cgroup as the mount, but the path that its host knows.
    cgroup = "4:cpu,cpuacct:/docker/a\n3:cpuset:/x\n0::/x\n"
    files = {
        "cpu,cpuacct/cpu.cfs_quota_us": f"{quota}\n",
        "cpu,cpuacct/cpu.cfs_period_us": f"{period}\n",
        "cpuset/cpu.cfs_quota_us": "1000\n",
        "cpuset/cpu.cfs_period_us": "100000\n",
    }
    assert tree(tmp_path, HYBRID, cgroup, files) == found


def test_a_path_out_of_its_namespace_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("1000 100000\n")
    files = {"cpu.max": "200000 100000\n"}
    assert tree(tmp_path, UNIFIED, "0::/../../..\n", files) == 2.0


def test_a_part_of_a_cpu_needs_a_thread(tmp_path: Path) -> None:
    tree(tmp_path, UNIFIED, "0::/\n", {"cpu.max": "30000 100000\n"})
    assert cpus.whole(tmp_path) == 1
    tree(tmp_path, UNIFIED, "0::/\n", {"cpu.max": "210000 100000\n"})
    assert cpus.whole(tmp_path) == 3
    tree(tmp_path, UNIFIED, "0::/\n", {"cpu.max": "200000 100000\n"})
    assert cpus.whole(tmp_path) == 2


@pytest.mark.parametrize(
    ("count", "sessions"), [(0.25, 4), (0.5, 4), (1.0, 8), (2.0, 16), (2.5, 20), (64.0, 64)]
)
def test_sessions_follow_the_cpus(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, count: float, sessions: int
) -> None:
    monkeypatch.setattr(cpus, "usable", lambda root=Path("/"): count)
    found = load({"HOME": str(tmp_path)})
    assert (found.max_sessions, found.workers) == (sessions, max(1, -int(-count // 1)))
    assert load({"HOME": str(tmp_path), "LOOKGATE_MAX_SESSIONS": "3"}).max_sessions == 3
    few = load({"HOME": str(tmp_path), "LOOKGATE_RTC_PORTS": "50000-50004"})
    assert few.max_sessions == 2


@pytest.mark.skipif(shutil.which("taskset") is None, reason="needs taskset")
def test_taskset_is_heeded() -> None:
    first = min(os.sched_getaffinity(0)) if os.cpu_count() == 1 else 0
    ask = (sys.executable, "-c", "from server.cpus import usable; print(usable())")
    said = subprocess.run(
        ("taskset", "-c", str(first), *ask), capture_output=True, text=True, check=True
    )
    assert float(said.stdout) <= 1.0
