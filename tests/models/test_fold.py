from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from models import graph
from models.errors import ModelError
from models.fold import dequantise, fold
from tests.models import tiny


def test_one_scale_for_all() -> None:
    x = np.array([[1, -2], [3, 4]], np.int8)
    got = dequantise(x, np.array([0.5], np.float32), np.array([1], np.int8), 1, 0)
    np.testing.assert_array_equal(got, [[0.0, -1.5], [1.0, 1.5]])
    assert got.dtype == np.float32


def test_one_scale_for_each_slice_of_the_axis() -> None:
    x = np.array([[1, 2, 3], [4, 5, 6]], np.int8)
    got = dequantise(x, np.array([1.0, 10.0], np.float32), None, 0, 0)
    np.testing.assert_array_equal(got, [[1, 2, 3], [40, 50, 60]])


@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**31))
def test_blocks_along_an_axis(length: int, block: int, other: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    x = random.integers(-128, 128, (other, length)).astype(np.int8)
    blocks = -(-length // block)
    scale = random.random((other, blocks)).astype(np.float32)
    zero = random.integers(-10, 10, (other, blocks)).astype(np.int8)
    got = dequantise(x, scale, zero, 1, block)
    for i in range(other):
        for j in range(length):
            b = j // block
            want = np.float32(int(x[i, j]) - int(zero[i, b])) * scale[i, b]
            assert got[i, j] == want


@pytest.mark.parametrize(
    ("shape", "axis", "block"),
    [((3,), 0, 0), ((2, 2), 1, 4), ((2, 3), 1, 0), ((4,), 1, 2)],
)
def test_scales_that_fit_nothing_are_refused(shape: tuple[int, ...], axis: int, block: int) -> None:
    with pytest.raises(ModelError) as caught:
        dequantise(np.zeros((2, 4), np.int8), np.ones(shape, np.float32), None, axis, block)
    assert caught.value.code == "model_unsupported"
    assert str(shape) in caught.value.text


def _quantised() -> onnx.ModelProto:
    """y = x @ reshape(blockwise(w)), with a weight that is also named as an input."""
    random = np.random.default_rng(5)
    nodes = [
        graph.node("DequantizeLinear", ["q", "s", "z"], "w_flat", axis=1, block_size=4),
        graph.node("Reshape", ["w_flat", "shape"], "w"),
        graph.node("MatMul", ["x", "w"], "y"),
    ]
    q = onnx.numpy_helper.from_array(random.integers(-128, 128, (4, 12)).astype(np.int8), "q")
    z = onnx.numpy_helper.from_array(random.integers(-9, 9, (4, 3)).astype(np.int8), "z")
    net = graph.model(
        nodes,
        [graph.value("x", (2, 6)), graph.value("w_flat", (4, 12))],
        [graph.value("y", (2, 8))],
        [
            q,
            z,
            graph.tensor("s", random.random((4, 3)).astype(np.float32)),
            graph.tensor("shape", np.array([6, -1], np.int64)),
        ],
        opset=21,
    )
    net.ir_version = graph.IR_VERSION
    return net


def test_a_folded_net_computes_what_the_quantised_one_did() -> None:
    net = _quantised()
    x = np.random.default_rng(6).random((2, 6)).astype(np.float32)
    del net.graph.input[1]
    want = ReferenceEvaluator(net).run(None, {"x": x})[0]
    folded = _quantised()
    fold(folded)
    assert [n.op_type for n in folded.graph.node] == ["MatMul"]
    assert [i.name for i in folded.graph.input] == ["x"]
    assert [i.name for i in folded.graph.initializer] == ["w"]
    got = tiny.run(graph.serialise(folded, "folded"), x)[0]
    np.testing.assert_allclose(got, want, rtol=1e-5)


def test_constants_and_copied_dimensions_fold_and_activations_stay() -> None:
    constant = graph.node("Constant", [], "c")
    held = constant.attribute.add()
    held.name, held.type = "value", onnx.AttributeProto.TENSOR
    held.t.CopyFrom(graph.tensor("", np.arange(6, dtype=np.float32).reshape(3, 2)))
    net = graph.model(
        [
            constant,
            graph.node("Reshape", ["c", "shape"], "w"),  # (3, 2) to (0, 1, 2): 0 copies the 3
            graph.node("Reshape", ["x", "shape"], "r"),  # an activation: not ours to fold
            graph.node("Add", ["r", "w"], "y"),
        ],
        [graph.value("x", (3, 2))],
        [graph.value("y", (3, 1, 2))],
        [graph.tensor("shape", np.array([0, 1, 2], np.int64))],
        opset=13,
    )
    fold(net)
    assert [n.op_type for n in net.graph.node] == ["Reshape", "Add"]
    got = tiny.run(graph.serialise(net, "n"), np.ones((3, 2), np.float32))[0]
    np.testing.assert_array_equal(got, np.arange(6).reshape(3, 1, 2) + 1)
