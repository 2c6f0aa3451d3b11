"""Encoded frames over a connection: as they are, all of them, and not before somebody listens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import av
import pytest
from aiortc.mediastreams import MediaStreamError

from pipeline.tape.video import packet
from server.tools.caller.rtc_caller import Encoded, Playback
from tests.pipeline.streams import vp8
from tests.server.pictures import Pair, call, film, soon, until

Frames = list[tuple[str, int, bytes]]


async def recorded(codec: str, count: int) -> Frames:
    """Frames as a server receives them: codec, ticks, data."""
    frames: Frames = []
    pair = await call(
        pictures=film(fps=30),
        codec=codec,
        on_encoded=lambda *frame: frames.append(frame),
    )
    await until(lambda: len(frames) >= count)
    await pair.close()
    return frames[:count]


def encoded(frames: Frames, times_s: Iterable[float]) -> Encoded:
    packets = [packet(data, ticks) for _, ticks, data in frames]
    return Encoded(frames[0][0], list(zip(times_s, packets, strict=True)))


async def played(video: Encoded) -> tuple[Pair, Frames]:
    frames: Frames = []
    pair = await call(pictures=video, on_encoded=lambda *frame: frames.append(frame))
    return pair, frames


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_frames_arrive_as_they_were_received_however_late(codec: str) -> None:
    first = await recorded(codec, 25)
    assert len(first[0][2]) > 1400, "the key frame takes more than one packet"
    pair, again = await played(encoded(first, [0.0] * 20 + [-9.0] * 5))
    await until(lambda: len(again) == 25)
    assert again == first
    assert pair.caller.camera.sent == 25
    assert pair.caller.key_frames_asked == 0
    await until(lambda: pair.connection.stats()["frames"] == 25)
    assert pair.connection.undecoded()["failed"] == 0
    await pair.close()


async def test_a_key_frame_that_is_asked_for_is_counted_and_nothing_else_changes() -> None:
    first = await recorded("VP8", 6)
    first[3] = ("VP8", first[3][1], b"\x01nothing that a decoder takes")
    pair, again = await played(encoded(first, [n / 30 for n in range(6)]))
    await until(lambda: len(again) == 6 and pair.caller.key_frames_asked > 0)
    assert again == first
    assert pair.connection.undecoded()["failed"] >= 1
    await pair.close()


def silence(times_s: Sequence[float]) -> list[tuple[float, av.Packet]]:
    return [(time_s, packet(vp8(16, 16), round(90000 * time_s))) for time_s in times_s]


async def test_nothing_is_sent_before_it_is_time() -> None:
    begin = asyncio.Event()
    source = Playback(silence([2.0, 2.0, 2.15]), begin)
    first = asyncio.create_task(source.recv())
    await asyncio.sleep(0.02)
    assert not first.done()
    begin.set()
    loop = asyncio.get_running_loop()
    assert (await asyncio.wait_for(first, 1)).pts == 180000, "the first one is due at once"
    began_s = loop.time()
    assert (await source.recv()).pts == 180000
    assert (await source.recv()).pts == 193500
    assert loop.time() - began_s >= 0.1
    assert source.sent == 3
    with pytest.raises(MediaStreamError):
        await source.recv()
    assert source.readyState == "ended"


async def test_a_call_that_is_over_sends_no_more() -> None:
    pair, again = await played(Encoded("VP8", silence([0.0, 30.0])))
    await until(lambda: len(again) == 1)
    await soon(pair.connection.channel_open)
    await pair.caller.close()
    await soon(pair.connection.closed)
    assert pair.caller.camera.sent == 1
    await pair.close()
