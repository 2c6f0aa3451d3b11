"""The table of codes and the pages that tell of them."""

from __future__ import annotations

from pathlib import Path

from server.http.answers import OAUTH
from server.problems import KINDS

DOCS = Path(__file__).parents[2] / "docs"


def test_a_document_names_every_code() -> None:
    pages = {name: (DOCS / name).read_text("utf-8") for name in ("protocol.md", "oidc.md")}
    for code, kind in KINDS.items():
        page = "oidc.md" if code.startswith("oidc_") or code in OAUTH else "protocol.md"
        assert f"| `{code}` | {kind.status} |" in pages[page], code
