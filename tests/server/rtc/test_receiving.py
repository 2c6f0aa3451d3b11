"""Frames whole and at once, queues that end, nothing too large; each patch with when it may go."""

from __future__ import annotations

import random
from collections.abc import Iterator
from types import SimpleNamespace

import av
import pytest
from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import JitterBuffer, JitterFrame

from server.rtc import receiving
from server.rtc.intake import MAX_TOO_LARGE
from tests.pipeline.streams import BOMB, vp8
from tests.server.pictures import Pair, call, film, pictured


def packets(
    frames: list[int], start: int = 65530, kind_marker: bool = True
) -> list[SimpleNamespace]:
    """Packets of frames of so many packets each; the sequence number wraps."""
    made = []
    for index, count in enumerate(frames):
        for part in range(count):
            made.append(
                SimpleNamespace(
                    sequence_number=(start + len(made)) % 65536,
                    timestamp=3000 * index,
                    marker=int(kind_marker and part == count - 1),
                    _data=f"{index}.{part} ".encode(),
                )
            )
    return made


def play(buffer: JitterBuffer, arriving: list[SimpleNamespace]) -> list[tuple[int, int, bytes]]:
    """(arrivals so far, timestamp, data) for each frame that came out."""
    out = []
    for count, packet in enumerate(arriving, 1):
        _, frame = buffer.add(packet)  # type: ignore[arg-type]
        if frame is not None:
            out.append((count, frame.timestamp, frame.data))
    return out


def test_a_frame_is_complete_with_its_marker() -> None:
    """May go when aiortc's JitterBuffer looks at the marker by itself (1.16 does not)."""
    out = play(JitterBuffer(capacity=512, is_video=True), packets([1, 3, 2]))
    assert out == [(1, 0, b"0.0 "), (4, 3000, b"1.0 1.1 1.2 "), (6, 6000, b"2.0 2.1 ")]


def test_a_lost_packet_holds_the_rest_up_for_a_second_and_no_longer() -> None:
    """May go when aiortc's JitterBuffer looks at the time: 1.16 waits for 512 packets."""
    buffer, gaps = JitterBuffer(capacity=512, is_video=True), []
    buffer.on_gap = lambda: gaps.append(1)  # type: ignore[attr-defined]
    sent = packets([2] * 60)
    del sent[7]  # of the fourth frame
    out = play(buffer, sent)
    late = [at for at, timestamp, _ in out if timestamp > 3000 * 3]
    # The fifth frame began the second, and may be the rest of the one that was lost.
    assert [timestamp // 3000 for _, timestamp, _ in out][:5] == [0, 1, 2, 5, 6]
    assert late[0] == 2 * (3 + receiving.GIVEN_UP_TICKS // 3000)
    assert gaps == [1]


def test_a_packet_before_the_gap_gives_nothing_up() -> None:
    """It is old, and says nothing of how long the others wait."""
    buffer, gaps = JitterBuffer(capacity=512, is_video=True), []
    buffer.on_gap = lambda: gaps.append(1)  # type: ignore[attr-defined]
    sent = packets([3] * 60)
    lost = [sent.pop(4), sent.pop(4)]  # the rest of the second frame
    assert [timestamp for _, timestamp, _ in play(buffer, sent[:80])] == [0]
    assert play(buffer, lost[:1]) == []
    (first, *rest) = play(buffer, lost[1:])
    assert (first[1:], rest, gaps) == ((3000, b"1.0 1.1 1.2 "), [], [])


def test_without_markers_and_for_audio_the_buffer_is_as_it_was() -> None:
    without = packets([1, 3, 2], kind_marker=False)
    assert play(JitterBuffer(capacity=512, is_video=True), without) == [
        (2, 0, b"0.0 "),
        (5, 3000, b"1.0 1.1 1.2 "),
    ]
    audio = JitterBuffer(capacity=16, prefetch=4)
    assert [at for at, _, _ in play(audio, packets([1] * 8))] == [5, 6, 7, 8]


@pytest.mark.parametrize("seed", range(20))
def test_disorder_and_loss_give_whole_frames_in_order(seed: int) -> None:
    rnd = random.Random(seed)
    sent = packets([rnd.randint(1, 5) for _ in range(40)])
    first, rest = sent[0], sent[1:]
    for i in range(len(rest) - 1):  # neighbours change places; the first one stays the origin
        if rnd.random() < 0.3:
            rest[i], rest[i + 1] = rest[i + 1], rest[i]
    tail = packets([1] * 50)[40:]  # one frame comes out a packet: time to catch up
    for packet in tail:
        packet.sequence_number = (sent[-1].sequence_number + 1 + tail.index(packet)) % 65536
    out = play(JitterBuffer(capacity=512, is_video=True), [first, *rest, *tail])
    whole: dict[int, bytes] = {}
    for packet in sent:
        whole[packet.timestamp] = whole.get(packet.timestamp, b"") + packet._data
    got = [(timestamp, data) for _, timestamp, data in out if timestamp < 40 * 3000]
    assert got == sorted(whole.items())


async def test_a_single_picture_arrives_without_a_next_one() -> None:
    def one() -> Iterator[tuple[float, av.VideoFrame]]:
        pictures = film(count=2)
        yield next(pictures)
        yield 1000.0, next(pictures)[1]

    pair: Pair = await call(pictures=one())
    await pictured(pair.connection, 3)
    assert pair.connection.stats()["frames"] == 1
    await pair.close()


class Tapped:
    """A queue before the decoder, without one."""

    def __init__(self) -> None:
        self.recorded: list[int] = []
        self.given_up = 0
        self.tap = receiving.tap(
            SimpleNamespace(  # type: ignore[arg-type]
                track=SimpleNamespace(), _RTCRtpReceiver__jitter_buffer=SimpleNamespace()
            ),
            on_picture=lambda picture: None,
            on_too_large=self.give_up,
            clock=lambda: 0.0,
            on_encoded=lambda codec, ticks, data: self.recorded.append(ticks),
        )

    def give_up(self) -> None:
        self.given_up += 1

    def put(self, data: bytes, ticks: int) -> None:
        self.tap.encoded.put((SimpleNamespace(name="VP8"), JitterFrame(data, ticks)))

    def of(self, why: str) -> int:
        return self.tap.undecoded[why]


KEY, DELTA = vp8(640, 480), b"\x11"


async def test_what_is_skipped_is_neither_decoded_nor_recorded() -> None:
    """May go when aiortc's queues are bounded (its issue 554)."""
    tapped = Tapped()
    tapped.put(KEY, 0)
    tapped.put(BOMB, 1)
    assert not tapped.tap.faults.is_set(), "no key frame is missed before something refers to it"
    tapped.put(DELTA, 2)
    assert tapped.tap.faults.is_set(), "a key frame is asked for"
    tapped.put(KEY, 3)
    tapped.put(DELTA, 4)
    assert tapped.recorded == [0, 3, 4]
    assert tapped.tap.encoded.qsize() == 3
    assert {why: n for why, n in tapped.tap.undecoded.items() if n} == {"too_large": 1, "gap": 1}
    tapped.tap.faults.set()
    assert tapped.of("failed") == 1
    tapped.tap.encoded.put(None)
    assert tapped.tap.encoded.get_nowait() is None, "the end does not wait for the backlog"


async def test_a_stream_of_bombs_is_given_up_once() -> None:
    tapped = Tapped()
    for n in range(MAX_TOO_LARGE - 1):
        tapped.put(BOMB, n)
    assert tapped.given_up == 0
    for n in range(3):
        tapped.put(BOMB, 10 + n)
    tapped.put(KEY, 20)
    assert (tapped.given_up, tapped.recorded) == (1, [])
    assert tapped.tap.encoded.qsize() == 0


async def test_the_private_names_are_there() -> None:
    """Assignments to names that nobody reads would fail silently."""
    made = vars(RTCRtpReceiver("video", SimpleNamespace(state="new")))  # type: ignore[arg-type]
    assert "_RTCRtpReceiver__decoder_error" in made
    assert "_RTCRtpReceiver__decoder_queue" in made
    assert isinstance(made["_RTCRtpReceiver__jitter_buffer"], JitterBuffer)
