"""What people are asked to turn: never further than the mesh can tell (docs/see.md)."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from pipeline.policy import POLICIES, Policy

ROOT = Path(__file__).parents[3]
MOST_DEG = 35.0
"""The mesh reads a true 60 degrees as 37, and a profile of 75 to 80 as 43 to 48."""
DEGREES = re.compile(r"(\d+)(?: degrees| Grad|\u00b0)")
WORDS = sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "web" / "widget" / "texts").glob("*.js")
)
TEXTS = ("docs/challenge.md", "docs/widget.md", "web/demo/pages.py", *WORDS)
"""What people and those who write for them read about turning."""


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_no_limit_of_the_policy_lies_beyond_what_the_mesh_can_tell(policy: Policy) -> None:
    found = {f.name: getattr(policy, f.name) for f in fields(Policy) if f.name.endswith("_deg")}
    assert {"turn_yaw_deg", "turn_pitch_deg", "turn_rest_deg", "facing_yaw_deg"} <= set(found)
    assert {name: deg for name, deg in found.items() if not 0 < deg <= MOST_DEG} == {}


@pytest.mark.parametrize("name", TEXTS)
def test_no_text_asks_for_more(name: str) -> None:
    found = [int(deg) for deg in DEGREES.findall((ROOT / name).read_text("utf-8"))]
    assert [deg for deg in found if deg > MOST_DEG] == []
