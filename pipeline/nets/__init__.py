"""Nets: pre- and post-processing of each, and the one door to ONNX Runtime (`ort`).

Here: how a net is asked (`Run`) and what it is given (`Spec`). Not here: weights (models/), any
decision. `see` and everything it uses need only a callable, so tests run without the runtime.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]


class Run(Protocol):
    """A net by name. Callable from several threads at once."""

    def __call__(self, net: str, feed: Floats) -> tuple[Floats, ...]:
        """Outputs of `net` for one input, in the order of its Spec.

        Raises KeyError for a net that was not loaded.
        """
        ...


@dataclass(frozen=True, slots=True)
class Spec:
    """What a net takes and gives; checked when it is loaded, promised to those who call it."""

    name: str
    """How `Run` calls it; its file is `{name}.onnx`."""
    feed: tuple[int, ...]
    """Shape of the one float32 input."""
    outputs: tuple[tuple[int, ...], ...]
    """Shapes of the float32 outputs, in order."""


def lay_out(image: NDArray[Any], planes: Floats) -> None:
    """A picture uint8 (h, w, 3) as three planes, float32 (3, h, w) or a view of that shape."""
    for plane, channel in zip(planes, cv2.split(image), strict=True):
        plane[...] = channel  # in a third of the time of a transposed copy
