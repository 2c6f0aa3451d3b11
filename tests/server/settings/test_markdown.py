"""The settings for people: no secret is shown, and docs/settings.md is up to date."""

from __future__ import annotations

from pathlib import Path

from server.settings import markdown
from server.settings.load import load

HOME = {"HOME": "/home/somebody"}


def test_secrets_are_not_shown() -> None:
    lines = "\n".join(
        markdown.shown(
            load(
                {
                    **HOME,
                    "LOOKGATE_MASTER_KEY": "k3y" * 10,
                    "LOOKGATE_METRICS_TOKEN": "m3tric" * 10,
                    "LOOKGATE_STORE": "mongodb://user:pw@db/lookgate",
                }
            )
        )
    )
    for secret in ("k3y", "m3tric", "pw@"):
        assert secret not in lines
    assert lines.count("(set)") == 3


def test_the_settings_page_is_up_to_date() -> None:
    written = Path(__file__).parents[3] / "docs" / "settings.md"
    assert written.read_text("utf-8") == markdown.settings_page(), "run: lookgate config --markdown"
