"""Values of the core as JSON, and back, bit for bit: dataclasses, enums, numbers and arrays.

Works from the type hints alone, so a field that a dataclass gets is carried without a change here;
a type that it cannot carry is refused at once (TypeError), never dropped. Source: docs/tape.md,
"Values"; RFC 8259 knows no NaN, so what is not finite is written as text.
"""

from __future__ import annotations

import binascii
import types
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, make_dataclass
from enum import Enum
from functools import cache
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import numpy as np

from pipeline.tape.lines import unpacked

Reader = Callable[[Any, "Arrays"], Any]
"""From a JSON value to the core's. Raises ValueError, TypeError, KeyError, IndexError."""

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
    """The fields of a dataclass, in their order."""
    return tuple(field.name for field in fields(kind))


@cache
def reader(hint: Any) -> Reader:
    """How to read a value of this type. Raises TypeError for types that a tape cannot carry."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Union or origin is types.UnionType:
        return _either(arguments)
    if hint in _PLAIN:
        return _PLAIN[hint]
    if origin is np.ndarray:
        return _array
    if origin in (tuple, list):
        return _sequence(origin, arguments)
    if origin is Sequence:
        return _sequence(tuple, (*arguments, Ellipsis))
    if origin is not None and issubclass(origin, Mapping) and arguments[0] is str:
        inner = reader(arguments[1])
        return lambda value, arrays: {name: inner(one, arrays) for name, one in value.items()}
    if isinstance(hint, type) and issubclass(hint, Enum):
        members = {member.value: member for member in hint}
        return lambda value, arrays: members[value]
    if isinstance(hint, type) and is_dataclass(hint):
        return _record(hint)
    raise TypeError(f"a tape cannot carry {hint}")


def read(hint: Any, value: Any, arrays: Arrays) -> Any:
    """A JSON value as one of this type."""
    return reader(hint)(value, arrays)


@cache
def arguments(call: Any) -> dict[str, Reader]:
    """How to read what a method is given, by the names of its parameters."""
    hints = get_type_hints(call)
    return {name: reader(hint) for name, hint in hints.items() if name != "return"}


def _float(value: Any, arrays: Arrays) -> Any:
    if value.__class__ is float:
        return value
    if value.__class__ is int:
        return value  # a whole number where a float was promised stays one
    if value in ("nan", "inf", "-inf"):
        return float(value)
    return _array(value, arrays)


def _exactly(kind: type) -> Reader:
    def read_one(value: Any, arrays: Arrays) -> Any:
        return value if value.__class__ is kind else _array(value, arrays)

    return read_one


def _array(value: Any, arrays: Arrays) -> Any:
    """A read-only array, or for shape [] a NumPy scalar."""
    if value.__class__ is not dict:
        raise TypeError("neither an array nor a number")
    if len(value) == 1:
        number = value["a"]
        if number.__class__ is not int or number < 0:
            raise ValueError("an array's number")
        return arrays.found[number]
    shape, data = value["s"], unpacked(value["b"], bytes)
    if len(value) != 3 or shape.__class__ is not list:
        raise ValueError("an array")
    for size in shape:
        if size.__class__ is not int or size < 0:
            raise ValueError("a shape")
    array: Any = np.ndarray(shape, DTYPES[value["d"]], data)
    if array.nbytes != len(data):
        raise ValueError("an array's elements")
    if not shape:
        array = array[()]
    arrays.found.append(array)
    return array


def _text(value: Any, arrays: Arrays) -> str:
    if value.__class__ is not str:
        raise TypeError("not text")
    return str(value)


def _bytes(value: Any, arrays: Arrays) -> bytes:
    return unpacked(value, bytes)


_PLAIN: dict[Any, Reader] = {
    float: _float,
    int: _exactly(int),
    bool: _exactly(bool),
    str: _text,
    bytes: _bytes,
}


def _sequence(origin: Any, arguments: tuple[Any, ...]) -> Reader:
    if origin is list or (len(arguments) == 2 and arguments[1] is Ellipsis):
        inner = reader(arguments[0])
        return lambda value, arrays: origin(inner(one, arrays) for one in _listed(value))
    each = tuple(reader(one) for one in arguments)

    def read_tuple(value: Any, arrays: Arrays) -> Any:
        if value.__class__ is list and tuple(map(type, value)) == arguments:
            return tuple(value)  # plain values are themselves
        return tuple(one(v, arrays) for one, v in zip(each, _listed(value), strict=True))

    return read_tuple


def _listed(value: Any) -> Iterable[Any]:
    if value.__class__ is not list:
        raise TypeError("not a list")
    return list(value)


def _either(arguments: tuple[Any, ...]) -> Reader:
    """Something or None, or one of several dataclasses, which say on the tape what they are."""
    inner = [one for one in arguments if one is not type(None)]
    if len(inner) == 1:
        read_one = reader(inner[0])
        return lambda value, arrays: None if value is None else read_one(value, arrays)
    if not all(isinstance(one, type) and is_dataclass(one) for one in inner):
        raise TypeError(f"a tape cannot tell {arguments} apart")
    kinds = {one.__name__: reader(one) for one in inner}
    optional = len(inner) < len(arguments)

    def read_either(value: Any, arrays: Arrays) -> Any:
        return None if optional and value is None else kinds[value["is"]](value, arrays)

    return read_either


def _own(hint: Any) -> frozenset[type]:
    """JSON values of these classes are the value itself: most fields of a frame need no call."""
    if get_origin(hint) in (Union, types.UnionType):
        return frozenset().union(*map(_own, get_args(hint)))
    return frozenset({hint} & {float, int, bool, str, type(None)})


def _given(hint: Any) -> Any:
    """What something is if it is not None."""
    if get_origin(hint) in (Union, types.UnionType):
        inner = [one for one in get_args(hint) if one is not type(None)]
        return inner[0] if len(inner) == 1 else hint
    return hint


def _record(kind: Any) -> Reader:
    hints, name_of_kind = get_type_hints(kind), kind.__name__
    known = {
        field.name: (_own(hints[field.name]), reader(_given(hints[field.name])))
        for field in fields(kind)
        if field.init
    }
    needed = frozenset(
        field.name
        for field in fields(kind)
        if field.init and field.default is MISSING and field.default_factory is MISSING
    )

    def read_record(value: Any, arrays: Arrays) -> Any:
        if value["is"] != name_of_kind:
            raise ValueError("another kind")
        made = {}
        for name, one in value.items():  # in the order of the tape: arrays are numbered in it
            if name != "is":
                own, read_one = known[name]
                made[name] = one if one.__class__ in own else read_one(one, arrays)
        if not needed <= made.keys():
            raise KeyError(min(needed - made.keys()))
        return kind(**made)

    if "__slots__" not in vars(kind) or hasattr(kind, "__post_init__") or not known:
        return read_record
    return _whole(kind, known, read_record)


def _whole(kind: Any, known: Mapping[str, tuple[frozenset[type], Reader]], other: Reader) -> Reader:
    """A reader of records as a writer of this version writes them, all fields in their order; what
    looks otherwise is left to the `other`.

    Its code is made from the fields, as dataclasses make theirs: a loop over them takes twice as
    long, and there are 70 of them to a frame. A frozen dataclass makes a call for each field, too;
    so the fields are those of a class that looks the same inside and is not frozen, until the
    record is declared to be of its kind.
    """
    bare = make_dataclass(kind.__name__, known, slots=True)
    about: dict[str, Any] = {
        "_names": ("is", *known),
        "_kind": kind,
        "_bare": bare,
        "_new": object.__new__,
        "_other": other,
    }
    code = [
        "def read_whole(_value, _arrays):",
        "    if tuple(_value) != _names: return _other(_value, _arrays)",
        f"    _is, {', '.join(known)}, = _value.values()",
        f"    if _is != {kind.__name__!r}: raise ValueError('another kind')",
        "    _one = _new(_bare)",
    ]
    for n, (name, (own, read_one)) in enumerate(known.items()):
        about[f"_own{n}"], about[f"_read{n}"] = own, read_one
        is_it = f"{name}.__class__ in _own{n}"
        if len(own) == 1:
            (about[f"_own{n}"],) = own
            is_it = f"{name}.__class__ is _own{n}"
        unless = f"if not ({is_it}): " if own else ""
        code += [f"    {unless}{name} = _read{n}({name}, _arrays)", f"    _one.{name} = {name}"]
    code += ["    _one.__class__ = _kind", "    return _one"]
    exec("\n".join(code), about)  # of our own dataclasses' names, nothing else
    return cast(Reader, about["read_whole"])
