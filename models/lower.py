"""A TFLite net lowered to ONNX: the operators that the landmark and palm nets use, and no more.

Here: float nets, fixed shapes, one batch; channels-last in TFLite, channels-first inside the ONNX
graph, with one Transpose at the input. Not here: quantised arithmetic, control flow, custom
operators: refused by name. Source: TensorFlow Lite schema v3 (schema.fbs) and its reference
kernels; ONNX operators at opset 13.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import tflite

from models import graph
from models.errors import ModelError

OPSET = 13
_DAMAGE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    struct.error,
)
"""Raised by a place in the file that points beyond it, or to something else than it says; nothing
checks them beforehand, because flatbuffers for Python has no verifier."""
_OP_NAMES = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
_ACTIVATIONS = {v: k for k, v in vars(tflite.ActivationFunctionType).items() if isinstance(v, int)}
_DTYPES: dict[int, Any] = {
    tflite.TensorType.FLOAT32: np.dtype("<f4"),
    tflite.TensorType.FLOAT16: np.dtype("<f2"),
    tflite.TensorType.INT32: np.dtype("<i4"),
}


def lower(data: bytes) -> graph.Proto:
    """The ONNX model of a TFLite file: input `in0` keeps its N,H,W,C shape, outputs are `out0`,
    `out1`, ...

    Raises ModelError (model_unsupported), naming the operator, type or option that is not known,
    or saying that the file is damaged.
    """
    try:
        net = tflite.Model.GetRootAsModel(data, 0)
        if net.SubgraphsLength() != 1 or net.Subgraphs(0).InputsLength() != 1:
            text = "Only nets with one graph and one input are lowered."
            raise ModelError("model_unsupported", text)
        return _Lowering(net).run()
    except _DAMAGE as fault:
        name = type(fault).__name__
        raise ModelError("model_unsupported", "The TFLite file is damaged.", name) from fault


class _Lowering:
    """One net on its way: TFLite tensors by index, as constants or as ONNX names."""

    def __init__(self, net: Any) -> None:
        self.net = net
        self.sub = net.Subgraphs(0)
        self.nodes: list[graph.Proto] = []
        self.weights: dict[str, graph.Array] = {}
        self.constants: dict[int, graph.Array] = {}
        self.names: dict[int, str] = {}  # activations; rank 4 is stored N,C,H,W
        self.shapes: dict[int, tuple[int, ...]] = {}  # as TFLite says them: N,H,W,C
        self.steps: dict[str, Callable[[Any], None]] = {
            "ADD": self._add,
            "CONCATENATION": self._concatenation,
            "CONV_2D": self._conv,
            "DEPTHWISE_CONV_2D": self._depthwise,
            "DEQUANTIZE": self._dequantize,
            "FULLY_CONNECTED": self._fully_connected,
            "LOGISTIC": self._logistic,
            "MAX_POOL_2D": self._max_pool,
            "MEAN": self._mean,
            "PAD": self._pad,
            "PRELU": self._prelu,
            "RESHAPE": self._reshape,
            "RESIZE_BILINEAR": self._resize_bilinear,
        }

    def run(self) -> graph.Proto:
        self._read_constants()
        start = int(self.sub.Inputs(0))
        shape = self._declared(start)
        self.shapes[start] = shape
        self.names[start] = self._emit("Transpose", ["in0"], "in0/nchw", perm=[0, 3, 1, 2])
        for k in range(self.sub.OperatorsLength()):
            op = self.sub.Operators(k)
            code = self.net.OperatorCodes(op.OpcodeIndex())
            # schema v3a: codes past 126 live in a second, wider field
            number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
            name = _OP_NAMES.get(number, str(number))
            if name not in self.steps:
                raise ModelError(
                    "model_unsupported",
                    f"The TFLite operator {name} is not known to the converter "
                    f"(it knows {', '.join(sorted(self.steps))}).",
                )
            self.steps[name](op)
        outputs = []
        for k in range(self.sub.OutputsLength()):
            index = int(self.sub.Outputs(k))
            self._emit("Identity", [self._channels_last(index)], f"out{k}")
            outputs.append(graph.value(f"out{k}", self.shapes[index]))
        weights = [graph.tensor(k, v) for k, v in sorted(self.weights.items())]
        return graph.model(self.nodes, [graph.value("in0", shape)], outputs, weights, opset=OPSET)

    def _read_constants(self) -> None:
        for index in range(self.sub.TensorsLength()):
            t = self.sub.Tensors(index)
            buffer = self.net.Buffers(t.Buffer())
            if buffer.DataLength() == 0:
                continue
            if t.Type() not in _DTYPES or t.Sparsity() is not None:
                raise ModelError(
                    "model_unsupported", f"A constant of TFLite type {t.Type()} is not known."
                )
            raw = buffer.DataAsNumpy().tobytes()
            self.constants[index] = np.frombuffer(raw, _DTYPES[t.Type()]).reshape(
                self._declared(index)
            )

    def _declared(self, index: int) -> tuple[int, ...]:
        t = self.sub.Tensors(index)
        return tuple(int(t.Shape(k)) for k in range(t.ShapeLength()))

    def _emit(self, op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(graph.node(op, inputs, output, **attributes))
        return output

    def _weight(self, name: str, values: graph.Array) -> str:
        self.weights[name] = np.ascontiguousarray(values)
        return name

    def _constant(self, op: Any, k: int) -> graph.Array:
        index = int(op.Inputs(k))
        if index not in self.constants:
            raise ModelError(
                "model_unsupported", f"Input {k} of a TFLite operator must be a constant."
            )
        return self.constants[index]

    def _options(self, op: Any, kind: Any) -> Any:
        table = op.BuiltinOptions()
        if table is None:
            raise ModelError("model_unsupported", f"A TFLite operator lacks its {kind.__name__}.")
        options = kind()
        options.Init(table.Bytes, table.Pos)
        return options

    def _source(self, op: Any) -> tuple[str, tuple[int, ...]]:
        index = int(op.Inputs(0))
        if index not in self.names:
            raise ModelError("model_unsupported", "A TFLite operator works on a constant.")
        return self.names[index], self.shapes[index]

    def _store(self, op: Any, name: str, shape: tuple[int, ...]) -> None:
        index = int(op.Outputs(0))
        if shape != self._declared(index):
            raise ModelError(
                "model_unsupported",
                f"Shape {shape} came out where TFLite says {self._declared(index)}.",
            )
        self.names[index], self.shapes[index] = name, shape

    def _activate(self, name: str, kind: int) -> str:
        label = _ACTIVATIONS.get(kind, str(kind))
        if label == "NONE":
            return name
        if label == "RELU":
            return self._emit("Relu", [name], f"{name}/relu")
        if label == "RELU6":
            low = self._weight(f"{name}/low", np.array(0, np.float32))
            high = self._weight(f"{name}/high", np.array(6, np.float32))
            return self._emit("Clip", [name, low, high], f"{name}/relu6")
        raise ModelError("model_unsupported", f"The fused activation {label} is not known.")

    def _channels_last(self, index: int) -> str:
        name, shape = self.names[index], self.shapes[index]
        if len(shape) != 4:
            return name
        return self._emit("Transpose", [name], f"{name}/nhwc{len(self.nodes)}", perm=[0, 2, 3, 1])

    def _dequantize(self, op: Any) -> None:
        # float16 weights stored to halve the file; never an activation in these nets
        weights = self._constant(op, 0)
        if weights.dtype != np.float16:
            raise ModelError(
                "model_unsupported", "DEQUANTIZE of anything but float16 is not known."
            )
        self.constants[int(op.Outputs(0))] = weights.astype(np.float32)

    def _windows(
        self,
        options: Any,
        size: tuple[int, int],
        kernel: tuple[int, int],
        dilation: tuple[int, int],
    ) -> tuple[list[int], list[int], tuple[int, int]]:
        """strides, ONNX pads (top, left, bottom, right) and the output's height and width;
        TFLite's SAME puts the odd pixel at the bottom right."""
        strides = [int(options.StrideH()), int(options.StrideW())]
        before, after, out = [], [], []
        for length, k, s, d in zip(size, kernel, strides, dilation, strict=True):
            reach = (k - 1) * d + 1
            if options.Padding() == tflite.Padding.SAME:
                n = -(-length // s)
                total = max((n - 1) * s + reach - length, 0)
            else:
                n, total = (length - reach) // s + 1, 0
            before.append(total // 2)
            after.append(total - total // 2)
            out.append(n)
        return strides, before + after, (out[0], out[1])

    def _convolve(self, op: Any, options: Any, weights: graph.Array, group: int) -> None:
        x, (n, h, w, _) = self._source(op)
        y = f"t{int(op.Outputs(0))}"
        dilation = (int(options.DilationHFactor()), int(options.DilationWFactor()))
        kernel = (weights.shape[2], weights.shape[3])
        strides, pads, (oh, ow) = self._windows(options, (h, w), kernel, dilation)
        inputs = [x, self._weight(f"{y}/weight", weights.astype(np.float32))]
        if op.InputsLength() > 2 and op.Inputs(2) >= 0:
            inputs.append(self._weight(f"{y}/bias", self._constant(op, 2).astype(np.float32)))
        self._emit(
            "Conv",
            inputs,
            y,
            dilations=list(dilation),
            group=group,
            kernel_shape=list(kernel),
            pads=pads,
            strides=strides,
        )
        y = self._activate(y, options.FusedActivationFunction())
        self._store(op, y, (n, oh, ow, weights.shape[0]))

    def _conv(self, op: Any) -> None:
        options = self._options(op, tflite.Conv2DOptions)
        # TFLite O,H,W,I -> ONNX O,I,H,W
        self._convolve(op, options, self._constant(op, 1).transpose(0, 3, 1, 2), group=1)

    def _depthwise(self, op: Any) -> None:
        options = self._options(op, tflite.DepthwiseConv2DOptions)
        # TFLite 1,H,W,C*M -> ONNX C*M,1,H,W, one group for each input channel
        weights = self._constant(op, 1).transpose(3, 0, 1, 2)
        self._convolve(op, options, weights, group=self._source(op)[1][3])

    def _max_pool(self, op: Any) -> None:
        options = self._options(op, tflite.Pool2DOptions)
        x, (n, h, w, c) = self._source(op)
        kernel = (int(options.FilterHeight()), int(options.FilterWidth()))
        strides, pads, (oh, ow) = self._windows(options, (h, w), kernel, (1, 1))
        y = f"t{int(op.Outputs(0))}"
        self._emit("MaxPool", [x], y, kernel_shape=list(kernel), pads=pads, strides=strides)
        self._store(op, self._activate(y, options.FusedActivationFunction()), (n, oh, ow, c))

    def _prelu(self, op: Any) -> None:
        x, shape = self._source(op)
        slope = self._constant(op, 1).astype(np.float32)
        if len(shape) != 4 or slope.size != shape[3]:
            raise ModelError("model_unsupported", "PRELU with a slope that is not per channel.")
        y = f"t{int(op.Outputs(0))}"
        self._emit("PRelu", [x, self._weight(f"{y}/slope", slope.reshape(-1, 1, 1))], y)
        self._store(op, y, shape)

    def _add(self, op: Any) -> None:
        a, b = int(op.Inputs(0)), int(op.Inputs(1))
        if a not in self.names or b not in self.names or self.shapes[a] != self.shapes[b]:
            raise ModelError("model_unsupported", "ADD of anything but two equal shapes.")
        y = self._emit("Add", [self.names[a], self.names[b]], f"t{int(op.Outputs(0))}")
        options = self._options(op, tflite.AddOptions)
        self._store(op, self._activate(y, options.FusedActivationFunction()), self.shapes[a])

    def _pad(self, op: Any) -> None:
        x, shape = self._source(op)
        pads = self._constant(op, 1).astype(np.int64)
        if len(shape) != 4 or pads.shape != (4, 2):
            raise ModelError("model_unsupported", "PAD of anything but four dimensions.")
        y = f"t{int(op.Outputs(0))}"
        channels_first = pads[[0, 3, 1, 2]].T.reshape(-1)
        self._emit("Pad", [x, self._weight(f"{y}/pads", channels_first)], y, mode="constant")
        n, h, w, c = (d + int(p.sum()) for d, p in zip(shape, pads, strict=True))
        self._store(op, y, (n, h, w, c))

    def _reshape(self, op: Any) -> None:
        index = int(op.Inputs(0))
        if index not in self.names:
            raise ModelError("model_unsupported", "RESHAPE of a constant.")
        to = self._declared(int(op.Outputs(0)))
        if len(to) == 4:
            raise ModelError("model_unsupported", "RESHAPE to four dimensions.")
        y = f"t{int(op.Outputs(0))}"
        shape = self._weight(f"{y}/shape", np.array(to, np.int64))
        self._emit("Reshape", [self._channels_last(index), shape], y)
        self._store(op, y, to)

    def _concatenation(self, op: Any) -> None:
        options = self._options(op, tflite.ConcatenationOptions)
        parts = [int(op.Inputs(k)) for k in range(op.InputsLength())]
        shapes = [self.shapes.get(part, ()) for part in parts]
        rank, axis = len(shapes[0]), int(options.Axis())
        if rank not in (2, 3) or not -rank <= axis < rank or {len(s) for s in shapes} != {rank}:
            text = "CONCATENATION of anything but activations of two or three dimensions."
            raise ModelError("model_unsupported", text)
        axis %= rank
        if len({s[:axis] + s[axis + 1 :] for s in shapes}) != 1:
            raise ModelError("model_unsupported", "CONCATENATION of shapes that do not fit.")
        y = f"t{int(op.Outputs(0))}"
        self._emit("Concat", [self.names[part] for part in parts], y, axis=axis)
        whole = (*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :])
        self._store(op, self._activate(y, options.FusedActivationFunction()), whole)

    def _fully_connected(self, op: Any) -> None:
        options = self._options(op, tflite.FullyConnectedOptions)
        x, shape = self._source(op)
        weights = self._constant(op, 1).astype(np.float32)  # out, in
        if weights.ndim != 2 or len(shape) not in (2, 4) or math.prod(shape) != weights.shape[1]:
            raise ModelError("model_unsupported", "FULLY_CONNECTED of anything but one row.")
        if options.KeepNumDims() or options.WeightsFormat() != 0:
            text = "FULLY_CONNECTED that keeps dimensions or shuffles its weights."
            raise ModelError("model_unsupported", text)
        y = f"t{int(op.Outputs(0))}"
        if len(shape) == 4:
            x = self._emit("Flatten", [self._channels_last(int(op.Inputs(0)))], f"{y}/row", axis=1)
        inputs = [x, self._weight(f"{y}/weight", weights)]
        if op.InputsLength() > 2 and op.Inputs(2) >= 0:
            inputs.append(self._weight(f"{y}/bias", self._constant(op, 2).astype(np.float32)))
        self._emit("Gemm", inputs, y, transB=1)
        y = self._activate(y, options.FusedActivationFunction())
        self._store(op, y, (1, weights.shape[0]))

    def _logistic(self, op: Any) -> None:
        x, shape = self._source(op)
        self._store(op, self._emit("Sigmoid", [x], f"t{int(op.Outputs(0))}"), shape)

    def _mean(self, op: Any) -> None:
        options = self._options(op, tflite.ReducerOptions)
        x, shape = self._source(op)
        given = (int(axis) for axis in self._constant(op, 1).reshape(-1))
        axes = sorted(axis + 4 if axis < 0 else axis for axis in given)
        if len(shape) != 4 or axes != [1, 2]:
            raise ModelError("model_unsupported", "MEAN of anything but height and width.")
        y = self._emit("GlobalAveragePool", [x], f"t{int(op.Outputs(0))}")
        if options.KeepDims():
            self._store(op, y, (shape[0], 1, 1, shape[3]))
        else:
            self._store(op, self._emit("Flatten", [y], f"{y}/row", axis=1), (shape[0], shape[3]))

    def _resize_bilinear(self, op: Any) -> None:
        options = self._options(op, tflite.ResizeBilinearOptions)
        x, shape = self._source(op)
        size = self._constant(op, 1)
        corners, halves = bool(options.AlignCorners()), bool(options.HalfPixelCenters())
        if len(shape) != 4 or size.shape != (2,) or (corners and halves):
            text = "RESIZE_BILINEAR of anything but height and width, or by both kinds of corners."
            raise ModelError("model_unsupported", text)
        n, c, (h, w) = shape[0], shape[3], (int(length) for length in size)
        y = f"t{int(op.Outputs(0))}"
        mode = "align_corners" if corners else "half_pixel" if halves else "asymmetric"
        sizes = self._weight(f"{y}/sizes", np.array([n, c, h, w], np.int64))
        inputs = [x, "", "", sizes]
        self._emit("Resize", inputs, y, mode="linear", coordinate_transformation_mode=mode)
        self._store(op, y, (n, h, w, c))
