"""How large the pictures of a file say they are, read before they are decoded.

FFmpeg's `max_pixels` is asked as well, but it compares what H.264 and H.265 show, not what they
decode (measured: 16000x16000 cropped to 20x20 takes 1.2 GB), and calls what is too large damaged.
Not here: what follows from it (clips.py). Sources: ISO/IEC 14496-15 (avcC, hvcC, lengths in place
of start codes), PNG section 11.2.1, ITU-T T.81 B.2.2 (JPEG), RFC 9649 section 2 (WebP).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pipeline import encoded, sps
from server.tools import h265

MAX_PIXELS = 1 << 26
"""Of a file's picture: 8192x8192, or a film in 8K, or a photograph of 64 megapixels."""
MOST_UNITS = 4096
"""Looked at in a packet; a picture has one to a few hundred."""
MOST_SEGMENTS = 1024
"""Looked at in a JPEG before its frame header."""

Size = tuple[int, int]
"""Width and height, px."""

_START = re.compile(rb"\x00\x00\x01")
_PNG = b"\x89PNG\r\n\x1a\n"
_NO_FRAME = (0xC4, 0xC8, 0xCC)
"""DHT, JPG and DAC stand among the frame headers SOF0 to SOF15."""


def too_large(size: Size) -> bool:
    """Whether nobody decodes this."""
    return size[0] * size[1] > MAX_PIXELS


def of_packet(codec: str, box: bytes, data: bytes) -> Iterator[Size | None]:
    """What an encoded picture says of its size, as often as it says so; None: it cannot be read.

    `codec` as FFmpeg names it, `box`: its extradata. Nothing comes for codecs whose sizes FFmpeg
    itself compares before it allocates.
    """
    if codec == "vp8":
        size = encoded.size("VP8", data)
        return iter([] if size is None else [size])
    return (_of_set(codec, unit) for unit in _units(codec, box, data) if _is_set(codec, unit))


def of_box(codec: str, box: bytes) -> Iterator[Size | None]:
    """As `of_packet`, of what stands in a film's head."""
    units = list(_boxed(codec, box)) if box[:1] == b"\1" else list(_units(codec, box, box))
    return (_of_set(codec, unit) for unit in units if _is_set(codec, unit))


def _is_set(codec: str, unit: bytes) -> bool:
    if codec == "h264":
        return bool(unit) and unit[0] & 0x1F == 7
    # Sets of further layers (3D) are not decoded.
    return len(unit) > 1 and unit[0] >> 1 & 0x3F == 33 and unit[1] >> 3 | (unit[0] & 1) << 5 == 0


def _of_set(codec: str, unit: bytes) -> Size | None:
    if codec == "hevc":
        return h265.size(unit[2:])
    found = sps.read(unit[1:])
    return None if found is None else (found.width, found.height)


def _units(codec: str, box: bytes, data: bytes) -> Iterator[bytes]:
    """NAL units of a packet, as far as their sizes matter."""
    if codec not in ("h264", "hevc"):
        return
    if box[:1] != b"\1":
        starts = itertools.islice(_START.finditer(data), MOST_UNITS)
        yield from sps.units(data, (found.end() for found in starts))
        return
    at, wide = 0, 1 + (box[4 if codec == "h264" else 21 : 22][:1] or b"\3")[0] % 4
    for _ in range(MOST_UNITS):
        if at + wide > len(data):
            return
        start = at + wide
        at = start + int.from_bytes(data[at:start], "big")
        yield data[start : min(at, start + sps.MAX_BYTES)]


def _boxed(codec: str, box: bytes) -> Iterator[bytes]:
    """NAL units in avcC or hvcC."""
    if codec == "h264":
        at, counts = 6, [box[5] & 0x1F if len(box) > 5 else 0]
        skip = 0
    elif codec == "hevc":
        at, counts = 23, [-1] * (box[22] if len(box) > 22 else 0)
        skip = 3
    else:
        return
    for told in counts:
        count = told if told >= 0 else int.from_bytes(box[at + 1 : at + 3], "big")
        at += skip
        for _ in range(min(count, MOST_UNITS)):
            size = int.from_bytes(box[at : at + 2], "big")
            yield box[at + 2 : at + 2 + size]
            at += 2 + size


def of_still(file: Path) -> Size | None:
    """What a PNG, JPEG or WebP says of its size; None for what is none of them. Raises OSError."""
    with file.open("rb") as stream:
        head = stream.read(30)
        if head[:8] == _PNG and len(head) >= 24:
            return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
        if head[:2] == b"\xff\xd8":
            stream.seek(2)
            return _of_jpeg(stream)
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP" and len(head) == 30:
            return _of_webp(head[12:])
    return None


def _of_jpeg(stream: BinaryIO) -> Size | None:
    for _ in range(MOST_SEGMENTS):
        marker = stream.read(2)
        while marker[1:] == b"\xff":  # fill bytes (B.1.1.2)
            marker = b"\xff" + stream.read(1)
        if len(marker) < 2 or marker[0] != 0xFF:
            return None
        length = int.from_bytes(stream.read(2), "big")
        if 0xC0 <= marker[1] <= 0xCF and marker[1] not in _NO_FRAME:
            frame = stream.read(5)  # precision, lines, samples a line
            size = int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[1:3], "big")
            return size if len(frame) == 5 else None
        stream.seek(max(0, length - 2), 1)
    return None


def _of_webp(chunk: bytes) -> Size | None:
    """The first chunk, with its header of 8 bytes."""
    kind, data = chunk[:4], chunk[8:]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[4:7], "little"), 1 + int.from_bytes(data[7:10], "little")
    if kind == b"VP8 ":
        return encoded.size("VP8", data)
    if kind == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return None
