from __future__ import annotations

import numpy as np
import onnx
import pytest

from models import graph
from models.widen import BLOCK, widen
from tests.models import tiny

RNG = np.random.default_rng(7)
KERNEL = {"kernel_shape": [1, 1], "pads": [0, 0, 0, 0], "strides": [1, 1], "dilations": [1, 1]}


def _net(middle: int, *, tail: list[onnx.NodeProto] | None = None, out: str = "y") -> graph.Proto:
    """4 channels to `middle` ones, each scaled and rectified, added up, and back to 4."""

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        return graph.tensor(name, RNG.normal(size=shape).astype(np.float32))

    nodes = [
        graph.node("Conv", ["x", "w1", "b1"], "a", group=1, **KERNEL),
        graph.node("Relu", ["a"], "r"),
        graph.node("Conv", ["r", "w2", "b2"], "s", group=middle, **KERNEL),
        graph.node("Add", ["a", "s"], "t"),
        graph.node("Conv", ["t", "w3"], "y", group=1, **KERNEL),
    ]
    weights = [
        weight("w1", middle, 4, 1, 1),
        weight("b1", middle),
        weight("w2", middle, 1, 1, 1),
        weight("b2", middle),
        weight("w3", 4, middle, 1, 1),
    ]
    shape = (1, 4 if out == "y" else middle, 6, 5)
    return graph.model(
        nodes + (tail or []),
        [graph.value("x", (1, 4, 6, 5))],
        [graph.value(out, shape)],
        weights,
        opset=13,
    )


def _shapes(net: graph.Proto) -> dict[str, tuple[int, ...]]:
    return {i.name: graph.array_of(i).shape for i in net.graph.initializer}


def _run(net: graph.Proto) -> np.ndarray:
    x = np.random.default_rng(1).normal(size=(1, 4, 6, 5)).astype(np.float32)
    return tiny.run(graph.serialise(net, "n"), x)[0]


@pytest.mark.parametrize("middle", [1, 13, 17])
def test_the_wider_net_computes_the_same(middle: int) -> None:
    net = _net(middle)
    before = _run(net)
    assert widen(net) == 1
    wide = -(-middle // BLOCK) * BLOCK
    assert _shapes(net) == {
        "w1": (wide, 4, 1, 1),
        "b1": (wide,),
        "w2": (wide, 1, 1, 1),
        "b2": (wide,),
        "w3": (4, wide, 1, 1),
    }
    np.testing.assert_allclose(_run(net), before, rtol=1e-5, atol=1e-6)


def test_whole_blocks_and_the_ends_of_the_net_stay_as_they_are() -> None:
    net = _net(BLOCK)
    before = _shapes(net)
    assert widen(net) == 0
    assert _shapes(net) == before


def test_channels_that_something_else_reads_are_left_alone() -> None:
    def other(inputs: list[str], op: str, out: str) -> list[onnx.NodeProto]:
        return [graph.node(op, inputs, out)]

    for net in (
        _net(13, tail=other(["t"], "Sigmoid", "z")),  # sigmoid(0) is not 0
        _net(13, out="t"),  # the caller would see more channels
        _net(13, tail=other(["t", "w1"], "Add", "z")),  # a sum with what is not widened
    ):
        before = _shapes(net)
        assert widen(net) == 0
        assert _shapes(net) == before


def test_weights_that_serve_twice_are_left_alone() -> None:
    again = graph.node("Conv", ["x", "w1", "b1"], "z", group=1, **KERNEL)
    net = _net(13, tail=[again])
    assert widen(net) == 0
