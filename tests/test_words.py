"""Words of the repository: pages whose lines can be read beside code.

The source is CONTRIBUTING.md: lines of prose of at most 120 characters.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WIDEST = 120
"""Characters a line of prose, so that two pages fit beside each other."""

GENERATED_PAGE = "<!-- Generated from "
GENERATED_BLOCK = re.compile(r"<!-- (\w+):(begin|end) -->")
LIST_ITEM = re.compile(r"\s*(?:[-*+]|\d+\.)\s")
ONE_LINK = re.compile(r"\s*(?:[-*+] )?!?\[[^\]]*\]\([^)\s]*\)[.,;:]?")
"""A line that holds one link or picture, and so has no place where it could be broken."""


@cache
def tracked() -> tuple[str, ...]:
    """Paths of all files in git, new ones included, or nothing where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return tuple(name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())


def pages() -> list[str]:
    return [name for name in tracked() if name.endswith(".md")]


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of each line that somebody wrote as prose.

    Tables, code, comments and what a program wrote (a page that says so in its first line, a
    block between `NAME:begin` and `NAME:end`) are none.
    """
    if text.startswith(GENERATED_PAGE):
        return
    fenced = generated = in_list = False
    after_blank = True
    for number, line in enumerate(text.splitlines(), 1):
        mark = GENERATED_BLOCK.fullmatch(line.strip())
        if mark and not fenced:
            generated = mark[2] == "begin"
        elif generated:
            pass
        elif line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("|"):
            pass
        elif not line.strip():
            after_blank = True
            continue
        elif after_blank and not in_list and line.startswith("    "):
            continue  # an indented block of code goes on until a line that is not indented
        else:
            in_list = bool(LIST_ITEM.match(line)) or (in_list and line.startswith(" "))
            yield number, line
        after_blank = False


def too_long(text: str) -> list[int]:
    """Numbers of the lines of prose that are too long and could be broken."""
    return [
        number
        for number, line in prose(text)
        if len(line) > WIDEST and not ONE_LINK.fullmatch(line)
    ]


def test_no_line_of_prose_is_too_long() -> None:
    found = {page: too_long((ROOT / page).read_text("utf-8")) for page in pages()}
    assert {page: lines for page, lines in found.items() if lines} == {}


LONG = "word " * 24 + "word."
"""125 characters."""


@pytest.mark.parametrize(
    "text",
    [
        LONG,
        f"# {LONG}",
        f"- {LONG}",
        f"- an item\n\n    {LONG}",
        f"text\n    {LONG}",
        f"```\ncode\n```\n{LONG}",
        f"| table |\n{LONG}",
        f"<!-- x:begin -->\nmade\n<!-- x:end -->\n{LONG}",
        f"[a link]({'x' * 120}) and {LONG}",
    ],
)
def test_a_long_line_of_prose_is_found(text: str) -> None:
    assert too_long(text) == [text.count("\n") + 1]


@pytest.mark.parametrize(
    "text",
    [
        "x" * WIDEST,
        f"| {LONG} |",
        f"```\n{LONG}\n```",
        f"text\n\n    code\n    {LONG}\n\n    {LONG}",
        f"<!-- x:begin -->\n{LONG}\n<!-- x:end -->",
        f"<!-- Generated from x.py; do not edit. -->\n{LONG}",
        f"![a picture of {LONG}](x.png)",
        f"- [a link](https://example.org/{'x' * 120}),",
    ],
)
def test_what_is_no_prose_may_be_long(text: str) -> None:
    assert too_long(text) == []
