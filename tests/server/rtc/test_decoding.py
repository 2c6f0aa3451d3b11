"""The decoder's thread: pictures on the event loop, and nothing that holds them."""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from types import SimpleNamespace
from typing import Any

import aiortc.rtcrtpreceiver
import av
import numpy as np
import pytest
from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import JitterFrame

from server.frames.convert import to_bgr
from server.rtc import decoding, stack
from tests.pipeline.streams import h264, sps
from tests.server.pictures import film


def test_ffmpegs_own_decoder_is_told_the_largest_size_too() -> None:
    """May go when aiortc's decoders can be told a largest size (1.16 has no setting)."""
    codec = SimpleNamespace(mimeType="video/H264", name="H264")
    pictures = decoding.get_decoder(codec).decode(JitterFrame(h264(sps((40, 30))), 0))
    assert [(p.width, p.height) for p in pictures] == [(640, 480)]
    with pytest.raises(av.FFmpegError):
        decoding.get_decoder(codec).decode(JitterFrame(h264(sps((160, 90))), 0))


def test_vp8_has_the_bits_that_another_decoder_gives() -> None:
    """RFC 6386 leaves none of them open; libvpx is its authors' own."""
    encoder: Any = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 320, 240, "yuv420p"
    encoder.time_base, encoder.bit_rate = Fraction(1, 15), 400_000
    encoder.options = {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0", "g": "3000"}
    other: Any = av.CodecContext.create("libvpx", "r")
    ours = decoding.get_decoder(SimpleNamespace(mimeType="video/VP8", name="VP8"))
    assert ours.codec.name == "vp8"
    seen = 0
    for n, (_, picture) in enumerate(islice(film(count=30), 30)):
        small = picture.reformat(320, 240, "yuv420p")
        small.pts, small.time_base = n, Fraction(1, 15)
        for packet in encoder.encode(small):
            (known,) = other.decode(av.Packet(bytes(packet)))
            (found,) = ours.decode(JitterFrame(bytes(packet), 6000 * n))
            assert np.array_equal(found.to_ndarray(), known.to_ndarray())
            assert np.array_equal(to_bgr(found), to_bgr(known))
            seen += 1
    assert seen == 30


class Rig:
    """Everything that the thread touches, without a thread."""

    def __init__(self, *items: Any) -> None:
        self.items = [*items, None]
        self.pictures: list[Any] = []
        self.held: list[int] = []
        """References to each picture so far whenever the thread asks for more."""
        self.failed = threading.Event()
        decoding.decode(self, self, self, self.failed)  # type: ignore[arg-type]

    def call_soon_threadsafe(self, call: Callable[[Any], None], picture: Any) -> None:
        call(picture)

    def put_nowait(self, picture: Any) -> None:
        self.pictures.append(picture)

    def get(self) -> Any:
        self.held += [sys.getrefcount(self.pictures[n]) for n in range(len(self.pictures))]
        return self.items.pop(0)


def frame(blocks: tuple[int, int] = (40, 30)) -> tuple[Any, JitterFrame]:
    """An H264 key frame of so many blocks of 16x16."""
    codec = SimpleNamespace(mimeType="video/H264", name="H264")
    return codec, JitterFrame(h264(sps(blocks)), 0)


def test_what_can_be_decoded_comes_and_then_the_end() -> None:
    rig = Rig(frame((160, 90)), frame())
    picture, end = rig.pictures
    assert (picture.width, picture.height, end) == (640, 480, None)
    assert rig.failed.is_set(), "the first one was too large for the decoder"
    assert not Rig(frame()).failed.is_set()


def test_a_thread_that_waits_holds_no_picture() -> None:
    """May go, with `decode`, when aiortc's decoder_worker lets go of what it handed over."""
    rig = Rig(frame(), frame())
    assert rig.held == [2, 2, 2], "the list here, and the argument"


def test_the_stack_starts_this_thread() -> None:
    """An assignment to a name that nobody reads would fail silently."""
    stack.apply()
    assert aiortc.rtcrtpreceiver.decoder_worker is decoding.decode
    assert "decoder_worker" in inspect.unwrap(RTCRtpReceiver.receive).__code__.co_names
    wanted = ["loop", "input_q", "output_q", "decode_error"]
    assert list(inspect.signature(stack.decoder_worker_of_stack).parameters) == wanted
