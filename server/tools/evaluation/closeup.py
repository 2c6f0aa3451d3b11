"""How a film is shown: from a second on, and as it is or so close that no border is left.

`z` is each picture's part of FACES face boxes round the face, enlarged: what a phone or a print
shows that somebody holds before the camera until its border has left the picture. Nothing is
padded; where the frame ends the part is moved or smaller. Not here: VP8 (vp8.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.observation import Ask
from server.frames.convert import to_frame
from server.tools.clips import Timed, resize
from server.tools.evaluation import vp8
from server.tools.evaluation.acquire import See
from server.tools.evaluation.folder import AS_IT_IS

Numbers = NDArray[np.float64]

FACES = 2.0
"""Side of the part, in the longer side of the face's box."""
LOOK_S = 0.2
"""How often the face is looked for."""
SMOOTH_S = 0.5
"""Standard deviation, in time, of the mean of what was found: the part follows the face slowly, so
that the cut itself adds no shake."""


def film(path: Path, see: See, *, begin_s: float = 0.0, framing: str = AS_IT_IS) -> Iterator[Timed]:
    """The coded pictures of a file, shown so. A film of nobody is shown as it is. Raises
    MediaError, and OSError, at once or at the first picture that is asked for."""
    if framing == AS_IT_IS:
        return vp8.film(path, begin_s)
    times, boxes = _found(path, see, begin_s)
    if not times:
        return vp8.film(path, begin_s)
    at, shares = np.asarray(times, np.float64), np.asarray(boxes, np.float64)

    def crop(at_s: float, width: int, height: int) -> vp8.Crop:
        return square(mean(at, shares, at_s), width, height)

    return vp8.film(path, begin_s, crop)


def _found(path: Path, see: See, begin_s: float) -> tuple[list[float], list[Sequence[float]]]:
    """When a face was found, and its box (x, y, width, height) in shares of the picture."""
    times: list[float] = []
    boxes: list[Sequence[float]] = []
    due_s = 0.0
    for seq, (at_s, picture) in enumerate(vp8.pictures(path, begin_s)):
        if at_s < due_s:
            continue
        due_s = at_s + LOOK_S
        frame = to_frame(resize(picture, vp8.SIDE), seq, at_s, at_s)
        face = see(frame, Ask(detect=True)).face
        if face is not None:
            high, wide = frame.image.shape[:2]
            x, y, width, height = face.box_px
            times.append(at_s)
            boxes.append((x / wide, y / high, width / wide, height / high))
    return times, boxes


def mean(times: Numbers, boxes: Numbers, at_s: float) -> Numbers:
    """The box at a time: those near it count most."""
    far = -(((times - at_s) / SMOOTH_S) ** 2) / 2
    weights = np.exp(far - far.max())
    box: Numbers = weights @ boxes / weights.sum()
    return box


def square(box: Numbers, width: int, height: int) -> vp8.Crop:
    """The part of a picture round a box in shares of it, inside the picture."""
    x, y, wide, high = box * (width, height, width, height)
    side = int(min(max(2.0, FACES * max(wide, high)), width, height))
    left = round(x + wide / 2 - side / 2)
    top = round(y + high / 2 - side / 2)
    return min(max(0, left), width - side), min(max(0, top), height - side), side
