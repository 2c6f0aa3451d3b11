"""Where tables stand in pages: between `<!-- accuracy: NAME -->` and `<!-- accuracy end -->`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

PAGES = ("docs/liveness.md", "docs/evaluation.md")
ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(
    r"(?P<open><!-- accuracy: (?P<name>[a-z-]+) -->\n)(?P<inner>.*?)(?P<end><!-- accuracy end -->)",
    re.DOTALL,
)


def found(text: str) -> dict[str, str]:
    """What stands in each block of a page."""
    return {block["name"]: block["inner"].strip("\n") for block in BLOCK.finditer(text)}


def filled(text: str, tables: Mapping[str, Sequence[str]]) -> str:
    """The page with these tables. Raises KeyError for a block that nobody makes."""

    def put(block: re.Match[str]) -> str:
        lines = "\n".join(tables[block["name"]])
        return f"{block['open']}\n{lines}\n\n{block['end']}"

    return BLOCK.sub(put, text)
