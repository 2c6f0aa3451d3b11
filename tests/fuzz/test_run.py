"""The fuzzer finds what is there to find, and the same again for the same seed."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz.guided import ROOT, WRITTEN, is_here
from tests.fuzz.mutation import CHANGES, changed
from tests.fuzz.run import SLOW_S, fuzz, keep
from tests.fuzz.targets import Accepted, Target, targets

EXAMPLES = [b'{"type": "ping", "n": 7}', b"v=0\r\na=x\r\n"]


def _times(count: int) -> Callable[[], bool]:
    left = iter(range(count))
    return lambda: next(left, None) is not None


def _ticks(step_s: float = 0.001) -> Callable[[], float]:
    ticks = itertools.count()
    return lambda: next(ticks) * step_s


def _strict(data: bytes) -> None:
    if b"\xff" in data:
        raise KeyError("a bug")


def _lax(data: bytes) -> None:
    if data.startswith(b"{"):
        raise Accepted("changed, and taken")


def test_a_bug_and_an_acceptance_are_found_and_others_go_on() -> None:
    wanted = [
        Target("strict", EXAMPLES, _strict), Target("lax", EXAMPLES, _lax),
        Target("good", EXAMPLES, lambda data: None),
    ]  # fmt: skip
    counts, found = fuzz(wanted, 1, _times(3000), _ticks())
    assert {one.target: type(one.fault) for one in found} == {"strict": KeyError, "lax": Accepted}
    assert b"\xff" in next(one.data for one in found if one.target == "strict")
    assert counts["good"] > 1000


def test_the_same_seed_finds_the_same() -> None:
    def data(seed: int, *names: str) -> list[bytes]:
        wanted = [Target(name, EXAMPLES, _strict) for name in names]
        found = fuzz(wanted, seed, _times(20_000), _ticks())[1]
        return [one.data for one in found if one.target == "strict"]

    assert len(data(1, "strict")) == 1
    assert data(1, "strict") == data(1, "strict", "other") != data(2, "strict")


def test_a_check_that_hangs_is_a_fault() -> None:
    wanted = [Target("slow", EXAMPLES, lambda data: None)]
    ((one,)) = fuzz(wanted, 1, _times(3), _ticks(SLOW_S + 1))[1]
    assert isinstance(one.fault, TimeoutError)


def test_every_change_changes_and_none_gives_an_example_back() -> None:
    for change in CHANGES:
        made = set()
        for seed in range(50):
            data = bytearray(EXAMPLES[0])
            change(data, random.Random(seed), EXAMPLES)
            made.add(bytes(data))
        assert made - set(EXAMPLES), change
    rng = random.Random(3)
    assert not any(changed(EXAMPLES, rng) in EXAMPLES for _ in range(2000))


def test_what_was_found_is_kept(tmp_path: Path) -> None:
    found = fuzz([Target("lax", EXAMPLES, _lax)], 1, _times(100), _ticks())[1]
    first, second = keep([*found, *found], tmp_path / "new")
    assert first.read_bytes() == second.read_bytes() == found[0].data
    assert first != second


def test_each_way_in_holds_for_some_changes() -> None:
    counts, found = fuzz(targets(), 7, _times(120), _ticks())
    assert [(one.target, one.fault) for one in found] == []
    assert min(counts.values()) > 5


PLANTED = """
import sys
from pathlib import Path
import atheris
from tests.fuzz.guided import search
from tests.fuzz.targets import Target

@atheris.instrument_func
def check(data):
    if data[:1] == b"F" and data[1:2] == b"A" and data[2:3] == b"C" and data[3:4] == b"E":
        raise KeyError("a bug")

search(Target("planted", [b"FAxx"], check), seconds=50, seed=1, folder=Path(sys.argv[1]))
"""


@pytest.mark.skipif(not is_here(), reason="there is no Atheris for this machine")
def test_a_search_by_coverage_finds_what_a_branch_hides_and_keeps_it(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PLANTED, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode != 0
    (kept,) = tmp_path.glob("planted-*.bin")
    assert kept.read_bytes()[:4] == b"FACE"
    assert f"{WRITTEN} {kept}" in ended.stdout


FINDINGS = sorted((ROOT / "tests" / "vectors" / "found").glob("*/*.bin"))


@pytest.mark.parametrize("vector", FINDINGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_was_found_once_is_mended(vector: Path) -> None:
    (target,) = [one for one in targets() if one.name == vector.parent.name]
    target.check(vector.read_bytes())
