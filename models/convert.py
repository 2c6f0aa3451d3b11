"""From a package's file to the ONNX bytes that the server loads.

Here: which steps each kind of source takes, and the names and shapes that the manifest promises.
Not here: the steps themselves (fold, lower, prelu, widen), downloading, checking. Source:
docs/models.md.
"""

from __future__ import annotations

import numpy as np
import onnx

from models import graph, ncnn
from models.errors import ModelError
from models.fold import fold
from models.lower import lower
from models.manifest import Converted
from models.prelu import flush_tiny, rewrite
from models.widen import widen

VERSION = 2
"""Raised with every change that changes converted bytes; the manifest's must be the same."""


def convert(net: Converted, *files: bytes) -> bytes:
    """The converted net: one float32 input and outputs as named and shaped in the manifest.

    `files`: its source, which is two files for ncnn (text, weights) and else one. The same ones
    give the same bytes on every machine. Raises ModelError (model_unsupported).
    """
    if net.conversion_version != VERSION:
        raise ModelError(
            "model_unsupported",
            f"The manifest wants conversion {net.conversion_version} of {net.name}; "
            f"this is conversion {VERSION}.",
        )
    proto = _read(net, *files)
    if net.conversion == "onnx-block-quantised":
        fold(proto)
    flush_tiny(proto)
    rewrite(proto)
    widen(proto)
    _declare(proto, net)
    return graph.serialise(proto, net.name)


def _read(net: Converted, data: bytes, *weights: bytes) -> graph.Proto:
    if net.conversion == "ncnn":
        (numbers,) = weights
        return ncnn.read(data, numbers, tuple(o.source for o in net.outputs))
    return lower(data) if net.conversion == "tflite" else onnx.ModelProto.FromString(data)


def _declare(proto: graph.Proto, net: Converted) -> None:
    """Make the graph's input and outputs the manifest's: names, shapes, and their order."""
    g = proto.graph
    weights = {i.name for i in g.initializer}
    inputs = [i for i in g.input if i.name not in weights]
    found = {o.name: graph.shape_of(o) for o in g.output}
    wanted = [o.source for o in net.outputs]
    if len(inputs) != 1 or set(wanted) != set(found):
        raise ModelError(
            "model_unsupported",
            f"{net.name} has {len(inputs)} inputs and the outputs {sorted(found)}; "
            f"the manifest names one input and {sorted(wanted)}.",
        )
    names = {inputs[0].name: net.input.name}
    for output in net.outputs:
        shape = found[output.source]
        flat = net.conversion == "tflite" and shape != output.shape
        if flat and np.prod(shape) != np.prod(output.shape):
            raise ModelError(
                "model_unsupported", f"{net.name}: {shape} cannot become {output.shape}."
            )
        if flat:
            size = f"{output.name}/shape"
            g.initializer.append(graph.tensor(size, np.array(output.shape, np.int64)))
            g.node.append(graph.node("Reshape", [output.source, size], output.name))
        else:
            names[output.source] = output.name
    graph.rename(proto, names)
    del g.input[:]
    g.input.append(graph.value(net.input.name, net.input.shape))
    del g.output[:]
    g.output.extend(graph.value(o.name, o.shape) for o in net.outputs)
