"""The size that an H.264 stream announces in its sequence parameter sets, read before decoding.

Read as FFmpeg reads it, and no further than the size. A set that two readers could read in two
ways is not readable here: else one reads a small size, and the other allocates a large one. Not
here: which frames are decoded (encoded.py), H.265 (server/tools/h265.py).
Source: ITU-T H.264 (08/2021), 7.3.2.1.1 and 7.4.2.1.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MAX_BYTES = 1024
"""Of a set that are looked at: those of cameras have 10 to 60."""
MAX_ZEROS = 16
"""Leading zeros of an Exp-Golomb code: no number before the size is larger than 2^16 in a stream
that is meant to be decoded, and FFmpeg reads longer codes in more than one way."""
HIGH = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 144})
"""Profiles whose sets have more fields, for FFmpeg. The standard has 139, 134 and 135 for 144."""


@dataclass(frozen=True, slots=True)
class Sps:
    """What a decoder will allocate."""

    width: int
    """Of the coded picture, px: what cropping hides is decoded all the same."""
    height: int
    references: int
    """Pictures that it keeps (max_num_ref_frames)."""
    profile: int = 66
    plain: bool = True
    """Whether it is 8 bit and 4:2:0 or grey."""


class Unreadable(Exception):
    """Of `Bits`: they end, or say what they must not."""


def read(nal: bytes) -> Sps | None:
    """A set as it stands in the stream: from after its header byte to before the next start code.

    None if it cannot be read for certain. Never raises.
    """
    raw = nal[:MAX_BYTES]
    try:
        found = _read(Bits(unescape(raw)))
        # FFmpeg tries a set that it cannot read again with its emulation prevention left in.
        return found if found == _read(Bits(raw)) else None
    except Unreadable:
        return None


def unescape(data: bytes) -> bytes:
    """Without emulation prevention: 00 00 03 stands for 00 00 (7.4.1)."""
    if b"\0\0\3" not in data:
        return data
    out, zeros = bytearray(), 0
    for byte in data:
        if zeros >= 2 and byte == 3:
            zeros = 0
            continue
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


class Bits:
    """Bits from the front; every method raises Unreadable."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def u(self, count: int) -> int:
        """An unsigned number of so many bits."""
        if count > self._left:
            raise Unreadable
        self._left -= count
        return self._value >> self._left & (1 << count) - 1

    def ue(self, most: int) -> int:
        """An unsigned Exp-Golomb code (9.1), at most `most`."""
        zeros = 0
        while self.u(1) == 0:
            zeros += 1
            if zeros > MAX_ZEROS:
                raise Unreadable
        value = (1 << zeros) - 1 + self.u(zeros)
        if value > most:
            raise Unreadable
        return value

    def se(self) -> int:
        """A signed Exp-Golomb code (9.1.1)."""
        value = self.ue((1 << MAX_ZEROS + 1) - 2)
        return (value + 1) // 2 if value & 1 else -(value // 2)


def _read(bits: Bits) -> Sps:
    profile, plain = bits.u(8), True
    bits.u(16)  # constraint flags, level_idc: claims that no decoder is bound by
    bits.ue(31)  # seq_parameter_set_id
    if profile in HIGH:
        plain = _read_high(bits)
    bits.ue(12)  # log2_max_frame_num_minus4
    order = bits.ue(2)  # pic_order_cnt_type
    if order == 0:
        bits.ue(12)  # log2_max_pic_order_cnt_lsb_minus4
    elif order == 1:
        bits.u(1)  # delta_pic_order_always_zero_flag
        bits.se()  # offset_for_non_ref_pic
        bits.se()  # offset_for_top_to_bottom_field
        for _ in range(bits.ue(255)):  # num_ref_frames_in_pic_order_cnt_cycle
            bits.se()
    references = bits.ue(16)  # max_num_ref_frames
    bits.u(1)  # gaps_in_frame_num_value_allowed_flag
    width = 16 * (bits.ue(1 << MAX_ZEROS) + 1)  # pic_width_in_mbs_minus1
    height = 16 * (bits.ue(1 << MAX_ZEROS) + 1)  # pic_height_in_map_units_minus1
    if bits.u(1) == 0:  # frame_mbs_only_flag
        height *= 2
    return Sps(width, height, references, profile, plain)


def _read_high(bits: Bits) -> bool:
    """Whether it is plain."""
    chroma = bits.ue(3)  # chroma_format_idc
    if chroma == 3:
        bits.u(1)  # separate_colour_plane_flag
    depths = bits.ue(6), bits.ue(6)  # bit_depth_luma_minus8, bit_depth_chroma_minus8
    bits.u(1)  # qpprime_y_zero_transform_bypass_flag
    if bits.u(1):  # seq_scaling_matrix_present_flag
        for size in [16] * 6 + [64] * (6 if chroma == 3 else 2):
            if bits.u(1):
                _skip_scaling_list(bits, size)
    return chroma <= 1 and depths == (0, 0)


def _skip_scaling_list(bits: Bits, size: int) -> None:
    """7.3.2.1.1.1: a list ends early where the next scale becomes 0."""
    last = following = 8
    for _ in range(size):
        if following:
            delta = bits.se()
            if not -128 <= delta <= 127:
                raise Unreadable
            following = (last + delta) % 256
        last = following or last


def units(data: bytes, starts: Iterator[int]) -> Iterator[bytes]:
    """What follows each place up to the next start code, as FFmpeg cuts it (7.4.1: 00 00 00,
    00 00 01 and 00 00 02 do not stand inside a unit)."""
    for start in starts:
        unit = data[start : start + MAX_BYTES]
        ends = [unit.find(end) for end in (b"\0\0\0", b"\0\0\1", b"\0\0\2")]
        yield unit[: min((end for end in ends if end >= 0), default=len(unit))]
