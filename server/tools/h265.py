"""The size that an H.265 stream announces in its sequence parameter sets, read before decoding.

Not here: where the sets stand in a file (picture_size.py), H.264 (pipeline/sps.py).
Source: ITU-T H.265 (08/2021), 7.3.2.2.1 and 7.3.3.
"""

from __future__ import annotations

from pipeline.sps import MAX_BYTES, Bits, Unreadable, unescape

MOST = 1 << 16


def size(nal: bytes) -> tuple[int, int] | None:
    """Width and height of what is decoded, cropping included, px; None if it cannot be read.

    `nal`: a set from after its header of two bytes. Never raises.
    """
    bits = Bits(unescape(nal[:MAX_BYTES]))
    try:
        bits.u(4)  # sps_video_parameter_set_id
        layers = bits.u(3)  # sps_max_sub_layers_minus1
        bits.u(1)  # sps_temporal_id_nesting_flag
        _skip_profile(bits, layers)
        bits.ue(15)  # sps_seq_parameter_set_id
        if bits.ue(3) == 3:  # chroma_format_idc
            bits.u(1)  # separate_colour_plane_flag
        width, height = bits.ue(MOST), bits.ue(MOST)
    except Unreadable:
        return None
    return (width, height) if width and height else None


def _skip_profile(bits: Bits, layers: int) -> None:
    """profile_tier_level(1, layers)."""
    bits.u(88 + 8)
    present = [(bits.u(1), bits.u(1)) for _ in range(layers)]
    if layers:
        bits.u(2 * (8 - layers))  # reserved_zero_2bits
    for profile, level in present:
        bits.u(88 * profile + 8 * level)
