"""Which encoded frames are key frames, how large they are, and which no decoder may have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.encoded import MAX_SETS, Unfit, is_key, size, unfit
from tests.pipeline.streams import BOMB, START, h264, sps, vp8

VECTORS = Path(__file__).parents[1] / "vectors" / "video"


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"\0\0\0\1\x67\x42\0\0\1\x68\0\0\1\x65", True),
        (b"\0\0\0\1\x09\x10\0\0\1\x65\x88", True),
        (b"\0\0\0\1\x41\x9a\0\0\0\1\x41", False),
        (b"", False),
    ],
)
def test_key_frames_of_h264(data: bytes, key: bool) -> None:
    assert is_key("H264", data) is key


@pytest.mark.parametrize(("data", "key"), [(b"\x10", True), (b"\x11", False), (b"", False)])
def test_key_frames_of_vp8(data: bytes, key: bool) -> None:
    assert is_key("vp8", data) is key


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (BOMB, Unfit.TOO_LARGE),
        (vp8(16383, 1), None),
        (vp8(1920, 1080), None),
        (vp8(1080, 1920), None),
        (vp8(1 << 14 | 640, 2 << 14 | 480), None),  # the upper two bits are scaling (9.1)
        (vp8(1920, 1089), Unfit.TOO_LARGE),
        (vp8(0, 480), Unfit.MALFORMED),
        (vp8(640, 480)[:9], Unfit.MALFORMED),
        (vp8(640, 480).replace(b"\x9d", b"\x9e"), Unfit.MALFORMED),
        (b"\x11" + BOMB[1:], None),  # refers to others: has no size of its own
        (b"", None),
    ],
)
def test_what_a_decoder_of_vp8_may_have(data: bytes, why: Unfit | None) -> None:
    assert unfit("VP8", data) is why


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (h264(sps((120, 68), references=4, crop=(0, 0, 0, 4))), None),
        (h264(sps((68, 120))), None),
        (h264(sps((50, 37), references=16)), None),
        (h264(sps((120, 68), references=5)), Unfit.TOO_LARGE),
        (h264(sps((1000, 1000))), Unfit.TOO_LARGE),
        (h264(sps((1000, 1000), crop=(0, 7990, 0, 7990))), Unfit.TOO_LARGE),
        (h264(sps((40, 30)), sps((1000, 1000))), Unfit.TOO_LARGE),
        (h264(sps((40, 30))) + bytes(9000) + h264(sps((1000, 1000))), Unfit.TOO_LARGE),
        (h264(*[sps((40, 30))] * (MAX_SETS + 1)), Unfit.MALFORMED),
        (h264(sps((40, 30))[:4]), Unfit.MALFORMED),
        (h264(sps((40, 30), profile=100)), None),
        (h264(sps((40, 30), profile=110)), Unfit.MALFORMED),
        (h264(sps((40, 30), profile=88)), Unfit.MALFORMED),
        (h264(sps((40, 30), profile=100, chroma=2)), Unfit.MALFORMED),
        (h264(sps((40, 30), profile=100, depth=10)), Unfit.MALFORMED),
        (START + b"\x07", Unfit.MALFORMED),
        (START + b"\x65\x88", None),
        (b"", None),
    ],
)
def test_what_a_decoder_of_h264_may_have(data: bytes, why: Unfit | None) -> None:
    assert unfit("H264", data) is why


@given(st.sampled_from(["VP8", "H264"]), st.binary(max_size=100), st.booleans())
def test_any_bytes_have_an_answer(codec: str, data: bytes, started: bool) -> None:
    if started:
        data = START + b"\x67" + data if codec == "H264" else b"\x10\0\0\x9d\x01\x2a" + data
    assert unfit(codec, data) in (None, *Unfit)
    assert unfit(codec, data) is not None or size(codec, data) is None or is_key(codec, data)


def test_a_frame_tells_its_size() -> None:
    assert size("VP8", vp8(640, 480)) == (640, 480)
    assert size("H264", h264(sps((40, 30)))) == (640, 480)
    assert size("VP8", b"\x11" + BOMB[1:]) is None
    assert size("H264", START + b"\x41\x9a") is None


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.json")), ids=lambda path: path.stem)
def test_vectors_of_frames(path: Path) -> None:
    vector = json.loads(path.read_text("utf-8"))
    assert vector["name"] == path.stem
    assert unfit(vector["codec"], bytes.fromhex(vector["hex"])) == vector["unfit"]
