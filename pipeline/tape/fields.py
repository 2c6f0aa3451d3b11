"""Values of the core as JSON, and back, bit for bit: dataclasses, enums, numbers and arrays.

Works from the type hints alone, so a field that a dataclass gets is carried without a change here;
a type that it cannot carry is refused at once (TypeError), never dropped. Reading takes two steps:
msgspec checks a line against a `shape` (shapes.py) and leaves plain values and structures, a
`reader` makes the core's of them. RFC 8259 knows no NaN, so what is not finite is written as text.
Source: docs/tape.md, "Values".
"""

from __future__ import annotations

import binascii
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import numpy as np

from pipeline.tape.shapes import is_union, kept, kinds, parameters, shape

Reader = Callable[[Any, "Arrays"], Any]
"""From a value of a shape to the core's. Raises ValueError, TypeError, KeyError, IndexError."""

DTYPES = {
    kind: np.dtype(kind)
    for kind in ("|b1", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f2", "<f4", "<f8")
}
"""Element types of arrays, in NumPy's notation: kind and bytes, little endian."""
REMEMBERED = 64
"""How far back a writer looks for an equal array: an ask gives back what the last frame gave."""


class Arrays:
    """The arrays of one tape, numbered from 0 in the order in which they were written.

    One that is written again becomes its number: tracked points and the mesh of a reference frame
    would else be on every line twice.
    """

    def __init__(self, found: Iterable[Any] = ()) -> None:
        """`found`: those that were read before."""
        self._written: OrderedDict[tuple[str, tuple[int, ...], bytes], int] = OrderedDict()
        self._count = 0
        self.found = list(found)
        """What was read."""

    def write(self, array: Any) -> dict[str, Any]:
        """As JSON. Raises TypeError for elements that are no numbers."""
        array = np.asarray(array)
        kind = array.dtype.newbyteorder("<").str
        if kind not in DTYPES:
            raise TypeError(f"a tape cannot carry elements of {array.dtype}")
        data = np.ascontiguousarray(array, kind).tobytes()
        key = (kind, array.shape, data)
        if (known := self._written.get(key)) is not None:
            return {"a": known}
        self._written[key] = self._count
        self._count += 1
        if len(self._written) > REMEMBERED:
            self._written.popitem(last=False)
        text = binascii.b2a_base64(data, newline=False).decode("ascii")
        return {"d": kind, "s": list(array.shape), "b": text}


def write(value: Any, arrays: Arrays) -> Any:
    """Anything that the core says or hears, as JSON. Raises TypeError for anything else."""
    kind = value.__class__
    if value is None or kind is bool or kind is int or kind is str:
        return value
    if kind is float:
        return value if value - value == 0.0 else repr(value)  # inf - inf and nan - nan are nan
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, np.ndarray | np.generic):
        # A NumPy number where a Python one was promised stays one: float32 sums round otherwise.
        return arrays.write(value)
    if is_dataclass(value):
        made: dict[str, Any] = {"is": kind.__name__}
        for name in names(kind):
            made[name] = write(getattr(value, name), arrays)
        return made
    if isinstance(value, bytes):
        return binascii.b2a_base64(value, newline=False).decode("ascii")
    if isinstance(value, tuple | list):
        return [write(one, arrays) for one in value]
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise TypeError("a tape carries names of text only")
        return {name: write(one, arrays) for name, one in value.items()}
    raise TypeError(f"a tape cannot carry {kind.__name__}")


@cache
def names(kind: Any) -> tuple[str, ...]:
    """The fields of a dataclass that its equality knows, in their order: what a tape keeps."""
    return tuple(field.name for field in fields(kind) if field.compare)


@cache
def arguments(call: Any) -> dict[str, Reader]:
    """How to read what a method is given, by the names of its parameters."""
    return {name: reader(hint) for name, hint in parameters(call).items()}


def told(given: Any, readers: Mapping[str, Reader], arrays: Arrays) -> dict[str, Any]:
    """What a method is given, by name: of what fits its shape (`shapes.given`)."""
    return {name: read_one(getattr(given, name), arrays) for name, read_one in readers.items()}


def read(hint: Any, value: Any, arrays: Arrays) -> Any:
    """A JSON value as one of this type."""
    return reader(hint)(msgspec.convert(value, shape(hint)), arrays)


@cache
def reader(hint: Any) -> Reader:
    """How to make a value of this type of what fits its shape. Raises TypeError for types that a
    tape cannot carry."""
    shape(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if is_union(hint):
        return _either(hint)
    if hint is float:
        return _number
    if hint in (int, bool):
        return lambda value, arrays: value if value.__class__ is hint else _scalar(value, arrays)
    if origin is np.ndarray:
        return _array
    if origin in (tuple, list, Sequence):
        return _sequence(origin, arguments)
    if origin is not None and issubclass(origin, Mapping):
        inner = reader(arguments[1])
        return lambda value, arrays: {name: inner(one, arrays) for name, one in value.items()}
    if is_dataclass(hint):
        return _record(hint)
    return lambda value, arrays: value


def _number(value: Any, arrays: Arrays) -> Any:
    if value.__class__ is float or value.__class__ is int:
        return value  # a whole number where a float was promised stays one
    if value.__class__ is not str:
        return _scalar(value, arrays)
    if value not in ("nan", "inf", "-inf"):
        raise ValueError("no number")
    return float(value)


def _scalar(value: Any, arrays: Arrays) -> Any:
    found = _array(value, arrays)
    if isinstance(found, np.ndarray):
        raise TypeError("an array in place of a number")
    return found


def _array(value: Any, arrays: Arrays) -> Any:
    """A read-only array, or for shape [] a NumPy scalar."""
    size, data = value.s, value.b
    if not value.d:
        if value.a < 0 or size or data:
            raise ValueError("an array's number")
        return arrays.found[value.a]
    array: Any = np.ndarray(size, DTYPES[value.d], data)
    if array.nbytes != len(data) or value.a != -1:
        raise ValueError("an array's elements")
    if not size:
        array = array[()]
    arrays.found.append(array)
    return array


def _sequence(origin: Any, arguments: tuple[Any, ...]) -> Reader:
    make = list if origin is list else tuple
    if len(arguments) == 1 or arguments[1] is Ellipsis:
        inner = reader(arguments[0])
        return lambda value, arrays: make(inner(one, arrays) for one in value)
    each = tuple(map(reader, arguments))

    return lambda value, arrays: tuple(one(v, arrays) for one, v in zip(each, value, strict=True))


def _either(hint: Any) -> Reader:
    """Something or None, or one of several records."""
    found = kinds(hint)
    if len(found) == 1:
        read_one = reader(found[0])
        return lambda value, arrays: None if value is None else read_one(value, arrays)
    named = {kind.__name__: reader(kind) for kind in found}
    return lambda value, arrays: (
        None if value is None else named[value.__class__.__name__](value, arrays)
    )


def _record(kind: Any) -> Reader:
    hints = get_type_hints(kind)
    members = [(field.name, reader(hints[field.name])) for field in fields(kind) if kept(field)]
    return lambda value, arrays: kind(
        **{name: read_one(getattr(value, name), arrays) for name, read_one in members}
    )
