"""`make mutants`: break one important line at a time, and see the nearest tests go red.

Works on copies of the tree in a temporary folder, never on the tree itself. First the nearest tests
must pass unbroken, and in a copy that is what they import. Then each mutant of list.toml runs alone
against its tests, two at a time. Not here: the list (list.toml, table.py).

Exit codes: 0 no survivor; 1 a mutant survived, does not apply, or only keeps the tests from being
read; 2 the unbroken tests fail.
"""

from __future__ import annotations

import argparse
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.table import ROOT, DoesNotApply, Mutant, mutants

AT_ONCE = 2
TIMEOUT_S = 120.0
"""The slowest nearest tests take some 10 s on an idle core. A mutant that hangs is noticed, too."""
PACKAGES = ("pipeline", "server", "models", "web", "tests")

KILLED, HUNG = "killed", "killed by timeout"
SURVIVED, UNREAD, NOT_APPLIED = "SURVIVED", "NOT READ", "DOES NOT APPLY"
"""UNREAD: pytest ended otherwise than by a failed test, so nothing was shown of the tests."""

PYTEST = ("-x", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=mutants")
"""The profile is in tests/conftest.py."""


def copy_of_tree(to: Path) -> None:
    """What git knows of the tree and what is new in it, as it stands in the working tree."""
    git = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, check=True, capture_output=True).stdout
    for name in sorted(set(listed.decode().split("\0")) - {""}):
        source, target = ROOT / name, to / name
        if source.is_file():  # a file that was removed is still in the index
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def environment(tree: Path) -> dict[str, str]:
    """The copy comes first among what is imported, and no byte code is kept: a mutant of the same
    second and size would else be read from what was compiled before it."""
    return os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}


def imported_from(tree: Path) -> dict[str, Path]:
    """Where an interpreter that is started as the tests are finds our packages."""
    code = "import importlib.util as u, sys\nfor n in sys.argv[1:]: print(u.find_spec(n).origin)"
    command = [sys.executable, "-c", code, *PACKAGES]
    ran = subprocess.run(
        command, cwd=tree, env=environment(tree), check=True, capture_output=True, text=True
    )
    return dict(zip(PACKAGES, map(Path, ran.stdout.split("\n")), strict=False))


def pytest(tree: Path, tests: Sequence[str], timeout_s: float) -> tuple[int | None, str]:
    """Exit code, None if it took too long, and what was printed."""
    command = [sys.executable, "-m", "pytest", *PYTEST, *tests]
    with subprocess.Popen(
        command,
        cwd=tree,
        env=environment(tree),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            printed, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # and what the tests started
            process.communicate()
            return None, ""
    return process.returncode, printed


def outcome(mutant: Mutant, tree: Path, timeout_s: float = TIMEOUT_S) -> str:
    """Break the copy, run the nearest tests, mend the copy."""
    path = tree / mutant.file
    whole = path.read_text("utf-8") if path.is_file() else ""
    try:
        broken = mutant.broken(whole)
    except DoesNotApply:
        return NOT_APPLIED
    path.write_text(broken, "utf-8")
    try:
        code, _ = pytest(tree, mutant.tests, timeout_s)
    finally:
        path.write_text(whole, "utf-8")
    return {None: HUNG, 0: SURVIVED, 1: KILLED}.get(code, UNREAD)


def chosen(words: Sequence[str]) -> list[Mutant]:
    """Those whose file or reason holds one of the words; all without words."""
    everything = mutants()
    if not words:
        return everything
    return [one for one in everything if any(word in f"{one.file} {one.why}" for word in words)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them, print the table, return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.run", description=__doc__)
    parser.add_argument("words", nargs="*", help="only mutants whose file or reason holds one")
    found = chosen(parser.parse_args(arguments).words)
    if not found:
        parser.error("no mutant has one of these words in its file or reason")
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lookgate-mutants-") as folder:
        trees: queue.SimpleQueue[Path] = queue.SimpleQueue()
        copies = [Path(folder).resolve() / str(n) for n in range(AT_ONCE)]
        for tree in copies:
            copy_of_tree(tree)
            for name, origin in imported_from(tree).items():
                assert origin.is_relative_to(tree), f"{name} is imported from {origin}"
            trees.put(tree)

        def alone(mutant: Mutant) -> tuple[str, float]:
            tree, since_s = trees.get(), time.monotonic()
            try:
                return outcome(mutant, tree), time.monotonic() - since_s
            finally:
                trees.put(tree)

        nearest = sorted({test for mutant in found for test in mutant.tests})
        code, printed = pytest(copies[0], nearest, TIMEOUT_S * AT_ONCE)
        if code != 0:
            print(printed, "\nThe nearest tests do not pass unbroken.", file=sys.stderr)
            return 2
        print(f"Unbroken: {len(nearest)} groups of tests pass, {time.monotonic() - began_s:.0f} s")
        bad: list[tuple[str, Mutant]] = []
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for mutant, (ended, took_s) in zip(found, pool.map(alone, found), strict=True):
                print(f"{ended:<17} {took_s:5.1f} s  {mutant.file}  {mutant.why}", flush=True)
                if ended not in (KILLED, HUNG):
                    bad.append((ended, mutant))
    print(f"\n{len(found)} mutants, {len(bad)} not killed, {time.monotonic() - began_s:.0f} s")
    for ended, mutant in bad:
        print(f"\n{ended}: {mutant.file}: {mutant.why}\n- {mutant.old}\n+ {mutant.new}")
        print(f"  nearest tests: {' '.join(mutant.tests)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
