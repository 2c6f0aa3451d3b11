"""A tape may come from anybody: with every checksum mended, it is played or refused by its code."""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.tape import LINES, TapeError
from pipeline.tape.lines import Chain, seal
from pipeline.tape.reader import open_tape
from pipeline.tape.replay import replay

TAPES = Path(__file__).parents[2] / "tapes"
with zipfile.ZipFile(TAPES / "cancel.zip") as box:
    GOOD: list[Any] = [json.loads(line) for line in box.read(LINES).splitlines()]
ODD = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
    | st.just([])
    | st.just({})
)
"""What JSON can say in the place of anything."""


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every member of every object and list within, by its container and key."""
    found: list[tuple[Any, Any]] = []
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        found += [(value, key), *_places(value[key])]
    return found


@st.composite
def mutated(draw: st.DrawFn) -> list[Any]:
    """A real tape with lines dropped, doubled or swapped, and members changed or dropped."""
    lines = json.loads(json.dumps(GOOD))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["drop", "double", "swap", "change", "change", "lose"])):
            case "drop" if len(lines) > 1:
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case kind:
                places = _places(lines[at])
                if places:
                    holder, key = draw(st.sampled_from(places))
                    if kind == "change":
                        holder[key] = draw(ODD)
                    elif isinstance(holder, dict):
                        del holder[key]
    return lines


@settings(max_examples=150, deadline=None)
@given(mutated())
def test_a_changed_tape_is_played_or_refused_and_nothing_else(lines: list[Any]) -> None:
    chain = Chain()
    told = [{k: v for k, v in line.items() if k != "sum"} for line in lines]
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / LINES).write_bytes(b"".join(seal(line, chain) for line in told))
        code = "tape_played"
        try:
            replay(open_tape(Path(name)))
        except TapeError as refusal:
            code = refusal.code
        assert code.startswith("tape_")
