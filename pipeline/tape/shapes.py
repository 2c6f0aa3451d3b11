"""What msgspec is to find on a tape, made from the core's type hints.

Here: a structure for each type of value. Not here: making values of what was found (fields.py), the
kinds of lines (reader.py). Source: docs/tape.md, "Values".
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import numpy as np


class Packed(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An array as it is on a tape: its elements, or the number of one that is there already."""

    d: str = ""
    s: list[Annotated[int, msgspec.Meta(ge=0)]] = []
    b: bytes = b""
    a: int = -1


@cache
def shape(hint: Any) -> Any:
    """What msgspec is to find where a value of this type is written. Raises TypeError for types
    that a tape cannot carry."""
    origin, arguments = get_origin(hint), get_args(hint)
    if is_union(hint):
        found = kinds(hint)
        named = [shape(found[0])] if len(found) == 1 else [_record_shape(k, "tag") for k in found]
        return Union[(*named, *({type(None)} & set(arguments)))]
    if hint is float:
        return float | int | str | Packed
    if hint in (int, bool):
        return hint | Packed
    if hint in (str, bytes) or (isinstance(hint, type) and issubclass(hint, Enum)):
        return hint
    if origin is np.ndarray:
        return Packed
    if origin is Sequence:
        return tuple[shape(arguments[0]), ...]  # type: ignore[misc]
    if origin in (tuple, list):
        return origin[tuple(one if one is Ellipsis else shape(one) for one in arguments)]
    if origin is not None and issubclass(origin, Mapping) and arguments[0] is str:
        return dict[str, shape(arguments[1])]  # type: ignore[misc]
    if isinstance(hint, type) and is_dataclass(hint):
        return _record_shape(hint, "member")
    raise TypeError(f"a tape cannot carry {hint}")


def _record_shape(kind: Any, told_by: str) -> type[msgspec.Struct]:
    """Of a dataclass. Its name is a `member` like others, or the `tag` that tells several apart;
    msgspec does without a tag where it knows what must come."""
    name, members = kind.__name__, _members(kind)
    if told_by == "tag":
        return structure(name, members, tag_field="is", tag=name)
    return structure(name, [("is_", Literal[name], msgspec.field(name="is")), *members])


def unnamed(kind: Any) -> type[msgspec.Struct]:
    """The shape of a dataclass where the kind of line says which: its fields, without its name."""
    return structure(kind.__name__, _members(kind))


def kept(field: Field[Any]) -> bool:
    """Whether a tape has it: what is given, and what equality knows."""
    return field.init and field.compare


def _members(kind: Any) -> list[Any]:
    hints = get_type_hints(kind)
    members: list[Any] = []
    for field in fields(kind):
        if not kept(field):
            continue
        member: Any = shape(hints[field.name])
        if field.default is not MISSING:
            members.append((field.name, member, field.default))
        elif field.default_factory is not MISSING:
            made = msgspec.field(default_factory=field.default_factory)
            members.append((field.name, member, made))
        else:
            members.append((field.name, member))
    return members


def structure(name: str, members: Iterable[Any], **options: Any) -> type[msgspec.Struct]:
    """An object on a tape that has these members, and no others."""
    return msgspec.defstruct(
        name, members, forbid_unknown_fields=True, gc=False, kw_only=True, **options
    )


@cache
def given(call: Any) -> type[msgspec.Struct]:
    """The shape of what a method is given."""
    defaults = {
        name: one.default
        for name, one in inspect.signature(call).parameters.items()
        if one.default is not inspect.Parameter.empty
    }
    return structure(
        "Given",
        [
            (name, shape(hint), defaults[name]) if name in defaults else (name, shape(hint))
            for name, hint in parameters(call).items()
        ],
    )


def parameters(call: Any) -> dict[str, Any]:
    """Name and type of what a method is given."""
    return {name: hint for name, hint in get_type_hints(call).items() if name != "return"}


def kinds(hint: Any) -> list[Any]:
    """What something may be if it is not None: one type, or several dataclasses."""
    if not is_union(hint):
        return [hint]
    found = [one for one in get_args(hint) if one is not type(None)]
    if len(found) > 1 and not all(isinstance(one, type) and is_dataclass(one) for one in found):
        raise TypeError(f"a tape cannot tell {hint} apart")
    return found


def is_union(hint: Any) -> bool:
    """Whether something may be of several types, None among them."""
    return get_origin(hint) in (Union, types.UnionType)
