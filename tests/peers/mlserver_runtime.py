"""MLServer's side: one of our nets by ONNX Runtime, as its custom runtime.

Loaded by MLServer out of its own environment, so that it imports nothing of ours.
Source: mlserver.readthedocs.io, "Writing custom runtimes".
"""

from __future__ import annotations

from typing import Any

import onnxruntime as ort
from mlserver import MLModel, types
from mlserver.codecs import NumpyCodec


class OnnxNet(MLModel):
    """The file that the model's settings name as `uri`."""

    async def load(self) -> bool:
        """With the options of pipeline/nets/ort.py, as far as they bear on bits."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        parameters: Any = self.settings.parameters
        self._session = ort.InferenceSession(
            parameters.uri, options, providers=["CPUExecutionProvider"]
        )
        return True

    async def predict(self, payload: types.InferenceRequest) -> types.InferenceResponse:
        """One run."""
        (given,) = payload.inputs
        feed = NumpyCodec.decode_input(given)
        found = self._session.run(None, {given.name: feed})
        names = [one.name for one in self._session.get_outputs()]
        outputs = [
            NumpyCodec.encode_output(name, value) for name, value in zip(names, found, strict=True)
        ]
        return types.InferenceResponse(model_name=self.name, outputs=outputs)
