"""PRelu rewritten with operators that ONNX Runtime has fast CPU kernels for.

Here: one rewrite, exact but for rounding. Not here: any other optimisation; the runtime fuses the
rest. Source: measured (docs/models.md).
"""

from __future__ import annotations

import numpy as np

from models import graph
from models.errors import ModelError


def rewrite(net: graph.Proto) -> int:
    """Replace each PRelu over N,C,H,W, in place, by two 1x1 depthwise convolutions:
    `(1 - slope) Relu(x) + slope x`.

    Convolutions, their sum and Relu are what the runtime computes without leaving its own layout of
    channels; a subtraction would make it reorder the values twice for each PRelu. Returns how many
    were replaced. Slopes must be constants, one per channel or one for all. May go when ONNX
    Runtime's PRelu kernel is as fast (it is a generic broadcast today).
    """
    g = net.graph
    constants = {i.name: graph.array_of(i) for i in g.initializer}
    nodes = []
    weights: dict[str, graph.Array] = {}
    for n in g.node:
        if n.op_type != "PRelu":
            nodes.append(n)
            continue
        x, slope, y = n.input[0], n.input[1], n.output[0]
        if slope not in constants:
            raise ModelError("model_unsupported", f"The slope of PRelu {y!r} is not a constant.")
        values = constants[slope].astype(np.float32)
        # PRelu-9 broadcasts from the right: only (C, 1, 1) means one slope per channel
        if values.size > 1 and values.shape != (values.shape[0], 1, 1):
            raise ModelError("model_unsupported", f"The slope of PRelu {y!r} is not per channel.")
        channels = values.size
        if channels == 1:
            nodes.append(n)
            continue
        slopes = values.reshape(-1, 1, 1, 1)
        weights |= {f"{y}/above": 1 - slopes, f"{y}/below": slopes}
        if (slopes <= 1).all():  # then scaling keeps the sign, and the runtime fuses the Relu
            above = [
                _scaled(x, f"{y}/above", f"{y}/raised", channels),
                graph.node("Relu", [f"{y}/raised"], f"{y}/positive"),
            ]
        else:
            above = [
                graph.node("Relu", [x], f"{y}/raised"),
                _scaled(f"{y}/raised", f"{y}/above", f"{y}/positive", channels),
            ]
        below = _scaled(x, f"{y}/below", f"{y}/scaled", channels)
        nodes += [*above, below, graph.node("Add", [f"{y}/positive", f"{y}/scaled"], y)]
    del g.node[:]
    g.node.extend(nodes)
    g.initializer.extend(graph.tensor(k, weights[k]) for k in sorted(weights))
    return len(weights) // 2


def _scaled(x: str, weight: str, y: str, channels: int) -> graph.Proto:
    """Each channel times its own number."""
    return graph.node(
        "Conv",
        [x, weight],
        y,
        group=channels,
        kernel_shape=[1, 1],
        pads=[0, 0, 0, 0],
        strides=[1, 1],
        dilations=[1, 1],
    )


def flush_tiny(net: graph.Proto, below: float = 1e-12) -> int:
    """Set float32 weights smaller than `below` to zero, in place; returns how many.

    Denormal products cost a CPU 100 cycles each; training with weight decay leaves many such
    weights (13 % in one net of the same family: 66 -> 9 ms, output unchanged; docs/models.md).
    """
    flushed = 0
    for i in net.graph.initializer:
        values = graph.array_of(i)
        if values.dtype != np.float32:
            continue
        tiny = (np.abs(values) < below) & (values != 0)
        if tiny.any():
            flushed += int(tiny.sum())
            i.CopyFrom(graph.tensor(i.name, np.where(tiny, np.float32(0), values)))
    return flushed
