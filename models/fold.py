"""Block-quantised ONNX weights folded back into plain float32.

Here: DequantizeLinear (and Reshape) over constants, done once at conversion. Not here: activations;
a net that quantises those is left as it is. Source: ONNX operator DequantizeLinear-21; OpenCV Zoo's
block quantisation writes such files, and ONNX Runtime refuses them.
"""

from __future__ import annotations

import numpy as np

from models import graph
from models.errors import ModelError


def dequantise(
    x: graph.Array, scale: graph.Array, zero: graph.Array | None, axis: int, block_size: int
) -> graph.Array:
    """float32 `(x - zero) * scale`, where scale and zero hold one value per tensor, per slice of
    `axis`, or per block of `block_size` along `axis` (DequantizeLinear-21).

    Raises ModelError (model_unsupported) when the shapes fit none of the three.
    """
    values = x.astype(np.float32)
    s = scale.astype(np.float32)
    z = np.zeros_like(s) if zero is None else zero.astype(np.float32)
    if s.size == 1:
        s, z = s.reshape(()), z.reshape(())
    elif block_size == 0 and s.ndim == 1 and s.size == x.shape[axis]:
        across = [1] * x.ndim
        across[axis] = -1
        s, z = s.reshape(across), z.reshape(across)
    elif block_size > 0 and s.ndim == x.ndim and s.shape[axis] == -(-x.shape[axis] // block_size):
        length = range(x.shape[axis])
        s = np.repeat(s, block_size, axis).take(length, axis)
        z = np.repeat(z, block_size, axis).take(length, axis)
    else:
        raise ModelError(
            "model_unsupported",
            f"A quantised weight of shape {x.shape} has scales of shape {scale.shape} "
            f"(axis {axis}, block {block_size}), which DequantizeLinear does not allow.",
        )
    folded: graph.Array = ((values - z) * s).astype(np.float32)
    return folded


def fold(net: graph.Proto) -> None:
    """Replace every DequantizeLinear and Reshape of constants by its result, in place; graph inputs
    that only named a weight go away."""
    g = net.graph
    known = {i.name: graph.array_of(i) for i in g.initializer}
    kept = []
    for n in g.node:
        if n.op_type == "Constant" and n.attribute[0].name == "value":
            known[n.output[0]] = graph.array_of(n.attribute[0].t)
        elif n.op_type == "DequantizeLinear" and all(i in known for i in n.input if i):
            zero = known[n.input[2]] if len(n.input) > 2 and n.input[2] else None
            known[n.output[0]] = dequantise(
                known[n.input[0]],
                known[n.input[1]],
                zero,
                graph.attribute(n, "axis", 1),
                graph.attribute(n, "block_size", 0),
            )
        elif n.op_type == "Reshape" and all(i in known for i in n.input):
            source = known[n.input[0]]
            # Reshape-13: a 0 keeps the size of the input's dimension
            shape = [source.shape[k] if d == 0 else int(d) for k, d in enumerate(known[n.input[1]])]
            known[n.output[0]] = source.reshape(shape)
        else:
            kept.append(n)
    produced = {o for n in kept for o in n.output}
    used = {i for n in kept for i in n.input}
    constants = sorted((used & known.keys()) - produced)
    inputs = [i for i in g.input if i.name in used and i.name not in known]
    outputs = list(g.output)
    opset = graph.opset_of(net)
    net.CopyFrom(
        graph.model(kept, inputs, outputs, [graph.tensor(k, known[k]) for k in constants], opset)
    )
