"""The table of codes and the page that tells of them."""

from __future__ import annotations

from pathlib import Path

from server.problems import KINDS


def test_the_document_names_every_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")
    for code, kind in KINDS.items():
        assert f"| `{code}` | {kind.status} |" in page, code
