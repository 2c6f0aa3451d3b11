"""How a picture that was taken on its side or mirrored is put upright.

Files say it in eight ways (EXIF 2.32 section 4.6.4 A, tag 274), films by a matrix (ISO/IEC 14496-12
section 8.3.2). FFmpeg makes a matrix of both, and leaves it beside each picture. PyAV's `rotation`
keeps its angle alone, which is wrong for the four mirrored ways. Not here: which files there are
(server/tools/clips.py), pixels that are not square (there, too).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.filter import Graph
from av.sidedata.sidedata import SideDataContainer, Type
from numpy.typing import NDArray

Image = NDArray[np.uint8]

EXIF = 31
"""AV_FRAME_DATA_EXIF of libavutil 60. PyAV 18 has no name for it, and cannot show the side data of
a picture that has it."""
ONE = 1 << 16
"""The matrix is in 16.16 fixed point."""
SQUARE = 0.01
"""How far from a quarter of a turn a matrix may be: films are written with rounded sines."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """What to do with a picture: first `swapped`, then the mirrors."""

    swapped: bool = False
    """Rows become columns."""
    left_right: bool = False
    """Mirrored, left to right."""
    top_down: bool = False
    """Mirrored, top to bottom."""
    exact: bool = True
    """False: the file says another angle than a quarter of a turn, and this is the nearest."""

    @property
    def upright(self) -> bool:
        """Whether the picture stays as it is."""
        return not (self.swapped or self.left_right or self.top_down)

    def turned(self, image: Image) -> Image:
        """The picture upright: uint8 HxWx3, or WxHx3 if `swapped`; a view."""
        seen = image.swapaxes(0, 1) if self.swapped else image
        return seen[:: -1 if self.top_down else 1, :: -1 if self.left_right else 1]


UPRIGHT = Orientation()


def orientation(picture: av.VideoFrame) -> Orientation:
    """What a decoded picture's side data says. Never raises on what a stranger's stream says."""
    matrix = _matrix(picture)
    return UPRIGHT if matrix is None else of_matrix(matrix)


def of_matrix(matrix: tuple[int, ...]) -> Orientation:
    """Of the nine numbers a b u, c d v, x y w: (x, y) is shown at (ax + cy, bx + dy)."""
    a, b, _, c, d = (value / ONE for value in matrix[:5])
    swapped = abs(b) + abs(c) > abs(a) + abs(d)
    along, down = (c, b) if swapped else (a, d)
    other = (a, d) if swapped else (b, c)
    size = max(abs(along), abs(down))
    if size == 0.0:
        return Orientation(exact=False)
    odd = max(map(abs, other)) > SQUARE * size or min(abs(along), abs(down)) < (1 - SQUARE) * size
    return Orientation(swapped, left_right=along < 0, top_down=down < 0, exact=not odd)


def _matrix(picture: av.VideoFrame) -> tuple[int, ...] | None:
    listed: Any = SideDataContainer  # PyAV's types know neither its argument nor what it gives
    # Not picture.side_data: the picture keeps that, and it the picture. Such a ring stays until the
    # collector comes by, and with it 0.46 MB of a 640x480: 7 MB a second of each session.
    try:
        found = listed(picture)
    except ValueError:  # PyAV does not know one of its kinds
        found = listed(_without_exif(picture))
    said = [bytes(data) for data in found if data.type is Type.DISPLAYMATRIX]
    return struct.unpack("=9i", said[0]) if said and len(said[0]) == 36 else None


def _without_exif(picture: av.VideoFrame) -> av.VideoFrame:
    """The same picture, without the side data that PyAV does not know."""
    graph = Graph()
    source = graph.add_buffer(
        width=picture.width,
        height=picture.height,
        format=picture.format,
        time_base=picture.time_base,
    )
    graph.link_nodes(
        source, graph.add("sidedata", f"mode=delete:type={EXIF}"), graph.add("buffersink")
    )
    graph.configure()
    graph.vpush(picture)
    cleaned = graph.vpull()
    assert isinstance(cleaned, av.VideoFrame)
    return cleaned
