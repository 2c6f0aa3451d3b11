"""Values on a tape: every field of everything that a session hears and says comes back bit for bit.

The examples are built from the types, so a new field is tried without a change here; one of a type
that a tape cannot carry fails `test_a_tape_carries_everything`.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.events import Event
from pipeline.inputs import Input
from pipeline.observation import Ask, Observation
from pipeline.policy import Policy
from pipeline.reasons import Purpose
from pipeline.session import SessionPipeline
from pipeline.tape import LINES
from pipeline.tape import fields as tape_fields
from pipeline.tape.fields import Arrays
from pipeline.tape.kinds import INPUTS, KINDS
from pipeline.tape.reader import open_tape
from pipeline.tape.replay import equal
from pipeline.tape.writer import TapeWriter
from pipeline.template import Gallery

ON_TAPES = {
    "begin": [],
    "introduce": ["still", "claim"],
    "painted": ["n", "step", "ms", "now_s"],
    "step": ["obs"],
    "tick": ["now_s"],
    "cancel": ["now_s"],
    "disconnect": ["now_s"],
    "fail": ["now_s"],
}
"""Kind of line -> its members, in their order: what is on the tapes that people have. An input may
get a new field with a default; none of these may ever be called otherwise."""


def example(hint: Any, rng: np.random.Generator) -> Any:
    """Some value of a type, nothing in it a default, nothing twice."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        inner = [one for one in arguments if one is not type(None)]
        return example(inner[int(rng.integers(len(inner)))], rng)
    if origin is np.ndarray:
        dtype = get_args(arguments[1])[0]
        values = rng.standard_normal((3, 2)) * 100
        return values.astype(dtype)
    if origin in (tuple, list, Sequence):
        if origin is not tuple or arguments[-1] is Ellipsis:
            return (tuple if origin is not list else list)(
                example(arguments[0], rng) for _ in range(2)
            )
        return tuple(example(one, rng) for one in arguments)
    if origin is not None and issubclass(origin, Mapping):
        return {f"name{k}": example(arguments[1], rng) for k in range(2)}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return list(hint)[int(rng.integers(len(hint)))]
    if isinstance(hint, type) and is_dataclass(hint):
        hints = get_type_hints(hint)
        return hint(**{f.name: example(hints[f.name], rng) for f in fields(hint) if f.init})
    plain = {
        float: lambda: float(rng.standard_normal()),
        int: lambda: int(rng.integers(1, 2**40)),
        str: lambda: f"t\u00e4xt-{rng.integers(1, 10**6)}",
        bool: lambda: True,
        bytes: lambda: rng.bytes(20),
    }
    return plain[hint]()


def again(hint: Any, value: Any) -> Any:
    """Written, as JSON text, and read."""
    text = json.dumps(tape_fields.write(value, Arrays()), allow_nan=False)
    return tape_fields.read(hint, json.loads(text), Arrays())


VALUES = [Observation, Ask, Policy, *get_args(Event)]


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__name__)
def test_a_tape_carries_everything(kind: Any) -> None:
    rng = np.random.default_rng(5)
    for _ in range(5):
        value = example(kind, rng)
        assert equal(again(kind, value), value)
        # Each field is on the tape by its name, and what is there is its value.
        written = tape_fields.write(value, Arrays())
        assert set(written) == {"is", *(field.name for field in fields(kind) if field.compare)}


def test_every_input_has_its_kind_of_line() -> None:
    assert list(INPUTS.values()) == list(get_args(Input))
    assert {KINDS[told]: told for told in INPUTS.values()} == INPUTS
    assert {kind: [f.name for f in fields(told)] for kind, told in INPUTS.items()} == ON_TAPES


@pytest.mark.parametrize("kind", INPUTS)
def test_a_tape_carries_every_input(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    told = [example(INPUTS[kind], rng) for _ in range(5)]
    made_with = {
        "purpose": Purpose.ENROLL,
        "policy": Policy(),
        "gallery": Gallery.of([]),
        "model_id": "test",
        "started_s": 1.0,
    }
    tape = TapeWriter(tmp_path / "t", session=made_with, about={}, at_s=1.0)
    for one in told:
        tape.input(one, 2.0)
    tape.close(3.0)
    lines = list(open_tape(tmp_path / "t").lines())[:-1]
    assert [(line.kind, line.t) for line in lines] == [(kind, 2.0)] * len(told)
    assert all(equal(line.value, one) for line, one in zip(lines, told, strict=True))
    written = json.loads((tmp_path / "t" / LINES).read_bytes().splitlines()[1])
    assert list(written) == ["k", "t", "with", "sum"]
    assert list(written["with"]) == ON_TAPES[kind]


def test_a_tape_carries_what_a_session_is_made_with() -> None:
    rng = np.random.default_rng(7)
    hints = get_type_hints(SessionPipeline.__init__)
    del hints["return"]
    for name, hint in hints.items():
        value = example(hint, rng)
        assert equal(again(hint, value), value), name


@dataclass(frozen=True)
class Strange:
    """Of what no tape can carry."""

    found: set[int]


def test_what_cannot_be_carried_is_refused_not_dropped() -> None:
    with pytest.raises(TypeError, match="cannot carry"):
        tape_fields.reader(Strange)
    with pytest.raises(TypeError, match="cannot carry"):
        tape_fields.write(Strange({1}), Arrays())
    with pytest.raises(TypeError, match="apart"):
        tape_fields.reader(int | str)
    with pytest.raises(TypeError, match="elements"):
        Arrays().write(np.array(["text"]))
    with pytest.raises(TypeError, match="names"):
        tape_fields.write({1: 2}, Arrays())


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_numbers_come_back_bit_for_bit(value: float) -> None:
    back = again(float, value)
    assert type(back) is float
    assert math.copysign(1, back) == math.copysign(1, value) or math.isnan(value)
    assert back == value or (math.isnan(back) and math.isnan(value))


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int32, np.uint8, np.bool_, np.float16]),
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4),
    )
)
def test_arrays_come_back_bit_for_bit(array: Any) -> None:
    back = again(np.ndarray[Any, Any], array)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()


@pytest.mark.parametrize("value", [np.float32(0.1), np.float64(0.1), np.bool_(True), np.int64(7)])
def test_numpy_numbers_stay_numpy_numbers(value: Any) -> None:
    kind = {"b": bool, "i": int, "f": float}[value.dtype.kind]
    back = again(kind, value)
    assert type(back) is type(value)
    assert back == value


def test_big_endian_and_strided_arrays_are_carried_as_their_values() -> None:
    array = np.arange(12, dtype=">f4").reshape(3, 4)[:, ::2]
    back = again(np.ndarray[Any, Any], array)
    assert np.array_equal(back, array)
    assert back.dtype == np.dtype("<f4")


def test_an_array_that_comes_again_is_its_number() -> None:
    out, back = Arrays(), Arrays()
    one, two = np.ones(3, np.float32), np.zeros(3, np.float32)
    written = [out.write(a) for a in (one, two, one.copy(), one.astype(np.float64))]
    assert written[2] == {"a": 0}
    assert "b" in written[3]  # the same numbers, but other bits
    read = [tape_fields.read(np.ndarray[Any, Any], value, back) for value in written]
    assert read[2] is read[0]
    assert not read[0].flags.writeable


@pytest.mark.parametrize(
    "value",
    [
        {"a": 0},
        {"a": -1},
        {"a": True},
        {"d": "<f4", "s": [2], "b": "AAAA"},
        {"d": "<f4", "s": [-1], "b": "AAAAAA=="},
        {"d": "<f4", "s": [1.0], "b": "AAAAAA=="},
        {"d": "|O8", "s": [1], "b": "AAAAAAAAAAA="},
        {"d": "<f4", "s": [1], "b": "!!"},
        {"d": "<f4", "s": [1], "b": 5},
        {"d": "<f4", "s": [1], "b": "AAAAAA==", "x": 1},
        {},
        [],
        "text",
        None,
    ],
)
def test_what_is_no_array_is_refused(value: Any) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, IndexError)):
        tape_fields.read(np.ndarray[Any, Any], value, Arrays())


def test_what_is_no_record_is_refused() -> None:
    good = tape_fields.write(Ask(), Arrays())
    for wrong in (
        {**good, "is": "Roi"},
        {**good, "surprise": 1},
        {**good, "detect": "yes"},
        {**good, "detect": 1},
        {**good, "roi": 5},
        {k: v for k, v in good.items() if k != "is"},
        5,
    ):
        with pytest.raises((ValueError, TypeError, KeyError, IndexError, AttributeError)):
            tape_fields.read(Ask, wrong, Arrays())
    # A tape from before a field was there: the default counts.
    assert tape_fields.read(Ask, {"is": "Ask"}, Arrays()) == Ask()
    rng = np.random.default_rng(1)
    seen = tape_fields.write(replace(example(Observation, rng), face=None), Arrays())
    del seen["sketch"]
    with pytest.raises(ValueError, match="sketch"):
        tape_fields.read(Observation, seen, Arrays())
