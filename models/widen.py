"""Channels between two convolutions filled up to whole blocks, with zeros.

Here: one rewrite that changes no number. Not here: any other optimisation. ONNX Runtime lays out
channels in blocks of 8 (AVX2) or 16 (AVX-512) and has no fast depthwise convolution for any other
count; nets that were pruned have many. Source: measured, 6.5 -> 4.1 ms (docs/models.md).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from models import graph

BLOCK = 16


@dataclass
class _Span:
    """Everything that has the channels which one convolution makes."""

    made_by: graph.Proto
    scaled_by: list[graph.Proto] = field(default_factory=list)
    """Depthwise convolutions: one channel each to itself."""
    mixed_by: list[graph.Proto] = field(default_factory=list)
    """Convolutions over all of them: here the channels end."""

    def weights(self) -> list[str]:
        """The names of all weights and biases that depend on how many channels there are."""
        own = [name for n in (self.made_by, *self.scaled_by) for name in n.input[1:]]
        return own + [n.input[1] for n in self.mixed_by]


def widen(net: graph.Proto) -> int:
    """Fill channels up to a multiple of BLOCK where only convolutions, Relu and sums stand between
    the convolution that makes them and those that mix them, in place; returns how many times.

    A channel of zeros stays one all the way and is multiplied by zeros at the end.
    """
    g = net.graph
    known = {i.name: graph.array_of(i) for i in g.initializer}
    uses = Counter(name for n in g.node for name in n.input)
    changed: dict[str, graph.Array] = {}
    spans = 0
    for n in g.node:
        channels = _channels(n, known)
        if channels is None or graph.attribute(n, "group", 1) != 1 or channels % BLOCK == 0:
            continue
        span = _span(net, n, channels, known)
        if span is None or any(uses[name] != 1 or name not in known for name in span.weights()):
            continue
        more = -channels % BLOCK
        for name in span.weights():
            axis = 1 if any(name == m.input[1] for m in span.mixed_by) else 0
            changed[name] = known[name] = _filled(known[name], axis, more)
        for depthwise in span.scaled_by:
            for attribute in depthwise.attribute:
                if attribute.name == "group":
                    attribute.i = channels + more
        spans += 1
    for i in g.initializer:
        if i.name in changed:
            i.CopyFrom(graph.tensor(i.name, changed[i.name]))
    return spans


def _channels(n: graph.Proto, known: dict[str, graph.Array]) -> int | None:
    """How many a convolution with constant weights makes."""
    return known[n.input[1]].shape[0] if n.op_type == "Conv" and n.input[1] in known else None


def _span(
    net: graph.Proto, made_by: graph.Proto, channels: int, known: dict[str, graph.Array]
) -> _Span | None:
    """None if anything else reads these channels. Nodes come in an order in which they can run, so
    one pass finds them all."""
    span = _Span(made_by)
    inside = {made_by.output[0]}
    for n in net.graph.node:
        read = [name in inside for name in n.input]
        if not any(read):
            continue
        depthwise = graph.attribute(n, "group", 1) == channels == _channels(n, known)
        if n.op_type == "Relu" or (n.op_type == "Add" and all(read)):
            inside.add(n.output[0])
        elif n.op_type == "Conv" and depthwise and read[0]:
            span.scaled_by.append(n)
            inside.add(n.output[0])
        elif n.op_type == "Conv" and graph.attribute(n, "group", 1) == 1 and read[0]:
            span.mixed_by.append(n)
        else:
            return None
    ends = inside & {o.name for o in net.graph.output}
    return span if span.mixed_by and not ends else None


def _filled(values: graph.Array, axis: int, more: int) -> graph.Array:
    room = [(0, more if k == axis else 0) for k in range(values.ndim)]
    return np.pad(values, room)
