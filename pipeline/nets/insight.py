"""The one door to the insightface package: the recognition net of a pack in the embedder's place.

Here: loading one file, and a `Run` that gives it what asks for "embed". Not here: weights (never
fetched), detection and alignment, which stay ours. Source: insightface 2.1, model_zoo; its
arcface_onnx.py and utils/face_align.py (the same 112x112 template). docs/insightface.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.nets import Floats, Run, embed
from pipeline.nets.embed import SIZE_PX, Embedder
from pipeline.nets.ort import NetUnusable, session_options

INSTALL = (
    "python -m pip install --no-deps 'insightface>=2.1,<3' &&"
    " python -m pip install onnx requests scikit-image tqdm"
)
"""Not the package's own requirements: they bring opencv-python, which overwrites the headless
OpenCV in place. These are all that importing it takes (tried in an empty environment)."""


class InsightFace:
    """A `Run` whose "embed" is a pack's recognition net; other nets go to `others`."""

    embedder: Embedder
    """What its templates are told apart by."""
    mean: float
    """Subtracted from each value 0..255 of the crop, by the package's judgement of the file."""
    std: float
    """What the difference is divided by."""

    def __init__(
        self, file: Path, others: Run, *, get_model: Callable[..., Any] | None = None
    ) -> None:
        """Load `file`, an ONNX net of a pack (w600k_r50.onnx and the like), and run it once.

        `get_model` is insightface.model_zoo's. Raises NetUnusable: `insightface_missing`,
        `embedder_missing`, `embedder_broken`, `embedder_wrong`.
        """
        load = _package() if get_model is None else get_model
        if not file.is_file() or file.suffix != ".onnx":  # other names mean packs to the package
            raise NetUnusable("embedder_missing", "LOOKGATE_EMBEDDER names no .onnx file.")
        try:
            with file.open("rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
            model = load(
                str(file),
                providers=["CPUExecutionProvider"],
                sess_options=session_options(),
                download=False,
            )
        except Exception as error:  # assertions, protobuf's, the runtime's: no common base class
            raise NetUnusable(
                "embedder_broken",
                f"The file of LOOKGATE_EMBEDDER cannot be loaded ({type(error).__name__}).",
            ) from error
        if getattr(model, "taskname", None) != "recognition":
            raise NetUnusable("embedder_wrong", "The file of LOOKGATE_EMBEDDER recognises no face.")
        if tuple(model.input_size) != (SIZE_PX, SIZE_PX):
            raise NetUnusable(
                "embedder_wrong", f"The net of LOOKGATE_EMBEDDER takes no {SIZE_PX} px crop."
            )
        self._model = model
        self._others = others
        self.mean, self.std = float(model.input_mean), float(model.input_std)
        self.embedder = Embedder(
            f"insightface:{re.sub(r'[^A-Za-z0-9._-]', '_', file.stem)[:64]}:{digest[:12]}",
            self._dimensions(),
        )

    def __call__(self, net: str, feed: Floats) -> tuple[Floats, ...]:
        """As `Run`. Callable from several threads: `forward` keeps nothing."""
        if net != "embed":
            return self._others(net, feed)
        # RGB 0..255 as SFace's: `forward` subtracts and divides, channels are in this order already
        return (np.asarray(self._model.forward(feed), np.float32),)

    def _dimensions(self) -> int:
        """From one run: files may leave their output's shape open. It also warms the net up."""
        try:
            (vector,) = self("embed", np.full(embed.SPEC.feed, 127, np.float32))
        except Exception as error:
            raise NetUnusable(
                "embedder_broken",
                f"The net of LOOKGATE_EMBEDDER does not run ({type(error).__name__}).",
            ) from error
        if vector.ndim != 2 or vector.shape[0] != 1 or not 64 <= vector.shape[1] <= 4096:
            raise NetUnusable("embedder_wrong", "The net of LOOKGATE_EMBEDDER gives no vector.")
        return int(vector.shape[1])


def _package() -> Callable[..., Any]:
    try:
        from insightface.model_zoo import get_model
    except ImportError as error:
        missing = error.name or "a part of it"
        raise NetUnusable(
            "insightface_missing",
            f"LOOKGATE_EMBEDDER needs the package insightface ({missing} is missing): {INSTALL}",
        ) from error
    found: Callable[..., Any] = get_model
    return found
