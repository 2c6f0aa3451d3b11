"""The anti-spoof nets that an operator may add beside the pack's: each its crop in, a margin out.

Here: what each is fed, as those who made it do. Not here: the pack's own net (spoof.py), what a
margin is worth (cues/). Source: docs/models.md, "Nets to add".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np

from pipeline.nets import Floats, Image, Run, Spec
from pipeline.nets.spoof import TIGHT, WIDE, Box, crop, logsumexp
from pipeline.observation import Margin

SECOND = Spec("spoof2", (1, 3, 80, 80), ((1, 3),))  # BGR 0..255
THIRD = Spec("spoof3", (1, 3, 128, 128), ((1, 2),))  # RGB 0..1
SPECS: Mapping[str, Spec] = {spec.name: spec for spec in (SECOND, THIRD)}
LIVE = {SECOND.name: 1, THIRD.name: 0}
"""Which logit is a live face."""
MOST_ROOM = 4
"""Picture sides that a square may have: beyond it a box is no face of this picture."""


def used(added: Sequence[str]) -> tuple[str, ...]:
    """Those of the nets that were added that vote. The third does so only beside the second: alone
    it lets a replay in that the pack's net refuses (docs/liveness.md)."""
    return tuple(name for name in SPECS if name in added) if SECOND.name in added else ()


def votes(image: Image, box_px: Box, run: Run, names: Sequence[str]) -> tuple[Margin, ...]:
    """A margin of each named net. Without one if the box is degenerate, or the net gave nothing
    usable."""
    found = [_VOTES[name](image, box_px, run) for name in names]
    return tuple(margin for margin in found if margin is not None)


def _second(image: Image, box_px: Box, run: Run) -> Margin | None:
    cut = crop(image, box_px)
    if cut is None:
        return None
    view, reach = cut
    # INTER_LINEAR, as its makers do: the mean of the area separates less well (docs/liveness.md)
    feed = cv2.dnn.blobFromImage(cv2.resize(view, SECOND.feed[2:]))
    return _margin(SECOND, WIDE, reach, feed, run)  # type: ignore[arg-type]


def _third(image: Image, box_px: Box, run: Run) -> Margin | None:
    view = square(image, box_px, TIGHT)
    if view is None:
        return None
    way = cv2.INTER_AREA if view.shape[0] > THIRD.feed[2] else cv2.INTER_LINEAR
    exact = cv2.resize(view.astype(np.float32), THIRD.feed[2:], interpolation=way)
    feed = cv2.dnn.blobFromImage(exact, 1 / 255, swapRB=True)
    return _margin(THIRD, TIGHT, TIGHT, feed, run)  # type: ignore[arg-type]


def square(image: Image, box_px: Box, reach: float) -> Image | None:
    """The square of `reach` longer sides of the box round its middle, mirrored where the picture
    ends. None if the box is degenerate or its square leaves the picture altogether."""
    height, width = image.shape[:2]
    x, y, w, h = box_px
    if not all(map(math.isfinite, box_px)) or w < 1 or h < 1:
        return None
    side = round(reach * max(w, h))
    if side > MOST_ROOM * max(height, width):
        return None
    left, top = round(x + w / 2 - side / 2), round(y + h / 2 - side / 2)
    right, bottom = left + side, top + side
    view = image[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    if not view.size:
        return None
    rims = max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width)
    if any(rims):
        view = cv2.copyMakeBorder(view, *rims, cv2.BORDER_REFLECT_101)  # type: ignore[assignment]
    return view


def _margin(spec: Spec, asked: float, reach: float, feed: Floats, run: Run) -> Margin | None:
    logits = [float(value) for value in run(spec.name, feed)[0].reshape(-1)]
    live = logits.pop(LIVE[spec.name])
    value = live - logsumexp(logits)
    return Margin(spec.name, asked, reach, value) if math.isfinite(value) else None


_VOTES: Mapping[str, Callable[[Image, Box, Run], Margin | None]] = {
    SECOND.name: _second,
    THIRD.name: _third,
}
