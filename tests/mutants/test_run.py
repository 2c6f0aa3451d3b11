"""A mutant that nothing notices is told apart from all others, and the copy is mended each time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.mutants import run
from tests.mutants.table import ROOT, Mutant

CODE = "def older(a, b):\n    return a > b\n"
TESTS = """from thing import older

def test_older():
    assert older(2, 1)
    assert not older(1, 2)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project of one function and its test, and with the settings of all tests."""
    shutil.copyfile(ROOT / "tests/conftest.py", tmp_path / "conftest.py")
    (tmp_path / "tests").mkdir()
    for name in ("__init__.py", "rsa_keys.py", "skips.py"):  # which tests/conftest.py imports
        shutil.copyfile(ROOT / "tests" / name, tmp_path / "tests" / name)
    (tmp_path / "thing.py").write_text(CODE, "utf-8")
    (tmp_path / "test_thing.py").write_text(TESTS, "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "timeout_s", "ended"),
    [
        ("a > b", "a < b", 60.0, run.KILLED),
        ("a > b", "a >= b", 60.0, run.SURVIVED),
        ("a > b", "(", 60.0, run.UNREAD),
        ("def older", "raise SystemExit\ndef older", 60.0, run.UNREAD),
        ("a == b", "a > b", 60.0, run.NOT_APPLIED),
        ("    return", "    while True: pass\n    return", 0.1, run.HUNG),
    ],
)
def test_how_a_mutant_ends(tree: Path, old: str, new: str, timeout_s: float, ended: str) -> None:
    mutant = Mutant("thing.py", old, new, ("test_thing.py",), "The older one is older.")
    assert run.outcome(mutant, tree, timeout_s) == ended
    assert (tree / "thing.py").read_text("utf-8") == CODE


def test_a_file_that_is_gone_does_not_apply(tree: Path) -> None:
    mutant = Mutant("other.py", "a", "b", ("test_thing.py",), "It was renamed.")
    assert run.outcome(mutant, tree) == run.NOT_APPLIED


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_the_copy_is_what_is_imported(tmp_path: Path) -> None:
    run.copy_of_tree(tmp_path)
    assert not (tmp_path / ".git").exists()
    found = run.imported_from(tmp_path)
    assert set(found) == set(run.PACKAGES)
    assert all(origin.is_relative_to(tmp_path) for origin in found.values())
    for name in ("pipeline/decision.py", "tests/mutants/list.toml"):
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()


def test_words_choose_by_file_or_reason() -> None:
    assert run.chosen([]) == run.mutants()
    some = run.chosen(["keys/vault.py"])
    assert {mutant.file for mutant in some} == {"server/keys/vault.py"}
    assert run.chosen([some[0].why])[0] == some[0]
    assert run.chosen(["no such word"]) == []


def test_words_that_choose_nothing_run_nothing() -> None:
    with pytest.raises(SystemExit):
        run.main(["no such word"])
