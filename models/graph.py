"""ONNX protobufs written so that the same net always gives the same bytes.

Here: tensors, nodes, values, and `serialise`. Not here: what to change in a net (fold, lower,
prelu, widen). Source: ONNX IR specification (onnx/onnx docs/IR.md). The onnx package's own helpers
are left aside on purpose: what they fill in (producer, doc strings, attribute order) differs
between its versions, and the server compares the sha256 of these bytes with the manifest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx

from models.errors import ModelError

Array: TypeAlias = npt.NDArray[Any]
Proto: TypeAlias = Any
"""An onnx protobuf message; the classes are generated and carry no types."""

IR_VERSION = 8
"""ONNX IR 8 (2022): the oldest that every runtime we accept reads, whatever opset the net uses."""

PRODUCER = "lookgate"

_TYPES: dict[str, int] = {
    "float32": onnx.TensorProto.FLOAT,
    "int64": onnx.TensorProto.INT64,
    "int32": onnx.TensorProto.INT32,
}
_LITTLE_ENDIAN = {"float32": "<f4", "int64": "<i8", "int32": "<i4"}


def tensor(name: str, array: Array) -> Proto:
    """An initialiser of float32, int64 or int32 values, as little-endian raw data."""
    kind = array.dtype.name
    out = onnx.TensorProto()
    out.dims.extend(int(d) for d in array.shape)
    out.data_type = _TYPES[kind]
    out.name = name
    out.raw_data = np.ascontiguousarray(array, dtype=_LITTLE_ENDIAN[kind]).tobytes()
    return out


def array_of(proto: Proto) -> Array:
    """The values of an initialiser."""
    values: Array = onnx.numpy_helper.to_array(proto)
    return values


def node(
    op: str,
    inputs: Sequence[str],
    output: str,
    **attributes: int | float | str | Sequence[int],
) -> Proto:
    """A node with one output; attributes are written in the order of their names."""
    out = onnx.NodeProto()
    out.op_type = op
    out.input.extend(inputs)
    out.output.append(output)
    for name in sorted(attributes):
        value = attributes[name]
        attribute = out.attribute.add()
        attribute.name = name
        if isinstance(value, str):
            attribute.type, attribute.s = onnx.AttributeProto.STRING, value.encode()
        elif isinstance(value, int):
            attribute.type, attribute.i = onnx.AttributeProto.INT, value
        elif isinstance(value, float):
            attribute.type, attribute.f = onnx.AttributeProto.FLOAT, value
        else:
            attribute.type = onnx.AttributeProto.INTS
            attribute.ints.extend(value)
    return out


def attribute(of: Proto, name: str, default: int) -> int:
    """An integer attribute of a node, or its default."""
    return next((int(a.i) for a in of.attribute if a.name == name), default)


def value(name: str, shape: Sequence[int]) -> Proto:
    """A float32 graph input or output of fixed shape."""
    out = onnx.ValueInfoProto()
    out.name = name
    out.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    for size in shape:
        out.type.tensor_type.shape.dim.add().dim_value = int(size)
    return out


def model(
    nodes: Iterable[Proto],
    inputs: Iterable[Proto],
    outputs: Iterable[Proto],
    initialisers: Iterable[Proto],
    opset: int,
) -> Proto:
    """A model of the default operator domain."""
    out = onnx.ModelProto()
    domain = out.opset_import.add()
    domain.domain, domain.version = "", opset
    out.graph.node.extend(nodes)
    out.graph.input.extend(inputs)
    out.graph.output.extend(outputs)
    out.graph.initializer.extend(initialisers)
    return out


def opset_of(net: Proto) -> int:
    """The version of the default operator domain that a model asks for."""
    return next(int(o.version) for o in net.opset_import if o.domain in ("", "ai.onnx"))


def rename(net: Proto, names: dict[str, str]) -> None:
    """Give tensors (graph inputs and outputs above all) other names, wherever they are used."""
    for n in net.graph.node:
        n.input[:] = [names.get(i, i) for i in n.input]
        n.output[:] = [names.get(o, o) for o in n.output]
    for v in (*net.graph.input, *net.graph.output, *net.graph.initializer):
        v.name = names.get(v.name, v.name)


def serialise(net: Proto, name: str) -> bytes:
    """The canonical bytes of a model: no names of nodes, doc strings, metadata or stale shapes,
    only initialisers that are used, sorted; fixed IR version and producer. Checked by onnx's
    checker. Raises ModelError (model_unsupported) for what it does not take.
    """
    used = {i for n in net.graph.node for i in n.input}
    nodes = []
    for old in net.graph.node:
        new = onnx.NodeProto()
        new.op_type = old.op_type
        new.input.extend(old.input)
        new.output.extend(old.output)
        for a in sorted(old.attribute, key=lambda a: str(a.name)):
            kept = new.attribute.add()
            kept.CopyFrom(a)
            kept.ClearField("doc_string")
        nodes.append(new)
    values = {i.name: array_of(i) for i in net.graph.initializer if i.name in used}
    out = model(
        nodes,
        [value(v.name, shape_of(v)) for v in net.graph.input],
        [value(v.name, shape_of(v)) for v in net.graph.output],
        [tensor(k, values[k]) for k in sorted(values)],
        opset_of(net),
    )
    out.ir_version = IR_VERSION
    out.producer_name = PRODUCER
    out.graph.name = name
    try:
        onnx.checker.check_model(out)
    except onnx.checker.ValidationError as fault:
        raise ModelError("model_unsupported", "The net is no valid ONNX graph.") from fault
    data: bytes = out.SerializeToString(deterministic=True)
    return data


def shape_of(v: Proto) -> tuple[int, ...]:
    """The fixed shape of a graph input or output."""
    return tuple(int(d.dim_value) for d in v.type.tensor_type.shape.dim)
