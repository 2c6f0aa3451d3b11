from __future__ import annotations

import numpy as np
import onnx
import pytest

from models import graph
from models.errors import ModelError
from models.prelu import flush_tiny, rewrite
from tests.models import tiny


def _prelu(slope: np.ndarray, channels: int = 3) -> onnx.ModelProto:
    shape = (1, channels, 5, 4)
    return graph.model(
        [graph.node("PRelu", ["x", "slope"], "y")],
        [graph.value("x", shape)],
        [graph.value("y", shape)],
        [graph.tensor("slope", slope.astype(np.float32))],
        opset=13,
    )


@pytest.mark.parametrize("slopes", [[0.1, -0.5, 3.0], [0.1, -0.5, 1.0]])
def test_the_rewritten_net_computes_the_same(slopes: list[float]) -> None:
    slope = np.array(slopes).reshape(3, 1, 1)
    x = np.random.default_rng(1).normal(size=(1, 3, 5, 4)).astype(np.float32)
    net = _prelu(slope)
    assert rewrite(net) == 1
    assert "PRelu" not in {n.op_type for n in net.graph.node}
    want = np.where(x > 0, x, x * slope.astype(np.float32))
    got = tiny.run(graph.serialise(net, "n"), x)[0]
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7)


def test_a_slope_shared_by_all_channels_is_left_to_the_runtime() -> None:
    net = _prelu(np.array([0.2]))
    assert rewrite(net) == 0
    assert [n.op_type for n in net.graph.node] == ["PRelu"]


def test_a_slope_that_is_not_per_channel_is_refused() -> None:
    # (4,) broadcasts along the width, not the channels (PRelu-9)
    with pytest.raises(ModelError) as caught:
        rewrite(_prelu(np.ones(4)))
    assert caught.value.code == "model_unsupported"
    with pytest.raises(ModelError):
        rewrite(_prelu(np.ones((3, 5, 1))))


def test_a_computed_slope_is_refused() -> None:
    net = _prelu(np.ones((3, 1, 1)))
    del net.graph.initializer[:]
    with pytest.raises(ModelError) as caught:
        rewrite(net)
    assert "not a constant" in caught.value.text


def test_only_tiny_weights_are_flushed() -> None:
    weights = np.array([0.0, 1e-30, -1e-13, 1e-11, -2.0])
    net = _prelu(weights.reshape(5, 1, 1), channels=5)
    net.graph.initializer.append(graph.tensor("shape", np.array([0, 1], np.int64)))
    assert flush_tiny(net) == 2
    np.testing.assert_array_equal(
        graph.array_of(net.graph.initializer[0]).ravel(),
        np.array([0, 0, 0, 1e-11, -2], np.float32),
    )
