"""Encoded frames made by hand: what a sender may claim, without an encoder that would refuse to.

Here: VP8 key frame headers, H.264 parameter sets and the frames around them. Not here: what is made
of them. Source: RFC 6386 section 9.1; ITU-T H.264 7.3.2.1.1, 7.3.2.2, 7.3.3 and annex B.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from pipeline.sps import HIGH

START = b"\0\0\0\1"


def vp8(width: int, height: int, body: bytes = bytes(30)) -> bytes:
    """A key frame: tag, start code, size, and nothing that is a picture."""
    tag = struct.pack("<I", 1 << 4 | len(body) << 5)[:3]
    return tag + b"\x9d\x01\x2a" + struct.pack("<HH", width, height) + body


BOMB = vp8(16383, 16383, bytes(32))
"""42 bytes that claim the largest VP8 picture."""


class Bits:
    """Writes what H.264's syntax tables name."""

    def __init__(self) -> None:
        self.text = ""

    def u(self, count: int, value: int) -> Bits:
        """An unsigned number."""
        self.text += f"{value:0{count}b}" if count else ""
        return self

    def ue(self, *values: int) -> Bits:
        """Unsigned Exp-Golomb codes (9.1)."""
        for value in values:
            digits = f"{value + 1:b}"
            self.text += "0" * (len(digits) - 1) + digits
        return self

    def se(self, value: int) -> Bits:
        """A signed Exp-Golomb code (9.1.1)."""
        return self.ue(2 * value - 1 if value > 0 else -2 * value)

    def done(self) -> bytes:
        """With the stop bit (7.3.2.11)."""
        text = self.text + "1"
        text += "0" * (-len(text) % 8)
        return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))


def escape(data: bytes) -> bytes:
    """With emulation prevention (7.4.1)."""
    out, zeros = bytearray(), 0
    for byte in data:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def sps(
    mbs: tuple[int, int],
    *,
    profile: int = 66,
    references: int = 1,
    crop: Sequence[int] = (),
    order: int = 2,
    cycle: Sequence[int] = (),
    fields: bool = False,
    lists: Sequence[Sequence[int]] | None = None,
    chroma: int = 1,
    depth: int = 8,
) -> bytes:
    """A sequence parameter set without its header byte, escaped. `mbs`: width and height in
    macroblocks (with `fields` in pairs of them), `lists`: the deltas of scaling lists."""
    bits = Bits().u(8, profile).u(8, 0).u(8, 40).ue(0)
    if profile in HIGH:
        bits.ue(chroma).u(int(chroma == 3), 0)
        bits.ue(depth - 8, depth - 8).u(1, 0).u(1, lists is not None)
        for index in range((12 if chroma == 3 else 8) if lists is not None else 0):
            deltas = lists[index] if lists is not None and index < len(lists) else ()
            bits.u(1, bool(deltas))
            for delta in deltas:
                bits.se(delta)
    bits.ue(0, order)
    if order == 0:
        bits.ue(4)
    elif order == 1:
        bits.u(1, 0).se(-3).se(3).ue(len(cycle))
        for offset in cycle:
            bits.se(offset)
    bits.ue(references).u(1, 0).ue(mbs[0] - 1, mbs[1] - 1).u(1, not fields)
    if fields:
        bits.u(1, 0)
    bits.u(1, 1).u(1, bool(crop))
    if crop:
        bits.ue(*crop)
    return escape(bits.u(1, 0).done())


def h264(*sets: bytes) -> bytes:
    """A whole key frame after these sets: a picture parameter set, and an IDR slice of nonsense."""
    pps = Bits().ue(0, 0).u(2, 0).ue(0, 0, 0).u(3, 0).se(0).se(0).se(0).u(3, 0).done()
    idr = Bits().ue(0, 7, 0).u(4, 0).ue(0).u(2, 0).se(0)
    for _ in range(40):
        idr.ue(3, 0, 0).u(1, 1)
    units = [*(b"\x67" + one for one in sets), b"\x68" + escape(pps), b"\x65" + escape(idr.done())]
    return b"".join(START + unit for unit in units)
