"""The one door to ONNX Runtime: load a directory of converted nets, run them by name.

Here: sessions, their options, and a check that a file is the net it is called. Not here: where the
files come from (models/), threads (server/frames/inference.py), pixels.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

# ONNX Runtime 1.32 reports to its maker unless it is told otherwise before it is loaded: it leaves
# a device id in the home folder and looks up a host of its maker's. Nobody is told anything
# (tests/test_silence.py). The library's own call, disable_telemetry_events, comes too late.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

from pipeline.nets import Floats, Spec, detect, embed, hand, iris, mesh, palm, spoof, votes
from pipeline.refusal import Refusal

SPECS: dict[str, Spec] = {
    spec.name: spec for spec in (detect.SPEC, mesh.SPEC, iris.SPEC, embed.SPEC, spoof.SPEC)
}
"""Every net that `see` asks for by itself."""
PALM: dict[str, Spec] = {spec.name: spec for spec in (palm.SPEC, hand.SPEC)}
"""What finds a hand."""
ALL: dict[str, Spec] = {**SPECS, **PALM, **votes.SPECS}
"""Every net that may be loaded."""


class NetUnusable(Refusal):
    """A net's file is missing, broken or not that net. `code` is stable, the text is for people."""


class Nets:
    """Loaded nets; a `Run`. Shared by all threads: InferenceSession.run is thread-safe."""

    def __init__(self, directory: Path, names: Iterable[str] = tuple(SPECS)) -> None:
        """Load `{name}.onnx` of each name from `directory`.

        Raises NetUnusable (net_missing, net_broken, net_wrong).
        """
        self._sessions = {name: _load(directory, ALL[name]) for name in names}
        self._inputs = {name: s.get_inputs()[0].name for name, s in self._sessions.items()}

    def __call__(self, net: str, feed: Floats) -> tuple[Floats, ...]:
        """As `Run`."""
        return tuple(self._sessions[net].run(None, {self._inputs[net]: feed}))

    def warm_up(self) -> None:
        """Run every net once: the first run takes several times as long."""
        for name in self._sessions:
            self(name, np.zeros(ALL[name].feed, np.float32))


def _load(directory: Path, spec: Spec) -> ort.InferenceSession:
    file = directory / f"{spec.name}.onnx"
    if not file.is_file():
        raise NetUnusable("net_missing", f"The net {spec.name} is not in the models directory.")
    try:
        session = ort.InferenceSession(
            str(file), session_options(), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # the runtime's exceptions share no public base class
        raise NetUnusable("net_broken", f"The net {spec.name} cannot be loaded.") from error
    inputs = [tuple(i.shape) for i in session.get_inputs() if i.type == "tensor(float)"]
    outputs = tuple(tuple(o.shape) for o in session.get_outputs())
    if inputs != [spec.feed] or outputs != spec.outputs:
        raise NetUnusable(
            "net_wrong", f"The file of {spec.name} holds another net: {inputs} to {outputs}."
        )
    return session


def session_options() -> ort.SessionOptions:
    """One thread a run: on this work the default pool costs 2 to 2.6 times the CPU and is slower
    in wall time; parallelism comes from sessions running side by side
    (server/frames/inference.py)."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # Without an arena of each net: those keep the most that any moment needed, 100 MB after the
    # first four sessions at a time, and are no faster (docs/benchmarks.md).
    options.enable_cpu_mem_arena = False
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3  # warnings about the graph are for whoever converts it
    return options
