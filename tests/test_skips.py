"""A skip that no list names fails a run that is held against one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.skips import listed
from tests.walk import ROOT

CASES = """
import pytest
from tests.skips import add_option, hold

@pytest.mark.skip(reason="no real database here: set its address")
def test_named(): pass

@pytest.mark.skip(reason="tired")
def test_unnamed(): pass

def test_inside(): pytest.skip("no clip")

@pytest.mark.xfail(reason="known")
def test_known(): assert False

def test_good(): pass
"""


def _run(tmp_path: Path, names: str, may: str | None) -> subprocess.CompletedProcess[str]:
    (tmp_path / "conftest.py").write_text(
        "from tests.skips import add_option as pytest_addoption\n"
        "from tests.skips import hold as pytest_configure\n"
    )
    (tmp_path / "test_it.py").write_text(CASES)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", names]
    command += [f"--rootdir={tmp_path}", "-c", "/dev/null", f"{tmp_path}/test_it.py"]
    if may is not None:
        (tmp_path / "list.txt").write_text(may)
        command.append(f"--may-skip={tmp_path / 'list.txt'}")
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


NAMED = "# why\ntest_it.py::test_named  no real database here\n"


@pytest.mark.parametrize(
    ("names", "may", "fails"),
    [
        ("good or known", NAMED, False),
        ("named and not unnamed or good", NAMED, False),
        ("unnamed or good", NAMED, True),
        ("inside or good", NAMED, True),
        ("inside or good", "test_it.py::test_inside  no clip\n", False),
        ("named and not unnamed or good", "test_it.py::test_named  another reason\n", True),
        ("unnamed or inside or good", None, False),
    ],
)
def test_a_skip_fails_unless_it_is_named(
    tmp_path: Path, names: str, may: str | None, fails: bool
) -> None:
    ran = _run(tmp_path, names, may)
    assert ran.returncode == (1 if fails else 0), ran.stdout + ran.stderr
    assert ("NOT ON THE LIST" in ran.stdout) == fails


def test_the_list_has_reasons_and_real_files() -> None:
    rows = listed((ROOT / "tests" / "may_skip.txt").read_text("utf-8"))
    assert rows
    for test, _ in rows:
        assert (ROOT / test.partition("::")[0]).is_file(), test
    with pytest.raises(ValueError, match="without a reason"):
        listed("tests/test_skips.py::test_x\n")
