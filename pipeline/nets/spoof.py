"""Single-frame anti-spoof net: crops around the face in, one margin of each out.

Here: the crops and the margins. Not here: what a margin is worth (cues/). Weak alone: one vote.
Source: fr_liveness, a MiniFASNet; crop rule of Silent-Face-Anti-Spoofing (generate_patches.py).
"""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np

from pipeline.nets import Floats, Image, Run, Spec
from pipeline.observation import Margin

SIZE_PX = 128
REACHES = WIDE, TIGHT = 2.7, 1.5
"""Sides of the crops in face boxes, where the frame allows, the widest first: that which the net
was trained on, and one with little but the face, on which it sees screens whose border is out of
the picture better (docs/liveness.md)."""

SPEC = Spec("spoof", (1, 3, SIZE_PX, SIZE_PX), ((1, 3),))  # BGR 0..255: RGB loses half the people


Box = tuple[float, float, float, float]


def crop(image: Image, box_px: Box, most: float = WIDE) -> tuple[Image, float] | None:
    """The box widened by up to `most`, moved to lie in the frame, and the reach it got.

    None if the box is degenerate. The crop is a view, not resized.
    """
    height, width = image.shape[:2]
    x, y, w, h = box_px
    if not all(map(math.isfinite, box_px)) or w < 1 or h < 1 or height < 2 or width < 2:
        return None
    reach = min((height - 1) / h, (width - 1) / w, most)
    wide, high = w * reach, h * reach
    left = min(max(x + w / 2 - wide / 2, 0.0), width - 1 - wide)
    top = min(max(y + h / 2 - high / 2, 0.0), height - 1 - high)
    x0, y0 = max(0, int(left)), max(0, int(top))
    view = image[y0 : int(top + high) + 1, x0 : int(left + wide) + 1]
    return (view, reach) if view.size else None


def spoof(image: Image, box_px: Box, run: Run) -> tuple[Margin, ...]:
    """A margin for each of REACHES. Without one if the box is degenerate or the net gave nothing
    usable.

    A near face may leave the frame no room for more than the tight crop. Both are the same picture
    then, so one run is both.
    """
    found: list[Margin] = []
    for asked in REACHES:
        cut = crop(image, box_px, asked)
        if cut is None:
            continue
        view, reach = cut
        if found and found[-1].reach == reach:
            found.append(replace(found[-1], asked=asked))
            continue
        value = _margin(view, run)
        if math.isfinite(value):
            found.append(Margin(SPEC.name, asked, reach, value))
    return tuple(found)


def _margin(view: Image, run: Run) -> float:
    """Live logit minus logsumexp of the others."""
    # Mean of the area: with INTER_LINEAR, noise of one grey level folds into the small picture and
    # costs a webcam's face up to 6 of margin (docs/liveness.md). In floats OpenCV is quicker; whole
    # grey levels are what the margins were measured on.
    exact = view.astype(np.float32)
    small = cv2.resize(exact, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
    feed: Floats = cv2.dnn.blobFromImage(np.rint(small, out=small))  # type: ignore[assignment]
    live, *others = (float(v) for v in run("spoof", feed)[0].reshape(-1))
    return live - logsumexp(others)


def logsumexp(values: list[float]) -> float:
    """ln of the sum of the powers of e, without overflow."""
    top = max(values)
    return top + math.log(sum(math.exp(v - top) for v in values))
