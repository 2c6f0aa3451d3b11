"""Borders that a camera, its driver or an app puts round the picture: constant rows and columns.

Here: how wide they are in one frame, and the picture without them. Not here: whether they stay
(session/borders.py). A device's border that is filmed carries noise and a gradient of light, and
its edge is askew by a pixel or more; a painted one is the same number everywhere, but for what the
codec adds. Measured on 124 films, as they are and with borders of 9 kinds added, after VP8 at 600
kbit/s: docs/see.md, "Bars".
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.nets import Image
from pipeline.observation import NO_BARS, Bars

COLOUR_ROWS = 4
"""Outermost rows, whose median is the border's colour."""
SAME = 6
"""Grey levels by which a channel of a border may differ from its colour: VP8 and H.264 leave 4."""
OTHER = 16
"""From so many on, it is picture: ringing beside the picture's edge stays below it."""
STRAY = 0.02
"""Share of a row's pixels that may differ more: specks of a codec."""
RINGING_PX = 8
"""Rows that may lie between SAME and OTHER: half a macroblock. Dark walls fade over more."""
LEAST_PX, LEAST = 4, 0.01
"""Narrowest border, pixels and share of the frame: narrower ones move no cue."""
MOST = 0.38
"""Widest one, share of the frame: a portrait of 9:16 in a frame of 16:9 has .342 on each side."""
SEGMENTS, DEEP_PX, LEVEL_PX = 8, 24, 3
"""The picture's edge is looked at in so many segments, so deep, and must be level to within so
much in most of them: the edge of a screen that is filmed askew by half a degree is not."""
EVEN_PX, EVEN = 4, 0.01
"""How much opposite borders may differ where there are borders on all sides: a telephone in a dark
room looks like that, and does not lie in the middle."""


def find(image: Image) -> Bars:
    """The borders of uint8 HxWx3 BGR; NO_BARS where there are none."""
    height, width = image.shape[:2]
    columns = image.swapaxes(0, 1)
    left, right = _depth(columns), _depth(columns[::-1])
    top, bottom = _depth(image), _depth(image[::-1])
    around = (left or right) and (top or bottom)
    if around and not (_even(left, right, width) and _even(top, bottom, height)):
        return NO_BARS
    return Bars(left, top, right, bottom)


def stay(image: Image, known: Bars) -> bool:
    """Whether borders that were found before are still there: easier to say than to find them."""
    if without(image, known) is image:
        return False
    columns = image.swapaxes(0, 1)
    sides = (
        (columns, known.left_px),
        (columns[::-1], known.right_px),
        (image, known.top_px),
        (image[::-1], known.bottom_px),
    )
    return all(_holds(rows[: max(depth - RINGING_PX, depth // 2)]) for rows, depth in sides)


def without(image: Image, bars: Bars) -> Image:
    """The picture inside, a view; all of it where the borders leave nothing of this frame."""
    height, width = image.shape[:2]
    if bars.left_px + bars.right_px >= width or bars.top_px + bars.bottom_px >= height:
        return image
    return image[bars.top_px : height - bars.bottom_px, bars.left_px : width - bars.right_px]


def _holds(rows: Image) -> bool:
    if not len(rows):
        return True
    colour = np.median(rows[:COLOUR_ROWS].reshape(-1, 3), axis=0).astype(np.int16)
    return bool((np.abs(rows - colour) > OTHER).any(axis=2).mean() <= STRAY)


def _even(one: int, other: int, side: int) -> bool:
    return abs(one - other) <= max(EVEN_PX, EVEN * side)


def _depth(rows: Image) -> int:
    """How many of the first rows are border."""
    count = len(rows)
    least, most = max(LEAST_PX, round(LEAST * count)), int(MOST * count)
    if most < least:
        return 0
    colour = np.median(rows[:COLOUR_ROWS].reshape(-1, 3), axis=0).astype(np.int16)
    if _strays(rows[:least], colour, SAME).any():
        return 0  # nearly every frame ends here
    tight = _first(_strays(rows[: most + 1], colour, SAME))
    if tight > most:
        return 0  # the picture is of one colour, or dark
    edge = tight + _first(_strays(rows[tight : tight + RINGING_PX + 1], colour, OTHER))
    if edge - tight > RINGING_PX or not _level(rows[edge : edge + DEEP_PX], colour):
        return 0
    return edge


def _strays(rows: Image, colour: NDArray[np.int16], most: int) -> NDArray[np.bool_]:
    """bool (n,): rows in which too many pixels are of another colour."""
    least, greatest = (tuple((colour + far).tolist()) for far in (-most, most))
    like = cv2.inRange(np.ascontiguousarray(rows), least, greatest)
    wide = rows.shape[1]
    other: NDArray[np.bool_] = (wide - np.count_nonzero(like, axis=1)) / wide > STRAY
    return other


def _first(strays: NDArray[np.bool_]) -> int:
    """The first that is True, or how many there are."""
    return int(strays.argmax()) if strays.any() else len(strays)


def _level(rows: Image, colour: NDArray[np.int16]) -> bool:
    """Whether the picture begins at one height, where it is not of the border's colour itself."""
    other = (np.abs(rows - colour) > OTHER).any(axis=2)
    begins = np.where(other.any(axis=0), other.argmax(axis=0), DEEP_PX)
    heights = [
        float(np.median(part[part < DEEP_PX]))
        for part in np.array_split(begins, SEGMENTS)
        if (part < DEEP_PX).mean() > 0.3
    ]
    if not heights:
        return False  # as dark as the border: there is no edge that could mislead
    level = sum(one - min(heights) <= LEVEL_PX for one in heights)
    return 2 * level > len(heights)
