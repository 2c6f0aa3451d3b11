"""Sequence parameter sets: every size that can be written is read, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sps import HIGH, MAX_BYTES, Sps, read, unescape, units
from tests.pipeline.streams import Bits, escape, sps

SIDE = st.integers(1, 1 << 16)


@st.composite
def written(draw: st.DrawFn) -> tuple[bytes, Sps]:
    """A set, and what it says."""
    mbs = draw(SIDE), draw(SIDE)
    references, fields = draw(st.integers(0, 16)), draw(st.booleans())
    profile = draw(st.sampled_from([66, 77, 100, 244, 144, 139]))
    chroma, depth = draw(st.integers(0, 3)), draw(st.integers(8, 14))
    data = sps(
        mbs,
        profile=profile,
        references=references,
        crop=draw(st.sampled_from([(), (0, 4, 0, 7)])),
        order=draw(st.integers(0, 2)),
        cycle=draw(st.lists(st.integers(-60_000, 60_000), max_size=20)),
        fields=fields,
        lists=draw(st.sampled_from([None, [], [[8] * 16], [[-8], [3] * 16]])),
        chroma=chroma,
        depth=depth,
    )
    plain = profile not in HIGH or (chroma <= 1 and depth == 8)
    size = 16 * mbs[0], 16 * mbs[1] * (2 if fields else 1)
    return data, Sps(*size, references, profile, plain)


@given(written())
def test_what_is_written_is_read(made: tuple[bytes, Sps]) -> None:
    data, said = made
    found = read(data)
    # Emulation prevention before the size makes two readings of it: then neither counts.
    assert found == said or (found is None and unescape(data) != data)


@given(written(), st.data())
def test_a_set_that_is_cut_before_its_size_is_not_read(
    made: tuple[bytes, Sps], data: st.DataObject
) -> None:
    whole, said = made
    found = read(whole[: data.draw(st.integers(0, len(whole)))])
    assert found in (None, said)


@given(st.binary(max_size=80))
def test_anything_at_all_is_read_or_not_but_raises_nothing(data: bytes) -> None:
    found = read(data)
    assert found is None or (found.width % 16 == found.height % 16 == 0 and found.width > 0)


@given(st.binary(max_size=60).map(lambda data: data.replace(b"\1", b"\0")))
def test_escaping_goes_both_ways(data: bytes) -> None:
    assert unescape(escape(data)) == data


def test_the_size_is_that_of_what_is_decoded_not_of_what_is_shown() -> None:
    assert read(sps((120, 68), crop=(0, 0, 0, 4))) == Sps(1920, 1088, 1)
    assert read(sps((1000, 1000), crop=(0, 7990, 0, 7990))) == Sps(16000, 16000, 1)
    assert read(sps((40, 15), fields=True)) == Sps(640, 480, 1)


@pytest.mark.parametrize(
    "data",
    [
        sps((40, 30), profile=100, chroma=4),
        sps((40, 30), profile=100, depth=15),
        sps((40, 30), references=17),
        sps((40, 30), order=1, cycle=[1] * 256),
        sps((40, 30), order=1, cycle=[1 << 20]),
        sps((40, 30), order=3),
        sps((1 << 17, 30)),
        sps((40, 30), profile=100, lists=[[200]]),
        Bits().u(24, 66 << 16).ue(32, 0, 2, 1).u(1, 0).ue(39, 29).u(5, 31).done(),
        b"",
    ],
)
def test_what_readers_differ_about_is_not_read(data: bytes) -> None:
    assert read(data) is None


def test_two_readings_of_one_set_are_none() -> None:
    """FFmpeg reads a set again with its emulation prevention left in, if it fails without it."""
    told = bytes.fromhex("420028d0e660004000000300ffff0902c06b90")
    assert read(unescape(told)) == Sps(704, 848, 8), "without it"
    assert read(told) is None
    late = sps((40, 30)) + b"\0\0\3\1"
    assert read(late) == Sps(640, 480, 1), "after the size it makes no difference"


@pytest.mark.parametrize("end", [b"\0\0\0\1", b"\0\0\1", b"\0\0\2", b"\0\0\0"])
def test_a_unit_ends_where_ffmpeg_ends_it(end: bytes) -> None:
    data = b"\0\0\1\x67abc" + end + b"xyz"
    assert list(units(data, iter([4]))) == [b"abc"]
    assert list(units(b"a" * 5000, iter([0]))) == [b"a" * MAX_BYTES]
