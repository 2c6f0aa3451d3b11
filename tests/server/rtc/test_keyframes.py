"""Which frames are key frames, and how often one was asked for."""

from __future__ import annotations

import pytest

from server.rtc.keyframes import KeyFrameAsked, is_key


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


def test_every_request_is_counted() -> None:
    asked = KeyFrameAsked()
    asked.set()
    asked.clear()
    asked.set()
    assert (asked.is_set(), asked.count) == (True, 2)
