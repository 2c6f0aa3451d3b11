"""Does a converted net compute what the original did? Compared once, when it is converted.

Here: one run in ONNX Runtime on a synthetic picture against the stored reference. Not here: file
hashes (verify.py), accuracy on faces. Source: models/reference, made by other runtimes.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

# As in pipeline/nets/ort.py: the library reports to its maker unless this stands before its import.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

from models.errors import ModelError
from models.manifest import Converted
from models.reference_input import tensor

_FOLDER = Path(__file__).with_name("reference")


@dataclass(frozen=True, slots=True)
class Expected:
    """One output of the reference run."""

    step: int
    """Every step-th value is stored."""
    values: npt.NDArray[np.float32]
    """float32 (n,): the stored values, in output units."""
    magnitude: float
    """Sum of the magnitudes of all values."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What another runtime gave for `reference_input.tensor(net.input, seed)`."""

    made_with: str
    seed: int
    outputs: dict[str, Expected]


def load_reference(name: str, folder: Path = _FOLDER) -> Reference:
    """The stored reference of a net."""
    raw = json.loads((folder / f"{name}.json").read_text("utf-8"))
    outputs = {
        k: Expected(o["step"], np.array(o["values"], np.float32), o["magnitude"])
        for k, o in raw["outputs"].items()
    }
    return Reference(raw["made_with"], raw["seed"], outputs)


def check(net: Converted, data: bytes, reference: Reference) -> float:
    """Run the converted net and return the largest difference from the reference, in output units.

    Raises ModelError (model_check_failed) when an output is missing, of another shape, not finite,
    or further off than the manifest's tolerance.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        found = session.run(None, {net.input.name: tensor(net.input, reference.seed)})
    except Exception as error:  # onnxruntime's own exceptions share no base class
        raise _failed(net, "ONNX Runtime cannot run it", str(error)) from error
    names = [o.name for o in session.get_outputs()]
    if names != [o.name for o in net.outputs] or set(names) != set(reference.outputs):
        raise _failed(net, f"its outputs are {names}")
    worst = 0.0
    for output, values in zip(net.outputs, found, strict=True):
        expected = reference.outputs[output.name]
        flat = np.asarray(values, np.float32).reshape(-1)
        if values.shape != output.shape or not np.isfinite(flat).all():
            raise _failed(net, f"{output.name} has shape {values.shape} or is not finite")
        off = float(np.abs(flat[:: expected.step] - expected.values).max())
        magnitude = float(np.abs(flat).sum(dtype=np.float64))
        mean_off = abs(magnitude - expected.magnitude) / flat.size
        worst = max(worst, off, mean_off)
    if worst > net.tolerance:
        raise _failed(net, f"an output is off by {worst:.3g}, allowed is {net.tolerance:g}")
    return worst


def _failed(net: Converted, why: str, cause: str = "") -> ModelError:
    return ModelError(
        "model_check_failed",
        f"The converted net {net.name} does not give its reference output: {why}. "
        "It was not taken; please report this with the versions of onnx, onnxruntime and numpy.",
        cause,
    )
