"""TFLite files of a few operators, written with the schema's own builders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

_TYPES = {
    "float32": tflite.TensorType.FLOAT32,
    "float16": tflite.TensorType.FLOAT16,
    "int32": tflite.TensorType.INT32,
    "int8": tflite.TensorType.INT8,
}


@dataclass
class Net:
    """Tensors and operators in order; tensor 0 is the input, the last one the output."""

    tensors: list[tuple[tuple[int, ...], np.ndarray[Any, Any] | None]] = field(default_factory=list)
    operators: list[tuple[int, list[int], int, tuple[int, Callable[[Any], int]] | None]] = field(
        default_factory=list
    )

    def activation(self, *shape: int) -> int:
        self.tensors.append((shape, None))
        return len(self.tensors) - 1

    def constant(self, values: np.ndarray[Any, Any]) -> int:
        self.tensors.append((values.shape, values))
        return len(self.tensors) - 1

    def op(
        self,
        code: int,
        inputs: list[int],
        output: int,
        options: tuple[int, Callable[[Any], int]] | None = None,
    ) -> None:
        self.operators.append((code, inputs, output, options))

    def data(self) -> bytes:
        b = flatbuffers.Builder(1024)
        codes = sorted({code for code, *_ in self.operators})

        def vector(items: list[int]) -> int:
            b.StartVector(4, len(items), 4)
            for item in reversed(items):
                b.PrependUOffsetTRelative(item)
            return int(b.EndVector())

        def ints(items: Any) -> int:
            return int(b.CreateNumpyVector(np.asarray(items, np.int32)))

        buffers, tensors = [], []
        for index, (shape, values) in enumerate(self.tensors):
            payload = None if values is None else np.frombuffer(values.tobytes(), np.uint8)
            stored = None if payload is None else b.CreateNumpyVector(payload)
            tflite.BufferStart(b)
            if stored is not None:
                tflite.BufferAddData(b, stored)
            buffers.append(tflite.BufferEnd(b))
            dims = ints(shape)
            tflite.TensorStart(b)
            tflite.TensorAddShape(b, dims)
            tflite.TensorAddBuffer(b, index)
            tflite.TensorAddType(b, _TYPES["float32" if values is None else values.dtype.name])
            tensors.append(tflite.TensorEnd(b))
        operators = []
        for code, inputs, output, options in self.operators:
            table = options[1](b) if options else None
            given, made = ints(inputs), ints([output])
            tflite.OperatorStart(b)
            tflite.OperatorAddOpcodeIndex(b, codes.index(code))
            tflite.OperatorAddInputs(b, given)
            tflite.OperatorAddOutputs(b, made)
            if options and table is not None:
                tflite.OperatorAddBuiltinOptionsType(b, options[0])
                tflite.OperatorAddBuiltinOptions(b, table)
            operators.append(tflite.OperatorEnd(b))
        known = []
        for code in codes:
            tflite.OperatorCodeStart(b)
            tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(code, 127))
            tflite.OperatorCodeAddBuiltinCode(b, code)
            known.append(tflite.OperatorCodeEnd(b))
        lists = [vector(tensors), ints([0]), ints([len(self.tensors) - 1]), vector(operators)]
        tflite.SubGraphStart(b)
        tflite.SubGraphAddTensors(b, lists[0])
        tflite.SubGraphAddInputs(b, lists[1])
        tflite.SubGraphAddOutputs(b, lists[2])
        tflite.SubGraphAddOperators(b, lists[3])
        graphs = vector([tflite.SubGraphEnd(b)])
        code_list, buffer_list = vector(known), vector(buffers)
        tflite.ModelStart(b)
        tflite.ModelAddVersion(b, 3)
        tflite.ModelAddOperatorCodes(b, code_list)
        tflite.ModelAddSubgraphs(b, graphs)
        tflite.ModelAddBuffers(b, buffer_list)
        b.Finish(tflite.ModelEnd(b), b"TFL3")
        return bytes(b.Output())


def conv(
    stride: int = 1, same: bool = True, dilation: int = 1, activation: int = 0
) -> tuple[int, Callable[[Any], int]]:
    def write(b: Any) -> int:
        tflite.Conv2DOptionsStart(b)
        tflite.Conv2DOptionsAddPadding(b, 0 if same else 1)
        tflite.Conv2DOptionsAddStrideH(b, stride)
        tflite.Conv2DOptionsAddStrideW(b, stride)
        tflite.Conv2DOptionsAddDilationHFactor(b, dilation)
        tflite.Conv2DOptionsAddDilationWFactor(b, dilation)
        tflite.Conv2DOptionsAddFusedActivationFunction(b, activation)
        return int(tflite.Conv2DOptionsEnd(b))

    return tflite.BuiltinOptions.Conv2DOptions, write


def depthwise(stride: int = 1, same: bool = True) -> tuple[int, Callable[[Any], int]]:
    def write(b: Any) -> int:
        tflite.DepthwiseConv2DOptionsStart(b)
        tflite.DepthwiseConv2DOptionsAddPadding(b, 0 if same else 1)
        tflite.DepthwiseConv2DOptionsAddStrideH(b, stride)
        tflite.DepthwiseConv2DOptionsAddStrideW(b, stride)
        tflite.DepthwiseConv2DOptionsAddDilationHFactor(b, 1)
        tflite.DepthwiseConv2DOptionsAddDilationWFactor(b, 1)
        return int(tflite.DepthwiseConv2DOptionsEnd(b))

    return tflite.BuiltinOptions.DepthwiseConv2DOptions, write


def pool(size: int, stride: int, same: bool = True) -> tuple[int, Callable[[Any], int]]:
    def write(b: Any) -> int:
        tflite.Pool2DOptionsStart(b)
        tflite.Pool2DOptionsAddPadding(b, 0 if same else 1)
        tflite.Pool2DOptionsAddStrideH(b, stride)
        tflite.Pool2DOptionsAddStrideW(b, stride)
        tflite.Pool2DOptionsAddFilterHeight(b, size)
        tflite.Pool2DOptionsAddFilterWidth(b, size)
        return int(tflite.Pool2DOptionsEnd(b))

    return tflite.BuiltinOptions.Pool2DOptions, write


def add(activation: int = 0) -> tuple[int, Callable[[Any], int]]:
    def write(b: Any) -> int:
        tflite.AddOptionsStart(b)
        tflite.AddOptionsAddFusedActivationFunction(b, activation)
        return int(tflite.AddOptionsEnd(b))

    return tflite.BuiltinOptions.AddOptions, write


def concatenation(axis: int, activation: int = 0) -> tuple[int, Callable[[Any], int]]:
    def write(b: Any) -> int:
        tflite.ConcatenationOptionsStart(b)
        tflite.ConcatenationOptionsAddAxis(b, axis)
        tflite.ConcatenationOptionsAddFusedActivationFunction(b, activation)
        return int(tflite.ConcatenationOptionsEnd(b))

    return tflite.BuiltinOptions.ConcatenationOptions, write


def fully_connected(
    activation: int = 0, keeps: bool = False, shuffled: bool = False
) -> tuple[int, Callable[[Any], int]]:
    def write(b: Any) -> int:
        tflite.FullyConnectedOptionsStart(b)
        tflite.FullyConnectedOptionsAddFusedActivationFunction(b, activation)
        tflite.FullyConnectedOptionsAddWeightsFormat(b, int(shuffled))
        tflite.FullyConnectedOptionsAddKeepNumDims(b, keeps)
        return int(tflite.FullyConnectedOptionsEnd(b))

    return tflite.BuiltinOptions.FullyConnectedOptions, write


def mean(keeps: bool) -> tuple[int, Callable[[Any], int]]:
    def write(b: Any) -> int:
        tflite.ReducerOptionsStart(b)
        tflite.ReducerOptionsAddKeepDims(b, keeps)
        return int(tflite.ReducerOptionsEnd(b))

    return tflite.BuiltinOptions.ReducerOptions, write


def resize(corners: bool = False, halves: bool = False) -> tuple[int, Callable[[Any], int]]:
    def write(b: Any) -> int:
        tflite.ResizeBilinearOptionsStart(b)
        tflite.ResizeBilinearOptionsAddAlignCorners(b, corners)
        tflite.ResizeBilinearOptionsAddHalfPixelCenters(b, halves)
        return int(tflite.ResizeBilinearOptionsEnd(b))

    return tflite.BuiltinOptions.ResizeBilinearOptions, write
