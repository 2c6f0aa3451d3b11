from __future__ import annotations

import numpy as np
import onnx
import pytest

from models import graph
from tests.models import tiny


def _net() -> graph.Proto:
    return onnx.ModelProto.FromString(tiny.onnx_net())


def test_bytes_do_not_depend_on_decoration_or_order() -> None:
    plain, other = _net(), _net()
    other.doc_string = "made on a Tuesday"
    other.producer_version = "99"
    other.metadata_props.add(key="when", value="now")
    other.graph.node[0].name = "PRelu_1"
    other.graph.node[0].doc_string = "a node"
    other.graph.value_info.append(graph.value("y", (1, 3, 4, 4)))
    other.graph.initializer.insert(0, graph.tensor("unused", np.zeros(3, np.float32)))
    assert graph.serialise(plain, "a") == graph.serialise(other, "a")
    assert graph.serialise(plain, "a") != graph.serialise(plain, "b")


def test_serialising_twice_changes_nothing() -> None:
    once = graph.serialise(_net(), "a")
    assert graph.serialise(onnx.ModelProto.FromString(once), "a") == once


def test_attributes_keep_their_kinds() -> None:
    node = graph.node("X", ["a"], "b", z=1, y=0.5, x="s", w=[1, 2])
    assert [a.name for a in node.attribute] == ["w", "x", "y", "z"]
    values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    assert values == {"w": [1, 2], "x": b"s", "y": 0.5, "z": 1}
    assert graph.attribute(node, "z", 7) == 1
    assert graph.attribute(node, "missing", 7) == 7


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.int32])
def test_tensors_come_back(dtype: type) -> None:
    values = np.arange(6, dtype=dtype).reshape(2, 3)[:, ::-1]
    back = graph.array_of(graph.tensor("t", values))
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, values)


def test_renaming_reaches_every_use() -> None:
    net = _net()
    graph.rename(net, {"x": "image", "y": "out", "slope": "s"})
    x = np.full((1, 3, 4, 4), 100, np.float32)
    renamed = graph.serialise(net, "a")
    np.testing.assert_array_equal(tiny.run(renamed, x), tiny.run(tiny.onnx_net(), x))
    assert net.graph.input[0].name == "image"
    assert net.graph.output[0].name == "out"
