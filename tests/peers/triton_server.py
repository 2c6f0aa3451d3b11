"""A real Triton with our nets in its Python backend; run by nvidia-pytriton's own interpreter.

`python triton_server.py ONNXRUNTIME_MODELS_DIR GRPC_PORT HTTP_PORT NET...`, not of this project's
environment, so that it imports nothing of ours. Source: triton-inference-server.github.io/pytriton.
"""

from __future__ import annotations

import sys

import numpy as np
import onnxruntime as ort
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig


def session(file: str) -> ort.InferenceSession:
    """With the options of pipeline/nets/ort.py, as far as they bear on bits."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def main() -> None:
    folder, grpc_port, http_port, *nets = sys.argv[1:]
    config = TritonConfig(
        grpc_address="127.0.0.1",
        grpc_port=int(grpc_port),
        http_address="127.0.0.1",
        http_port=int(http_port),
        allow_metrics=False,
    )
    with Triton(config=config) as triton:
        for net in nets:
            loaded = session(f"{folder}/{net}.onnx")
            (given,) = loaded.get_inputs()
            outputs = loaded.get_outputs()

            def infer(requests, loaded=loaded, given=given, outputs=outputs):  # type: ignore[no-untyped-def]
                answers = []
                for request in requests:
                    found = loaded.run(None, {given.name: request.data[given.name]})
                    answers.append({o.name: v for o, v in zip(outputs, found, strict=True)})
                return answers

            triton.bind(
                model_name=net,
                infer_func=infer,
                inputs=[Tensor(name=given.name, dtype=np.float32, shape=tuple(given.shape))],
                outputs=[
                    Tensor(name=one.name, dtype=np.float32, shape=tuple(one.shape))
                    for one in outputs
                ],
                config=ModelConfig(batching=False),
                strict=True,
            )
        triton.serve()


if __name__ == "__main__":
    main()
