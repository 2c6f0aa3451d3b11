"""ncnn's two files, the layers as text and the weights as numbers, read into an ONNX graph.

Here: the layer types that a MiniFASNet has; whatever else a file says is refused by name, and every
size is checked before anything is made of it. Not here: names and shapes that the manifest promises
(convert.py). Source: the developer guide of Tencent/ncnn (param and model file structure;
operation param weight table).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models import graph
from models.errors import ModelError

MAGIC = "7767517"
"""First line of a text file of layers."""
MOST_TEXT = 1 << 20
"""Bytes of the text; the nets that we know have 20,000."""
MOST_LAYERS = 2000
MOST_BLOBS = 4000
MOST_WEIGHTS = 1 << 24
"""Numbers of one layer, and bytes of the whole file times four: 64 MB."""
MOST_WIDE = 1 << 16
"""Channels, kernel sides, strides, pads."""
OPSET = 13
"""Of ONNX: Conv, Gemm, PRelu, Add, Flatten and Softmax mean there what they mean today."""
EPSILON = 0.0
"""What ncnn adds to a variance unless the layer says otherwise."""
SUM = 1
"""Of the operations of Eltwise."""

_NUMBER = re.compile(r"-?[0-9]{1,9}|-?[0-9]{1,9}\.[0-9]{1,20}(e[-+]?[0-9]{1,3})?")
_NAME = re.compile(r"[A-Za-z0-9_./:-]{1,200}")
_EMPTY_LIST = 0
"""What stands behind a key below -23300 for a list of no numbers."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One line of the text."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: dict[int, float]
    """Numbers by their key; a list, of which only the empty one is read, has its key as written."""


class Weights:
    """The second file, read from its beginning to its end."""

    def __init__(self, data: bytes) -> None:
        """Raises ModelError (model_unsupported) for more than MOST_WEIGHTS numbers."""
        if len(data) > 4 * MOST_WEIGHTS:
            raise _unfit(f"the weights have more than {4 * MOST_WEIGHTS} bytes")
        self._data = data
        self._at = 0

    def numbers(self, count: int, layer: Layer) -> graph.Array:
        """float32 (count,), the next ones. Raises ModelError where they are not there, or one is
        not finite."""
        size = 4 * count
        if count < 1 or count > MOST_WEIGHTS or size > len(self._data) - self._at:
            raise _unfit(f"the weights end before those of {layer.name}")
        values = np.frombuffer(self._data, "<f4", count, self._at).astype(np.float32)
        self._at += size
        if not np.isfinite(values).all():
            raise _unfit(f"a weight of {layer.name} is no number")
        return values

    def tagged(self, count: int, layer: Layer) -> graph.Array:
        """The same after the word that says how they are stored: plain float32 is 0."""
        tag = self._data[self._at : self._at + 4]
        if tag != bytes(4):
            how = "end before those" if len(tag) < 4 else "are packed in those"
            raise _unfit(f"the weights {how} of {layer.name}")
        self._at += 4
        return self.numbers(count, layer)

    def over(self) -> None:
        """Raises ModelError where numbers are left that no layer asked for."""
        if self._at != len(self._data):
            raise _unfit(f"{len(self._data) - self._at} bytes of weights belong to no layer")


def read(text: bytes, weights: bytes, ends: tuple[str, ...]) -> graph.Proto:
    """The net as ONNX, from its input to the blobs `ends`; what only others need is left out.

    The input's shape is open: ncnn's is a hint. Raises ModelError (model_unsupported) for anything
    that is not a whole and known net.
    """
    layers = parse(text)
    made = _Made(Weights(weights), layers)
    for layer in layers:
        _KINDS[layer.kind](made, layer)
    made.weights.over()
    return made.model(ends)


def parse(text: bytes) -> list[Layer]:
    """The layers of the text, each of a known kind, fed by those before it. Raises ModelError."""
    if len(text) > MOST_TEXT or not text.isascii():
        raise _unfit("the text of layers is too long or is no text")
    lines = [line.split() for line in text.decode("ascii").splitlines() if line.strip()]
    if len(lines) < 3 or lines[0] != [MAGIC] or len(lines[1]) != 2:
        raise _unfit(f"the text of layers does not begin with {MAGIC} and two counts")
    layers, blobs = (_whole(word, "a count") for word in lines[1])
    if not (1 <= layers <= MOST_LAYERS and 1 <= blobs <= MOST_BLOBS):
        raise _unfit(f"it says that it has {layers} layers and {blobs} blobs")
    if len(lines) - 2 != layers:
        raise _unfit(f"it says that it has {layers} layers, and has {len(lines) - 2}")
    found = [_layer(words) for words in lines[2:]]
    known: set[str] = set()
    for layer in found:
        if missing := [name for name in layer.inputs if name not in known]:
            raise _unfit(f"{layer.name} reads {missing[0]}, which no layer before it makes")
        for name in layer.outputs:
            if name in known:
                raise _unfit(f"two layers make {name}")
            known.add(name)
    if len(known) != blobs:
        raise _unfit(f"it says that it has {blobs} blobs, and has {len(known)}")
    return found


def _layer(words: list[str]) -> Layer:
    if len(words) < 4 or not all(_NAME.fullmatch(word) for word in words[:2]):
        raise _unfit("a line is no layer")
    kind, name = words[:2]
    if kind not in _KINDS:
        raise _unfit(f"it has a layer of the kind {kind}, which is not known")
    reads, makes = (_whole(word, f"a count of {name}") for word in words[2:4])
    ends = 4 + reads + makes
    if reads < 0 or makes < 0 or ends > len(words):
        raise _unfit(f"the line of {name} is too short")
    blobs = words[4:ends]
    if not all(_NAME.fullmatch(word) for word in blobs):
        raise _unfit(f"a blob of {name} has no name")
    if (reads, makes) not in _PLUGS[kind] and not (kind == "Split" and reads == 1 and makes >= 1):
        raise _unfit(f"{name} reads {reads} blobs and makes {makes}, which is unknown of {kind}")
    options: dict[int, float] = {}
    for word in words[ends:]:
        key, equals, value = word.partition("=")
        number = _whole(key, f"a key of {name}")
        if not equals or number in options or not _NUMBER.fullmatch(value):
            raise _unfit(f"{name} has the option {word[:40]}")
        options[number] = float(value)
    if unknown := sorted(options.keys() - _OPTIONS[kind]):
        raise _unfit(f"{name} has the option {unknown[0]}, which is not known of {kind}")
    return Layer(kind, name, tuple(blobs[:reads]), tuple(blobs[reads:]), options)


def _whole(word: str, what: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,9}", word):
        raise _unfit(f"{what} is no number")
    return int(word)


class _Made:
    """The graph as far as it was read."""

    def __init__(self, weights: Weights, layers: list[Layer]) -> None:
        self.weights = weights
        self.uses = Counter(name for layer in layers for name in layer.inputs)
        self.names: dict[str, str] = {}
        """Of a blob: the tensor that holds it, where a layer changes nothing."""
        self.nodes: list[graph.Proto] = []
        self.values: dict[str, graph.Array] = {}
        self.shapes: dict[str, int] = {}
        """Channels or numbers of a tensor, where they are known."""
        self.open: dict[str, tuple[graph.Array, graph.Array]] = {}
        """Weight and bias of a convolution or product that the next layer may still change."""
        self.inputs: list[str] = []

    def tensor(self, blob: str) -> str:
        return self.names.get(blob, blob)

    def channels(self, layer: Layer, blob: str, count: int) -> None:
        """Raises ModelError where a blob is known to have another number of channels."""
        if self.shapes.get(self.tensor(blob), count) != count:
            raise _unfit(f"{layer.name} wants {count} channels of {blob}")

    def put(self, layer: Layer, weight: graph.Array, bias: graph.Array, node: graph.Proto) -> None:
        """A node whose weight and bias may be changed by what follows."""
        out = layer.outputs[0]
        self.nodes.append(node)
        self.values[f"{out}/weight"], self.values[f"{out}/bias"] = weight, bias
        self.shapes[out] = bias.size
        self.open[out] = (weight, bias)

    def fold(self, layer: Layer, scale: graph.Array, shift: graph.Array) -> None:
        """Multiply and add channel by channel, in the weights of the layer before."""
        blob = layer.inputs[0]
        source = self.tensor(blob)
        if source not in self.open or self.uses[blob] != 1:
            raise _unfit(f"{layer.name} follows no convolution or product of its own")
        self.channels(layer, blob, scale.size)
        weight, bias = self.open[source]
        with np.errstate(over="ignore", invalid="ignore"):
            weight = (weight * scale.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.float32)
            bias = (bias * scale + shift).astype(np.float32)
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise _unfit(f"{layer.name} makes weights that are no numbers")
        self.open[source] = (weight, bias)
        self.values[f"{source}/weight"], self.values[f"{source}/bias"] = weight, bias
        self.names[layer.outputs[0]] = source

    def model(self, ends: tuple[str, ...]) -> graph.Proto:
        """What leads to `ends`, and nothing else."""
        made = {node.output[0] for node in self.nodes}
        tensors = [self.tensor(end) for end in ends]
        if len(self.inputs) != 1 or not made.issuperset(tensors):
            raise _unfit(f"it has {len(self.inputs)} inputs, or no {' or '.join(ends)}")
        needed, nodes = set(tensors), []
        for node in reversed(self.nodes):
            if node.output[0] in needed:
                needed.update(node.input)
                nodes.append(node)
        net = graph.model(
            reversed(nodes),
            [graph.value(name, ()) for name in self.inputs],
            [graph.value(name, ()) for name in tensors],
            [graph.tensor(name, self.values[name]) for name in sorted(self.values)],
            OPSET,
        )
        graph.rename(net, dict(zip(tensors, ends, strict=True)))
        return net


def _count(layer: Layer, key: int, otherwise: int, least: int = 0) -> int:
    """A whole number of the layer's options, within what a net can want."""
    value = layer.options.get(key, float(otherwise))
    most = MOST_WEIGHTS if key in _SIZES.get(layer.kind, ()) else MOST_WIDE
    if not value.is_integer() or not least <= value <= most:
        raise _unfit(f"{layer.name} has the option {key}={value:g}")
    return int(value)


def _input(made: _Made, layer: Layer) -> None:
    made.inputs.append(layer.outputs[0])
    if 2 in layer.options:
        made.shapes[layer.outputs[0]] = _count(layer, 2, 0, 1)


def _convolution(made: _Made, layer: Layer) -> None:
    out = _count(layer, 0, 0, 1)
    wide = _count(layer, 1, 0, 1)
    high = _count(layer, 11, wide, 1)
    size = _count(layer, 6, 0, 1)
    group = _count(layer, 7, 1, 1)
    area = out * wide * high
    if out % group or size % area:
        raise _unfit(f"{layer.name} has {size} weights for {out} channels of {wide}x{high}")
    made.channels(layer, layer.inputs[0], size // area * group)
    weight = made.weights.tagged(size, layer).reshape(out, size // area, high, wide)
    bias = made.weights.numbers(out, layer) if _flag(layer, 5) else np.zeros(out, np.float32)
    left, along, dilated = _count(layer, 4, 0), _count(layer, 3, 1, 1), _count(layer, 2, 1, 1)
    name = layer.outputs[0]
    node = graph.node(
        "Conv",
        [made.tensor(layer.inputs[0]), f"{name}/weight", f"{name}/bias"],
        name,
        group=group,
        kernel_shape=[high, wide],
        strides=[_count(layer, 13, along, 1), along],
        dilations=[_count(layer, 12, dilated, 1), dilated],
        pads=[top := _count(layer, 14, left), left, top, left],
    )
    made.put(layer, weight, bias, node)


def _product(made: _Made, layer: Layer) -> None:
    out, size = _count(layer, 0, 0, 1), _count(layer, 2, 0, 1)
    if size % out:
        raise _unfit(f"{layer.name} has {size} weights for {out} numbers")
    weight = made.weights.tagged(size, layer).reshape(out, size // out)
    bias = made.weights.numbers(out, layer) if _flag(layer, 1) else np.zeros(out, np.float32)
    name = layer.outputs[0]
    feeds = [made.tensor(layer.inputs[0]), f"{name}/weight", f"{name}/bias"]
    made.put(layer, weight, bias, graph.node("Gemm", feeds, name, transB=1))


def _batch_norm(made: _Made, layer: Layer) -> None:
    count = _count(layer, 0, 0, 1)
    slope, mean, variance, bias = (made.weights.numbers(count, layer) for _ in range(4))
    spread = variance.astype(np.float64) + layer.options.get(1, EPSILON)
    if not (spread > 0).all():
        raise _unfit(f"{layer.name} has a variance that is not above 0")
    scale = slope / np.sqrt(spread)
    made.fold(layer, scale, bias - mean * scale)


def _scale(made: _Made, layer: Layer) -> None:
    count = _count(layer, 0, 0, 1)
    scale = made.weights.numbers(count, layer)
    shift = made.weights.numbers(count, layer) if _flag(layer, 1) else np.zeros(count, np.float32)
    made.fold(layer, scale, shift)


def _prelu(made: _Made, layer: Layer) -> None:
    count = _count(layer, 0, 0, 1)
    source = made.tensor(layer.inputs[0])
    made.channels(layer, layer.inputs[0], count)
    name = layer.outputs[0]
    made.values[f"{name}/slope"] = made.weights.numbers(count, layer).reshape(count, 1, 1)
    made.nodes.append(graph.node("PRelu", [source, f"{name}/slope"], name))
    made.shapes[name] = count


def _eltwise(made: _Made, layer: Layer) -> None:
    if _count(layer, 0, 0) != SUM or layer.options.get(-23301, 0.0) != _EMPTY_LIST:
        raise _unfit(f"{layer.name} is no plain sum")
    one, other = (made.tensor(blob) for blob in layer.inputs)
    name = layer.outputs[0]
    made.nodes.append(graph.node("Add", [one, other], name))
    if one in made.shapes:
        made.channels(layer, layer.inputs[1], made.shapes[one])
        made.shapes[name] = made.shapes[one]


def _same(made: _Made, layer: Layer) -> None:
    """Split, and Dropout, which only training needs."""
    if layer.options.get(0, 1.0) != 1.0:
        raise _unfit(f"{layer.name} scales what it leaves")
    for out in layer.outputs:
        made.names[out] = made.tensor(layer.inputs[0])
    if layer.kind == "Split":  # then nobody may change what others read, too
        made.open.pop(made.tensor(layer.inputs[0]), None)


def _flatten(made: _Made, layer: Layer) -> None:
    name = layer.outputs[0]
    made.nodes.append(graph.node("Flatten", [made.tensor(layer.inputs[0])], name, axis=1))


def _softmax(made: _Made, layer: Layer) -> None:
    if _count(layer, 0, 0) != 0:
        raise _unfit(f"{layer.name} is a Softmax over another axis")
    name = layer.outputs[0]
    made.nodes.append(graph.node("Softmax", [made.tensor(layer.inputs[0])], name, axis=1))


def _flag(layer: Layer, key: int) -> bool:
    value = _count(layer, key, 0)
    if value not in (0, 1):
        raise _unfit(f"{layer.name} has the option {key}={value}")
    return value == 1


def _unfit(why: str) -> ModelError:
    return ModelError("model_unsupported", f"The ncnn net cannot be read: {why}.")


_KINDS: dict[str, Callable[[_Made, Layer], None]] = {
    "Input": _input,
    "Convolution": _convolution,
    "ConvolutionDepthWise": _convolution,
    "InnerProduct": _product,
    "BatchNorm": _batch_norm,
    "Scale": _scale,
    "PReLU": _prelu,
    "Eltwise": _eltwise,
    "Split": _same,
    "Dropout": _same,
    "Flatten": _flatten,
    "Softmax": _softmax,
}
_CONVOLUTION = {0, 1, 2, 3, 4, 5, 6, 11, 12, 13, 14}
_OPTIONS: dict[str, set[int]] = {
    "Input": {0, 1, 2},
    "Convolution": _CONVOLUTION,
    "ConvolutionDepthWise": _CONVOLUTION | {7},
    "InnerProduct": {0, 1, 2},
    "BatchNorm": {0, 1},
    "Scale": {0, 1},
    "PReLU": {0},
    "Eltwise": {0, -23301},
    "Split": set(),
    "Dropout": {0},
    "Flatten": set(),
    "Softmax": {0},
}
_SIZES = {"Convolution": (6,), "ConvolutionDepthWise": (6,), "InnerProduct": (2,)}
"""Options that count weights, which are more than anything else may be."""
_PLUGS: dict[str, set[tuple[int, int]]] = {
    **{kind: {(1, 1)} for kind in _KINDS},
    "Input": {(0, 1)},
    "Eltwise": {(2, 1)},
}
"""How many blobs a kind reads and makes; Split makes any number."""
