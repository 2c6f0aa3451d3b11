"""The list of mutants cannot rot unseen: each still applies, and no important file is without."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from tests.mutants.table import ROOT, DoesNotApply, Mutant, mutants

WATCHED = (
    "pipeline/session/*.py",
    "pipeline/cues/*.py",
    "pipeline/decision.py",
    "server/keys/*.py",
    "server/http/requests.py",
    "server/session/verdict.py",
    "server/session/presence.py",
)
"""Every file of these has a mutant."""
LEAST = 40

LISTED = mutants()


@pytest.mark.parametrize("mutant", LISTED, ids=[f"{one.file}: {one.why}" for one in LISTED])
def test_a_mutant_applies_once_and_is_another_program(mutant: Mutant) -> None:
    whole = (ROOT / mutant.file).read_text("utf-8")
    broken = mutant.broken(whole)
    assert ast.dump(ast.parse(broken)) != ast.dump(ast.parse(whole))
    assert mutant.why.endswith(".")


@pytest.mark.parametrize("mutant", LISTED, ids=[f"{one.file}: {one.why}" for one in LISTED])
def test_its_nearest_tests_exist(mutant: Mutant) -> None:
    assert mutant.tests
    for test in mutant.tests:
        file, _, name = test.partition("::")
        text = (ROOT / file).read_text("utf-8")
        assert not name or f"def {name.partition('[')[0]}(" in text, f"{test} does not exist"


def test_what_applies_twice_or_not_at_all_is_told() -> None:
    mutant = Mutant("x.py", "a < b", "a <= b", ("tests",), "Why.")
    assert mutant.broken("if a < b:") == "if a <= b:"
    for text in ("", "a < b or a < b"):
        with pytest.raises(DoesNotApply):
            mutant.broken(text)


def test_every_important_file_has_one() -> None:
    files = {path.relative_to(ROOT).as_posix() for glob in WATCHED for path in ROOT.glob(glob)}
    files = {file for file in files if not file.endswith("/__init__.py")}
    assert len(files) > 20
    assert sorted(files - {mutant.file for mutant in LISTED}) == []


def test_there_are_enough_and_none_twice() -> None:
    assert len(LISTED) >= LEAST
    breaks = Counter((mutant.file, mutant.old, mutant.new) for mutant in LISTED)
    assert [one for one, n in breaks.items() if n > 1] == []
