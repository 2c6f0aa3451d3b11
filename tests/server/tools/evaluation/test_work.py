"""Threads, progress, and what is remembered."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path

import pytest

from server.tools.evaluation.cache import Cache, version
from server.tools.evaluation.work import Progress, each


def test_everything_is_done_and_little_is_in_flight() -> None:
    lock, open_, most = threading.Lock(), 0, 0
    taken = 0

    def items() -> list[int]:
        return list(range(200))

    def do(n: int) -> int:
        nonlocal open_, most, taken
        with lock:
            open_ += 1
            most = max(most, open_)
        with lock:
            open_ -= 1
            taken += 1
        return n * n

    found = dict(each(do, items(), 3))
    assert found == {n: n * n for n in range(200)}
    assert most <= 3
    assert taken == 200


def test_a_mistake_goes_through_and_stops_the_rest() -> None:
    done: list[int] = []

    def do(n: int) -> None:
        if n == 3:
            raise RuntimeError("ours")
        done.append(n)

    with pytest.raises(RuntimeError, match="ours"):
        list(each(do, range(1000), 1))
    assert len(done) < 10


def test_progress_tells_the_time_that_is_left() -> None:
    now_s = [0.0]
    out = io.StringIO()
    progress = Progress(10, "files", out, clock=lambda: now_s[0])
    progress.step(known=True)
    assert progress.line(0.0) == "[1/10] files 10 %"
    for _ in range(3):
        now_s[0] += 20.0
        progress.step()
    # three took 60 s, six are to come; the known one says nothing of them
    assert progress.line(60.0) == "[4/10] files 40 %, 2:00 left"
    progress.end()
    lines = out.getvalue().splitlines()
    assert lines[-1] == "[4/10] files: 60.0 s, 1 known before"
    assert "\r" not in out.getvalue(), "a log file gets lines"


def test_what_is_remembered_is_for_the_owner_alone(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", "v1")
    assert cache.get("ab" * 32) is None
    cache.put("ab" * 32, {"x": 1})
    assert Cache(tmp_path / "cache", "v1").get("ab" * 32) == {"x": 1}
    assert Cache(tmp_path / "cache", "v2").get("ab" * 32) is None
    for path in (tmp_path / "cache").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("left", ["", "{", "[1]", "\udcff"])
def test_a_half_written_answer_is_none(tmp_path: Path, left: str) -> None:
    cache = Cache(tmp_path, "v")
    cache.put("cd" * 32, {"x": 1})
    file = next(tmp_path.rglob("*.json"))
    file.write_bytes(left.encode("utf-8", "surrogateescape"))
    assert cache.get("cd" * 32) is None
    cache.put("cd" * 32, {"x": 2})
    assert json.loads(file.read_text()) == {"x": 2}


def test_other_nets_and_other_policies_are_other_versions() -> None:
    assert version("match", "a") == version("match", "a")
    said = {version("match", "a"), version("match", "b"), version("match", "a", session=True)}
    assert len(said) == 3
