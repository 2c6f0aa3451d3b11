"""The table of settings and the record of their values are one list."""

from __future__ import annotations

from dataclasses import fields

from server.settings.load import Settings
from server.settings.table import TABLE


def test_every_setting_has_a_field_and_the_other_way_round() -> None:
    names = {"turn_urls" if row.name == "TURN_URL" else row.name.lower() for row in TABLE}
    assert names == {field.name for field in fields(Settings)}
