"""docs/relying-apps.md shows the files that the tests of relying apps run with."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "relying-apps.md").read_text("utf-8")
SHOWN = [
    *sorted((ROOT / "tests" / "peers" / "oidc" / "settings").iterdir()),
    ROOT / "tests" / "oidc" / "npm" / "authjs-lookgate.mjs",
]


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.name)
def test_the_page_shows_what_is_run(path: Path) -> None:
    assert f"\n{path.read_text('utf-8')}```\n" in PAGE
