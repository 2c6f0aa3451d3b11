"""What the first bytes of a picture's file say that its decoder leaves out without a word.

Here: animated WebP, which FFmpeg 8.1 calls damaged; pages of TIFF after the first, which it never
shows. Not here: what follows from it (clips.py). Sources: RFC 9649 section 2.7.1; TIFF 6.0 section
2 and tag 254.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

ANIMATION = 0x02
"""Flag of the VP8X chunk."""
NEW_SUBFILE_TYPE, REDUCED = 254, 1
"""A page that is a smaller copy of another one: a thumbnail."""
MOST_PAGES = 64
"""Looked at. More are refused all the same."""
MOST_TAGS = 256
"""Looked at in a page; photographs have some twenty, in rising order."""


def is_animated_webp(file: Path) -> bool:
    """Whether it is a WebP that holds an animation. Raises OSError."""
    with file.open("rb") as stream:
        head = stream.read(21)
    extended = head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X"
    return extended and len(head) == 21 and bool(head[20] & ANIMATION)


def tiff_pages(file: Path) -> int:
    """How many pictures a TIFF holds, without thumbnails; 0 for what is none. Raises OSError."""
    with file.open("rb") as stream:
        order = {b"II*\0": "<", b"MM\0*": ">"}.get(stream.read(4))
        return 0 if order is None else _pages(stream, order)


def _pages(stream: BinaryIO, order: str) -> int:
    pages, at, seen = 0, _number(stream, order + "I", 4), set[int]()
    while at and at not in seen and len(seen) < MOST_PAGES:
        seen.add(at)
        count = _number(stream, order + "H", at)
        entries = range(at + 2, at + 2 + 12 * min(count, MOST_TAGS), 12)
        kinds = (
            _number(stream, order + "I", entry + 8)
            for entry in entries
            if _number(stream, order + "H", entry) == NEW_SUBFILE_TYPE
        )
        pages += not any(kind & REDUCED for kind in kinds)
        at = _number(stream, order + "I", at + 2 + 12 * count)
    return pages


def _number(stream: BinaryIO, kind: str, at: int) -> int:
    """What stands there; 0 beyond the end."""
    size = struct.calcsize(kind)
    stream.seek(at)
    raw = stream.read(size)
    return int(struct.unpack(kind, raw)[0]) if len(raw) == size else 0
