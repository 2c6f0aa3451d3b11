"""JSON of strangers, read strictly: one object, no name twice, no NaN, no endless nesting.

Here: text in, an object out, or ValueError. Not here: how long the text may be, because that limit
stands where the bytes arrive (http/requests.py, session/protocol.py); what the object must hold.
Source: RFC 8259; RFC 7493 (I-JSON).
"""

from __future__ import annotations

import json
import re
from typing import Any

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]|[\]}]', re.DOTALL)
"""A string with all that is in it, even if its end is missing; or a bracket outside of strings."""


def parse(text: str, *, max_depth: int) -> dict[str, Any]:
    """The one object of a text with at most `max_depth` levels. Raises ValueError."""
    # json.loads recurses, and what is too deep for it depends on who called: it is asked before.
    if _depth(text) > max_depth:
        raise ValueError("too many levels")
    value = json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant)
    if not isinstance(value, dict):
        raise ValueError("no object")
    return value


def _depth(text: str) -> int:
    """Deepest nesting of brackets outside strings; an upper bound for what is not JSON."""
    depth = deepest = 0
    for token in _TOKEN.findall(text):
        if token in ("[", "{"):
            depth += 1
            deepest = max(deepest, depth)
        elif token in ("]", "}"):
            depth -= 1
    return deepest


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # RFC 8259 section 4 leaves equal names open, so two readers may disagree: refused.
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name twice")
    return fields


def _constant(_: str) -> Any:
    # NaN and Infinity are Python's, not RFC 8259's (section 6).
    raise ValueError("no number of RFC 8259")
