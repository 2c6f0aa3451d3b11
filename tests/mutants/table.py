"""The list of mutants as values: what is broken, where, and which tests must notice.

Here: reading list.toml, and how a break is applied to a text. Not here: running them (run.py).
Source: R. A. DeMillo, R. J. Lipton, F. G. Sayward, Hints on test data selection, Computer, 1978.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("list.toml")


class DoesNotApply(Exception):
    """The old text is not found exactly once, so nobody knows what would be broken."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One break of one file."""

    file: str
    """Path from the root of the tree."""
    old: str
    """Exact text that the file holds once."""
    new: str
    """What stands there when it is broken."""
    tests: tuple[str, ...]
    """The nearest tests, as pytest takes them."""
    why: str
    """What the line is for, one sentence."""

    def broken(self, text: str) -> str:
        """The file's text with the break in it. Raises DoesNotApply."""
        found = text.count(self.old)
        if found != 1:
            raise DoesNotApply(f"the old text is found {found} times in {self.file}")
        return text.replace(self.old, self.new)


def mutants() -> list[Mutant]:
    """All of the list, in its order."""
    rows = tomllib.loads(LIST.read_text("utf-8"))["mutant"]
    return [Mutant(**(row | {"tests": tuple(row["tests"])})) for row in rows]
