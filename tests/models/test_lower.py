from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tflite

from models import graph
from models.errors import ModelError
from models.lower import lower
from tests.models import tiny
from tests.models.tiny_tflite import Net, add, conv, depthwise, pool

OP = tflite.BuiltinOperator
ACT = tflite.ActivationFunctionType
RANDOM = np.random.default_rng(3)
Floats = np.ndarray[Any, Any]


def _floats(*shape: int) -> Floats:
    return RANDOM.normal(size=shape).astype(np.float32)


def _run(net: Net, x: Floats) -> Floats:
    return tiny.run(graph.serialise(lower(net.data()), "t"), x)[0]


def _convolved(
    x: Floats, w: Floats, bias: Floats, stride: int, same: bool, dilation: int
) -> Floats:
    """TFLite's reference kernel for CONV_2D, written as its loops: x 1,H,W,I and w O,KH,KW,I."""
    _, height, width, _ = x.shape
    outs, kh, kw, _ = w.shape
    reach_h, reach_w = (kh - 1) * dilation + 1, (kw - 1) * dilation + 1
    if same:
        oh, ow = -(-height // stride), -(-width // stride)
        top = max((oh - 1) * stride + reach_h - height, 0) // 2
        left = max((ow - 1) * stride + reach_w - width, 0) // 2
    else:
        oh, ow = (height - reach_h) // stride + 1, (width - reach_w) // stride + 1
        top = left = 0
    y = np.zeros((1, oh, ow, outs), np.float32)
    for i in range(oh):
        for j in range(ow):
            y[0, i, j] = bias
            for a in range(kh):
                for b in range(kw):
                    r, c = i * stride - top + a * dilation, j * stride - left + b * dilation
                    if 0 <= r < height and 0 <= c < width:
                        y[0, i, j] += w[:, a, b] @ x[0, r, c]
    return y


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("size", [(6, 7), (8, 5)])
def test_conv(same: bool, stride: int, dilation: int, size: tuple[int, int]) -> None:
    x, w, bias = _floats(1, *size, 2), _floats(4, 3, 3, 2), _floats(4)
    want = _convolved(x, w, bias, stride, same, dilation)
    net = Net()
    given = net.activation(*x.shape)
    inputs = [given, net.constant(w), net.constant(bias)]
    net.op(OP.CONV_2D, inputs, net.activation(*want.shape), conv(stride, same, dilation))
    np.testing.assert_allclose(_run(net, x), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("activation", "high"), [(ACT.RELU, np.inf), (ACT.RELU6, 6.0)], ids=["relu", "relu6"]
)
def test_fused_activations(activation: int, high: float) -> None:
    x, w, bias = 4 * _floats(1, 4, 4, 2), _floats(3, 1, 1, 2), _floats(3)
    want = np.clip(_convolved(x, w, bias, 1, True, 1), 0, high)
    assert want.max() > 5
    net = Net()
    inputs = [net.activation(*x.shape), net.constant(w), net.constant(bias)]
    net.op(OP.CONV_2D, inputs, net.activation(*want.shape), conv(activation=activation))
    np.testing.assert_allclose(_run(net, x), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_with_half_precision_weights(stride: int) -> None:
    x, w, bias = _floats(1, 6, 6, 3), _floats(1, 3, 3, 3).astype(np.float16), _floats(3)
    full = np.zeros((3, 3, 3, 3), np.float32)
    for channel in range(3):
        full[channel, :, :, channel] = w[0, :, :, channel]
    want = _convolved(x, full, bias, stride, True, 1)
    net = Net()
    given, stored = net.activation(*x.shape), net.constant(w)
    weights = net.activation(*w.shape)
    net.op(OP.DEQUANTIZE, [stored], weights)
    inputs = [given, weights, net.constant(bias)]
    net.op(OP.DEPTHWISE_CONV_2D, inputs, net.activation(*want.shape), depthwise(stride))
    np.testing.assert_allclose(_run(net, x), want, rtol=1e-4, atol=1e-5)


def test_prelu() -> None:
    x, slope = _floats(1, 3, 4, 5), _floats(1, 1, 5)
    net = Net()
    inputs = [net.activation(*x.shape), net.constant(slope)]
    net.op(OP.PRELU, inputs, net.activation(*x.shape))
    np.testing.assert_allclose(_run(net, x), np.where(x > 0, x, x * slope), rtol=1e-6)


def test_max_pool_at_an_odd_edge_ignores_the_padding() -> None:
    x = -1 - np.abs(_floats(1, 5, 4, 2))
    net = Net()
    given = net.activation(*x.shape)
    net.op(OP.MAX_POOL_2D, [given], net.activation(1, 3, 2, 2), pool(2, 2))
    want = np.stack([[x[0, i : i + 2, j : j + 2].max((0, 1)) for j in (0, 2)] for i in (0, 2, 4)])
    np.testing.assert_array_equal(_run(net, x)[0], want)


def test_residual_block_pads_channels_and_adds() -> None:
    x = _floats(1, 4, 4, 2)
    net = Net()
    given = net.activation(*x.shape)
    pads = net.constant(np.array([[0, 0], [1, 0], [0, 2], [0, 3]], np.int32))
    padded = net.activation(1, 5, 6, 5)
    net.op(OP.PAD, [given, pads], padded)
    net.op(OP.ADD, [padded, padded], net.activation(1, 5, 6, 5), add(ACT.RELU))
    want = np.maximum(2 * np.pad(x, [(0, 0), (1, 0), (0, 2), (0, 3)]), 0)
    np.testing.assert_allclose(_run(net, x), want, rtol=1e-6)


def test_reshape_reads_rows_columns_channels() -> None:
    x = _floats(1, 2, 3, 4)
    net = Net()
    given = net.activation(*x.shape)
    shape = net.constant(np.array([1, 24], np.int32))
    net.op(OP.RESHAPE, [given, shape], net.activation(1, 24))
    np.testing.assert_array_equal(_run(net, x), x.reshape(1, 24))


def _one(code: int, options: Any = None, *extra: Floats) -> Net:
    net = Net()
    inputs = [net.activation(1, 4, 4, 2), *(net.constant(e) for e in extra)]
    net.op(code, inputs, net.activation(1, 4, 4, 2), options)
    return net


@pytest.mark.parametrize(
    ("net", "says"),
    [
        (_one(OP.HARD_SWISH), "HARD_SWISH"),
        (_one(OP.CUSTOM), "CUSTOM"),
        (_one(OP.CUMSUM), "CUMSUM"),  # past 126: the wider code field
        (_one(OP.PRELU, None, _floats(1, 4, 1)), "per channel"),
        (_one(OP.PRELU, None, np.ones((1, 1, 2), np.int8)), "type"),
        (_one(OP.ADD, add(), _floats(2)), "ADD"),
        (_one(OP.CONV_2D, None, _floats(2, 1, 1, 2)), "Conv2DOptions"),
        (_one(OP.CONV_2D, conv(activation=ACT.TANH), _floats(2, 1, 1, 2)), "TANH"),
        (_one(OP.CONV_2D, conv(stride=2), _floats(2, 1, 1, 2)), "Shape"),
        (_one(OP.DEQUANTIZE), "constant"),
        (_one(OP.PAD, None, np.zeros((3, 2), np.int32)), "PAD"),
    ],
)
def test_what_is_not_known_is_refused_by_name(net: Net, says: str) -> None:
    with pytest.raises(ModelError) as caught:
        lower(net.data())
    assert caught.value.code == "model_unsupported"
    assert says in caught.value.text
