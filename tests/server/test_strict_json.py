"""JSON of strangers: read exactly, or refused with a ValueError, whatever it is."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.strict_json import parse

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)  # fmt: skip


def _levels(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, dict | list) + max(map(_levels, inside), default=0)


@given(st.dictionaries(st.text(max_size=8), VALUES))
@example({"a": '"[{\\\\" []', "\\\\": "[[[["})
def test_an_object_is_read_as_it_is_up_to_its_depth(value: dict[str, Any]) -> None:
    depth = _levels(value)
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert parse(text, max_depth=depth) == value
        with pytest.raises(ValueError, match="levels"):
            parse(text, max_depth=depth - 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        '"text"',
        "{} {}",
        '{"a":1,"a":1}',
        '{"a":{"b":1,"b":2}}',
        '{"a":1,"\\u0061":2}',
        '{"a":NaN}',
        '{"a":Infinity}',
        '{"a":-Infinity}',
        '{"a":01}',
        "{'a':1}",
        '{"a":1,}',
        '{"a":"\n"}',
        "\ufeff{}",
        '{"a":' + "9" * 5000 + "}",
    ],
)
def test_what_is_no_strict_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse(text, max_depth=8)


def test_nesting_is_refused_before_it_is_read() -> None:
    for text in ("[" * 100_000, '{"a":' * 50_000, '{"a":' + "[" * 8 + "]" * 8 + "}"):
        with pytest.raises(ValueError, match="levels"):
            parse(text, max_depth=8)
    assert parse('{"a":' + "[" * 7 + "]" * 7 + "}", max_depth=8)


@given(st.text(max_size=200))
@example('{"a":"\\')
@example('{"a":"')
def test_nothing_but_a_value_error_comes_of_any_text(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(parse(text, max_depth=8), dict)
