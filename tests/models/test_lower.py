from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tflite

from models import graph
from models.errors import ModelError
from models.lower import lower
from tests.models import tiny
from tests.models.tiny_tflite import (
    Net,
    add,
    concatenation,
    conv,
    depthwise,
    fully_connected,
    mean,
    pool,
    resize,
)

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


def _resized(x: Floats, height: int, width: int, corners: bool, halves: bool) -> Floats:
    """TFLite's reference kernel for RESIZE_BILINEAR, written as its loops: x 1,H,W,C."""

    def between(length: int, n: int) -> list[tuple[int, int, float]]:
        scale = (length - 1) / (n - 1) if corners else length / n
        places = [(k + 0.5) * scale - 0.5 if halves else k * scale for k in range(n)]
        low = [max(int(np.floor(at)), 0) for at in places]
        high = [min(int(np.ceil(at)), length - 1) for at in places]
        return list(
            zip(low, high, (at - k for at, k in zip(places, low, strict=True)), strict=True)
        )

    y = np.zeros((1, height, width, x.shape[3]), np.float32)
    for i, (top, bottom, down) in enumerate(between(x.shape[1], height)):
        for j, (left, right, across) in enumerate(between(x.shape[2], width)):
            above = x[0, top, left] * (1 - across) + x[0, top, right] * across
            below = x[0, bottom, left] * (1 - across) + x[0, bottom, right] * across
            y[0, i, j] = above * (1 - down) + below * down
    return y


@pytest.mark.parametrize(
    ("corners", "halves"),
    [(False, False), (True, False), (False, True)],
    ids=["corner-of-pixels", "align-corners", "half-pixels"],
)
@pytest.mark.parametrize("size", [(8, 6), (7, 5), (3, 2)])
def test_resize_bilinear(corners: bool, halves: bool, size: tuple[int, int]) -> None:
    x = _floats(1, 4, 3, 2)
    net = Net()
    inputs = [net.activation(*x.shape), net.constant(np.array(size, np.int32))]
    net.op(OP.RESIZE_BILINEAR, inputs, net.activation(1, *size, 2), resize(corners, halves))
    want = _resized(x, *size, corners, halves)
    np.testing.assert_allclose(_run(net, x), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("axis", [1, -2, 2, -1])
def test_concatenation_of_rows_and_of_columns(axis: int) -> None:
    x = _floats(1, 2, 3, 4)
    net = Net()
    given = net.activation(*x.shape)
    shape = net.constant(np.array([1, 6, 4], np.int32))
    flat = net.activation(1, 6, 4)
    net.op(OP.RESHAPE, [given, shape], flat)
    bent = net.activation(1, 6, 4)
    net.op(OP.LOGISTIC, [flat], bent)
    rows = x.reshape(1, 6, 4)
    want = np.maximum(np.concatenate([rows, 1 / (1 + np.exp(-rows))], axis), 0)
    options = concatenation(axis, ACT.RELU)
    net.op(OP.CONCATENATION, [flat, bent], net.activation(*want.shape), options)
    np.testing.assert_allclose(_run(net, x), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("axes", [(1, 2), (2, 1), (-3, -2)])
@pytest.mark.parametrize("keeps", [True, False])
def test_mean_over_height_and_width(axes: tuple[int, int], keeps: bool) -> None:
    x = _floats(1, 3, 4, 5)
    want = x.mean((1, 2), keepdims=keeps)
    net = Net()
    inputs = [net.activation(*x.shape), net.constant(np.array(axes, np.int32))]
    net.op(OP.MEAN, inputs, net.activation(*want.shape), mean(keeps))
    np.testing.assert_allclose(_run(net, x), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("has_bias", [True, False])
def test_fully_connected_reads_rows_columns_channels(has_bias: bool) -> None:
    x, w, bias = _floats(1, 2, 3, 4), _floats(5, 24), _floats(5)
    net = Net()
    inputs = [net.activation(*x.shape), net.constant(w)]
    inputs.append(net.constant(bias) if has_bias else -1)
    net.op(OP.FULLY_CONNECTED, inputs, net.activation(1, 5), fully_connected(ACT.RELU))
    want = np.maximum(x.reshape(1, 24) @ w.T + (bias if has_bias else 0), 0)
    np.testing.assert_allclose(_run(net, x), want, rtol=1e-4, atol=1e-5)


def test_fully_connected_of_a_row() -> None:
    x, w = _floats(1, 3, 4, 5), _floats(2, 5)
    net = Net()
    inputs = [net.activation(*x.shape), net.constant(np.array([1, 2], np.int32))]
    row = net.activation(1, 5)
    net.op(OP.MEAN, inputs, row, mean(False))
    net.op(OP.FULLY_CONNECTED, [row, net.constant(w)], net.activation(1, 2), fully_connected())
    np.testing.assert_allclose(_run(net, x), x.mean((1, 2)) @ w.T, rtol=1e-4, atol=1e-5)


def test_logistic() -> None:
    x = 4 * _floats(1, 3, 4, 5)
    net = Net()
    net.op(OP.LOGISTIC, [net.activation(*x.shape)], net.activation(*x.shape))
    np.testing.assert_allclose(_run(net, x), 1 / (1 + np.exp(-x)), rtol=1e-5, atol=1e-6)


def _two_rows(axis: int, *other: int) -> Net:
    """A concatenation of 1,6,4 with another shape, both by a reshape."""
    net = Net()
    given = net.activation(1, 2, 3, 4)
    parts = []
    for shape in ((1, 6, 4), other):
        parts.append(net.activation(*shape))
        net.op(OP.RESHAPE, [given, net.constant(np.array(shape, np.int32))], parts[-1])
    net.op(OP.CONCATENATION, parts, net.activation(1, 12, 4), concatenation(axis))
    return net


def _ints(*values: int) -> Floats:
    return np.array(values, np.int32)


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
        (_one(OP.RESIZE_BILINEAR, None, _ints(4, 4)), "ResizeBilinearOptions"),
        (_one(OP.RESIZE_BILINEAR, resize()), "constant"),
        (_one(OP.RESIZE_BILINEAR, resize(), _ints(4, 4, 2)), "RESIZE_BILINEAR"),
        (_one(OP.RESIZE_BILINEAR, resize(True, True), _ints(4, 4)), "RESIZE_BILINEAR"),
        (_one(OP.RESIZE_BILINEAR, resize(), _ints(4, 5)), "Shape"),
        (_one(OP.CONCATENATION, concatenation(3)), "CONCATENATION"),
        (_one(OP.CONCATENATION, concatenation(3), _floats(1, 4, 4, 2)), "CONCATENATION"),
        (_two_rows(3, 1, 6, 4), "CONCATENATION"),
        (_two_rows(-4, 1, 6, 4), "CONCATENATION"),
        (_two_rows(1, 6, 4), "CONCATENATION"),
        (_two_rows(1, 1, 4, 6), "CONCATENATION"),
        (_two_rows(2, 1, 6, 4), "Shape"),
        (_one(OP.MEAN, None, _ints(1, 2)), "ReducerOptions"),
        (_one(OP.MEAN, mean(True), _ints(3)), "MEAN"),
        (_one(OP.MEAN, mean(True), _ints(1, 6)), "MEAN"),
        (_one(OP.MEAN, mean(True), _ints(1, 2, 3)), "MEAN"),
        (_one(OP.FULLY_CONNECTED, None, _floats(2, 32)), "FullyConnectedOptions"),
        (_one(OP.FULLY_CONNECTED, fully_connected(), _floats(2, 2)), "FULLY_CONNECTED"),
        (_one(OP.FULLY_CONNECTED, fully_connected(), _floats(32)), "FULLY_CONNECTED"),
        (_one(OP.FULLY_CONNECTED, fully_connected(keeps=True), _floats(2, 32)), "keeps"),
        (_one(OP.FULLY_CONNECTED, fully_connected(shuffled=True), _floats(2, 32)), "shuffles"),
        (_one(OP.FULLY_CONNECTED, fully_connected(ACT.TANH), _floats(2, 32)), "TANH"),
    ],
)
def test_what_is_not_known_is_refused_by_name(net: Net, says: str) -> None:
    with pytest.raises(ModelError) as caught:
        lower(net.data())
    assert caught.value.code == "model_unsupported"
    assert says in caught.value.text
