"""Changes that lead to code that none before reached: one way in, one process, libFuzzer's loop.

    python -m tests.fuzz.guided NAME --seconds 60 --seed 1

What was learnt stays in build/fuzz/corpus/NAME, so that a longer search goes on from there. Not
here: what is checked (targets.py), who starts it (run.py). Source: Atheris (google/atheris);
libFuzzer's documentation of LLVM (llvm.org/docs/LibFuzzer.html).
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fuzz.targets import Target

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "fuzz"
PACKAGES = ["models", "pipeline", "server"]
"""Whose branches are counted."""
SLOW_S = 5
MOST_MB = 2048
"""Of a process, in which the packages alone have some 300."""
LONGEST = 20_000
"""Bytes that changes may grow an example to; examples may be longer."""
_RUNS = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
WRITTEN = "Test unit written to"
_KEPT = re.compile(rf"{WRITTEN} (\S+)")


@dataclass(frozen=True, slots=True)
class Searched:
    """What came of one process."""

    target: str
    runs: int
    found: tuple[Path, ...]
    """Files with what breaks something."""
    fault: str
    """What the process said, if it did not end well."""


def is_here() -> bool:
    """Whether this machine has Atheris, of which not every one has a wheel (pyproject.toml)."""
    return importlib.util.find_spec("atheris") is not None


def search(target: Target, *, seconds: float, seed: int, folder: Path) -> None:
    """Run libFuzzer, which ends this process: 0 after the time, else something was found."""
    import atheris

    examples = frozenset(target.examples)

    def check(data: bytes) -> None:
        try:
            target.check(data)
        except Exception as fault:
            # Checks are of changed bytes; but what an example reaches shows the way.
            if data in examples and type(fault).__name__ == "Accepted":
                return
            # libFuzzer writes it too, but not if its own timer ends the process meanwhile.
            name = f"{target.name}-{hashlib.sha256(data).hexdigest()[:16]}.bin"
            (folder / name).write_bytes(data)
            print(f"{WRITTEN} {folder / name}", flush=True)
            raise

    learnt = folder / "corpus" / target.name
    learnt.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as given:  # left behind: the process is ended within
        for n, example in enumerate(target.examples):
            (Path(given) / str(n)).write_bytes(example)
        longest = max(LONGEST, *map(len, target.examples))
        atheris.Setup(
            [
                sys.argv[0],
                f"-max_total_time={max(1, int(seconds))}",
                f"-seed={seed}",
                f"-timeout={SLOW_S}",
                f"-rss_limit_mb={MOST_MB}",
                f"-max_len={longest}",
                f"-artifact_prefix={folder}/{target.name}-",
                "-print_final_stats=1",
                str(learnt),
                given,
            ],
            check,
        )
        atheris.Fuzz()


def searched(name: str, *, seconds: float, seed: int) -> Searched:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "tests.fuzz.guided", name]
    command += ["--seconds", str(seconds), "--seed", str(seed)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, errors="replace",
            timeout=seconds + 120, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Searched(name, 0, (), f"the process did not end {120} s after its time")
    said = done.stdout + done.stderr
    runs = sum(map(int, _RUNS.findall(said)))
    found = tuple(Path(path) for path in _KEPT.findall(said))
    good = done.returncode == 0 and runs > 0
    return Searched(name, runs, found, "" if good else _end_of(said))


def _end_of(said: str) -> str:
    """The traceback, or the last lines."""
    lines = said.splitlines()
    at = next((n for n, line in enumerate(lines) if "Uncaught Python exception" in line), None)
    return "\n".join(lines[at : at + 60] if at is not None else lines[-40:])


def main(arguments: Sequence[str] | None = None) -> None:
    """One way in, by its name."""
    began_s = time.monotonic()
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("name")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    import atheris

    with atheris.instrument_imports(include=PACKAGES):
        from tests.fuzz.targets import targets
    (target,) = [one for one in targets() if one.name == given.name]
    left_s = given.seconds - (time.monotonic() - began_s)
    search(target, seconds=left_s, seed=given.seed, folder=FOLDER)


if __name__ == "__main__":
    main()
