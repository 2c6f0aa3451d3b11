"""What an encoded frame says of itself before it is decoded: whether it is a key frame, its size.

A decoder allocates what a frame claims: 42 bytes of VP8 may claim 16383x16383, and libvpx then
took 850 MB, as FFmpeg's `max_pixels` never reaches it. 77 bytes of H.264 may claim 16000x16000
that are cropped to 20x20, and FFmpeg takes 1.2 GB, as it compares what is shown. So frames of
others are asked for by `unfit` before they are decoded. Not here: how many are
(server/rtc/intake.py).
Source: RFC 6386 section 9.1 (VP8), ITU-T H.264 annex B and sps.py.
"""

from __future__ import annotations

import itertools
import re
from enum import StrEnum

from pipeline import sps

MAX_PIXELS = 1920 * 1088
"""Larger pictures are not decoded: no camera of a login needs them."""
MAX_REFERENCE_PIXELS = 32_768 * 256
"""Pixels of all pictures that an H.264 decoder keeps: MaxDpbMbs of level 4.1 (table A-1), which is
4 pictures of 1920x1088 and 16 of 800x600. Each pixel is 1.5 bytes."""
PROFILES = frozenset({66, 77, 100})
"""Baseline, Main, High: what browsers send (RFC 7742 section 6.2)."""
MAX_SETS = 4
"""Parameter sets in one H.264 frame; encoders send one."""

_VP8_START = b"\x9d\x01\x2a"
_SET = re.compile(rb"\x00\x00\x01[\x07\x27\x47\x67\x87\xa7\xc7\xe7]")
"""A start code and the header of a sequence parameter set, whatever its nal_ref_idc."""


class Unfit(StrEnum):
    """Why no decoder may have a frame."""

    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    """It does not say for certain how large it is."""


def is_key(codec: str, data: bytes) -> bool:
    """True if an encoded frame needs no other: VP8 (RFC 6386 section 9.1) or H264 (Annex B)."""
    if codec.upper() == "VP8":
        return bool(data) and data[0] & 1 == 0
    at = data.find(b"\0\0\1")
    while 0 <= at < len(data) - 3:
        if data[at + 3] & 0x1F in (5, 7):  # IDR slice, sequence parameters (H.264 table 7-1)
            return True
        at = data.find(b"\0\0\1", at + 3) if at < 256 else -1
    return False


def unfit(codec: str, data: bytes) -> Unfit | None:
    """Why this frame must not be decoded; None if it may. Never raises.

    A frame that says nothing of its size, as one that refers to others, is as large as they are.
    """
    if codec.upper() == "VP8":
        if not is_key(codec, data):
            return None
        size = _vp8_size(data)
        return Unfit.MALFORMED if size is None else _too_large(*size)
    sets = _sets(data)
    if len(sets) > MAX_SETS:
        return Unfit.MALFORMED
    for found in sets:
        if found is None or found.profile not in PROFILES or not found.plain:
            return Unfit.MALFORMED
        if why := _too_large(found.width, found.height, found.references):
            return why
    return None


def size(codec: str, data: bytes) -> tuple[int, int] | None:
    """Width and height of what would be decoded, px; None if the frame does not say."""
    if codec.upper() == "VP8":
        return _vp8_size(data) if is_key(codec, data) else None
    found = next(iter(_sets(data)), None)
    return None if found is None else (found.width, found.height)


def _too_large(width: int, height: int, references: int = 0) -> Unfit | None:
    pixels = width * height
    kept = references * pixels
    return Unfit.TOO_LARGE if pixels > MAX_PIXELS or kept > MAX_REFERENCE_PIXELS else None


def _vp8_size(data: bytes) -> tuple[int, int] | None:
    """RFC 6386 section 9.1: frame tag of 3 bytes, start code, then 14 bits each, 2 of scaling."""
    if len(data) < 10 or data[3:6] != _VP8_START:
        return None
    width, height = (int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    return (width, height) if width and height else None


def _sets(data: bytes) -> list[sps.Sps | None]:
    """One more than MAX_SETS at most."""
    starts = (found.end() for found in itertools.islice(_SET.finditer(data), MAX_SETS + 1))
    return [sps.read(unit) for unit in sps.units(data, starts)]
