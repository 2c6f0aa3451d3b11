"""How the stored reference outputs were made: by runtimes that share no code with the conversion.

Here: a script for developers, run by hand (docs/models.md). Not here: the check itself
(models/check.py). Source: LiteRT (PyPI ai-edge-litert, in an environment of its own) for the TFLite
nets; the reference evaluator of the onnx package, which implements block-wise DequantizeLinear
itself, for the block-quantised ones; OpenCV's dnn for the plain one (there the reference evaluator
of onnx 1.23 is off by 0.24 where OpenCV and ONNX Runtime agree to 4e-6); ncnn itself (PyPI ncnn, in
an environment of its own) for the nets in its format.

    python -m models.make_reference SOURCES [net ...]      # SOURCES: the packages, unzipped

A net that is added has its parts in SOURCES itself.
"""

from __future__ import annotations

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from models import manifest
from models.manifest import Added, Net
from models.reference_input import tensor

SEED = 20260101
MOST = 200
"""Values stored for each output, spread evenly; the sum of all magnitudes covers the rest."""


def run_litert(data: bytes, x: Any) -> tuple[str, list[Any]]:
    """Outputs of a TFLite file, in the file's order."""
    from ai_edge_litert.interpreter import (  # type: ignore[import-not-found]
        Interpreter,
        OpResolverType,
    )

    # The plain kernels: without XNNPACK nothing depends on the processor's vector width
    interpreter = Interpreter(
        model_content=data,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    outputs = [interpreter.get_tensor(o["index"]) for o in interpreter.get_output_details()]
    return f"ai-edge-litert {version('ai-edge-litert')}", outputs


def run_onnx(data: bytes, x: Any, names: list[str]) -> tuple[str, list[Any]]:
    """Outputs of the package's ONNX file as it is, block-quantised or not."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    net = onnx.ModelProto.FromString(data)
    weights = {i.name for i in net.graph.initializer}
    used = {i for n in net.graph.node for i in n.input}
    (given,) = [i.name for i in net.graph.input if i.name in used - weights]
    evaluator = ReferenceEvaluator(net)
    outputs = evaluator.run(names, {given: x})
    return f"onnx {version('onnx')} reference evaluator", list(outputs)


def run_opencv(data: bytes, x: Any, names: list[str]) -> tuple[str, list[Any]]:
    """Outputs of the package's plain ONNX file."""
    import cv2

    net = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
    net.setInput(x)
    return f"OpenCV {cv2.__version__} dnn", [net.forward(name) for name in names]


def run_ncnn(text: bytes, weights: bytes, x: Any, names: list[str]) -> tuple[str, list[Any]]:
    """Outputs of ncnn's two files; half precision, which it takes by itself, is switched off."""
    import ncnn  # type: ignore[import-not-found]

    net = ncnn.Net()
    options = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage")
    for option in options:
        setattr(net.opt, option, False)
    with tempfile.TemporaryDirectory() as folder:
        text_file, weights_file = Path(folder, "net.param"), Path(folder, "net.bin")
        text_file.write_bytes(text)
        weights_file.write_bytes(weights)
        net.load_param(str(text_file))
        net.load_model(str(weights_file))
    outputs = []
    for name in names:
        run = net.create_extractor()
        run.input("data", ncnn.Mat(x[0]).clone())
        outputs.append(np.array(run.extract(name)[1]))
    return f"ncnn {version('ncnn')}", outputs


def main(sources: Path, names: list[str]) -> None:
    """Write the reference file of each named net, or of all."""
    known: dict[str, Net | Added] = {**manifest.load(), **manifest.load_more()}
    for net in manifest.select(known, names or list(manifest.load())):
        paths = [net.path] if isinstance(net, Net) else [part.name for part in net.parts]
        data, *weights = [(sources / path).read_bytes() for path in paths]
        x = tensor(net.input, SEED)
        if net.conversion == "tflite":
            made_with, outputs = run_litert(data, x)
        elif net.conversion == "ncnn":
            made_with, outputs = run_ncnn(data, weights[0], x, [o.source for o in net.outputs])
        else:
            run = run_opencv if net.conversion == "onnx" else run_onnx
            made_with, outputs = run(data, x, [o.source for o in net.outputs])
        rows = {}
        for output, values in zip(net.outputs, outputs, strict=True):
            flat = np.asarray(values, np.float32).reshape(-1)
            step = -(-flat.size // MOST)
            rows[output.name] = {
                "step": step,
                "magnitude": float(f"{np.abs(flat).sum(dtype=np.float64):.7g}"),
                "values": [float(f"{v:.7g}") for v in flat[::step]],
            }
        path = Path(__file__).parent / "reference" / f"{net.name}.json"
        lines = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in rows.items())
        head = f'"made_with": {json.dumps(made_with)},\n "seed": {SEED},\n "outputs": {{'
        path.write_text(f"{{{head}\n{lines}\n}}}}\n", "utf-8")
        print(path, made_with)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
