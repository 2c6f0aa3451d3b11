"""Single-frame anti-spoof net: a wide crop around the face in, one margin out.

Here: the crop and the margin. Not here: what a margin is worth (cues/). Weak alone: one vote.
Source: fr_liveness, a MiniFASNet; crop rule of Silent-Face-Anti-Spoofing (generate_patches.py).
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from pipeline.nets import Floats, Image, Run, Spec

SIZE_PX = 128
REACH = 2.7
"""Side of the crop in face boxes, where the frame allows."""

SPEC = Spec("spoof", (1, 3, SIZE_PX, SIZE_PX), ((1, 3),))  # BGR 0..255: RGB loses half the people


def crop(image: Image, box_px: tuple[float, float, float, float]) -> tuple[Image, float] | None:
    """The box widened by up to REACH, moved to lie in the frame, and the reach it got.

    None if the box is degenerate. The crop is a view, not resized.
    """
    height, width = image.shape[:2]
    x, y, w, h = box_px
    if not all(map(math.isfinite, box_px)) or w < 1 or h < 1 or height < 2 or width < 2:
        return None
    reach = min((height - 1) / h, (width - 1) / w, REACH)
    wide, high = w * reach, h * reach
    left = min(max(x + w / 2 - wide / 2, 0.0), width - 1 - wide)
    top = min(max(y + h / 2 - high / 2, 0.0), height - 1 - high)
    x0, y0 = max(0, int(left)), max(0, int(top))
    view = image[y0 : int(top + high) + 1, x0 : int(left + wide) + 1]
    return (view, reach) if view.size else None


def spoof(
    image: Image, box_px: tuple[float, float, float, float], run: Run
) -> tuple[float, float] | None:
    """Margin (live logit minus logsumexp of the others, not clipped) and reach of the crop.

    None if the box is degenerate or the net gave nothing usable.
    """
    cut = crop(image, box_px)
    if cut is None:
        return None
    view, reach = cut
    # Mean of the area: with INTER_LINEAR, noise of one grey level folds into the small picture and
    # costs a webcam's face up to 6 of margin (docs/liveness.md). In floats OpenCV is quicker; whole
    # grey levels are what the margins were measured on.
    exact = view.astype(np.float32)
    small = cv2.resize(exact, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
    feed: Floats = cv2.dnn.blobFromImage(np.rint(small, out=small))  # type: ignore[assignment]
    live, *others = (float(v) for v in run("spoof", feed)[0].reshape(-1))
    margin = live - _logsumexp(others)
    return (margin, reach) if math.isfinite(margin) else None


def _logsumexp(values: list[float]) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(v - top) for v in values))
