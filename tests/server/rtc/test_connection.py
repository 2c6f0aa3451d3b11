"""Connections between two real stacks over loopback."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import socket
import time
from pathlib import Path

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from hypothesis import given, settings

from pipeline.encoded import is_key
from server.frames.convert import to_frame
from server.rtc.answer import candidates
from server.rtc.connection import (
    Connection,
    NoAddress,
    RtcSettings,
    configuration,
    prepare,
)
from server.rtc.lines import BadOffer
from server.rtc.network import Network, listening
from server.rtc.slot import SlotClosed
from server.tools.caller.rtc_caller import Camera
from tests.server.pictures import HERE, LOCAL, call, film, held, number, pictured, soon, until
from tests.server.rtc.test_offer import mutated, outcome

VECTORS = Path(__file__).parents[2] / "vectors" / "sdp"


def unheard(message: object) -> None:
    raise AssertionError("nobody speaks here")


async def answer(offer: str, chosen: RtcSettings = LOCAL) -> Connection:
    return await Connection.accept(
        offer, chosen, on_message=unheard, on_state=lambda state: None, clock=time.monotonic
    )


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_pictures_and_messages_arrive(codec: str) -> None:
    encoded: list[tuple[str, int, bytes]] = []
    pair = await call(codec=codec, on_encoded=lambda *frame: encoded.append(frame))
    connection = pair.connection
    await soon(connection.channel_open)
    await pictured(connection)
    numbers, seqs, media_s = [], [], []
    while len(numbers) < 6:
        decoded = await connection.frames.get()
        frame = to_frame(decoded.picture, decoded.seq, decoded.arrival_s, decoded.media_s)
        assert frame.image.shape == (240, 320, 3)
        numbers.append(number(frame.image))
        seqs.append(frame.seq)
        media_s.append(frame.media_s)
    shift = numbers[0] - seqs[0]
    assert numbers == [seq + shift for seq in seqs], "each picture is the one that was sent"
    for seq, at_s in zip(seqs, media_s, strict=True):
        assert at_s == pytest.approx(seq / 15, abs=0.001)
    assert encoded[0][:2] == (codec, 0)
    assert is_key(*encoded[0][::2])
    assert not is_key(*encoded[1][::2])

    assert pair.caller.send("from the page")
    assert connection.send("from the server")
    await until(lambda: bool(pair.at_server and pair.at_caller))
    assert (pair.at_server, pair.at_caller) == (["from the page"], ["from the server"])
    stages = ["offer", "answer", "ice", "dtls", "channel", "frame"]
    times = [connection.times_s[stage] for stage in stages]
    assert times[:4] == sorted(times[:4])
    assert max(times) == max(times[4:])
    assert connection.undecoded()["failed"] == 0
    await pair.close()
    assert pair.states == ["connecting", "connected", "closed"]
    assert connection.frames.closed


async def test_the_answer_is_tuned_and_offers_what_was_bound() -> None:
    pair = await call(
        dataclasses.replace(LOCAL, ports=(46100, 46119), start_kbps=900, min_kbps=700)
    )
    text = pair.connection.answer_sdp
    assert "x-google-start-bitrate=900;x-google-min-bitrate=700" in text
    found = candidates(text)
    assert {address for address, _, _ in found} == {HERE}
    assert all(46100 <= port < 46120 for _, port, _ in found)
    await soon(pair.connection.channel_open)
    await pair.close()


async def test_an_advertised_address_is_what_peers_see() -> None:
    connection = await answer(
        (VECTORS / "chromium.sdp").read_text(), dataclasses.replace(LOCAL, advertised="192.0.2.8")
    )
    assert {address for address, _, _ in candidates(connection.answer_sdp)} == {"192.0.2.8"}
    await connection.close()


async def test_no_free_port_is_said_and_leaves_nothing() -> None:
    before = held()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((HERE, 0))
        port = taken.getsockname()[1]
        with pytest.raises(NoAddress):
            await answer(
                (VECTORS / "small.sdp").read_text(), dataclasses.replace(LOCAL, ports=(port, port))
            )
    await until(lambda: held() == before)


async def test_the_codec_that_is_liked_best_is_used() -> None:
    liked = dataclasses.replace(LOCAL, codecs=("H264", "VP8"))
    for chosen, first in ((LOCAL, "VP8"), (liked, "H264")):
        connection = await answer((VECTORS / "chromium.sdp").read_text(), chosen)
        maps = [x for x in connection.answer_sdp.split("\r\n") if x.startswith("a=rtpmap:")]
        assert maps[0].split(" ")[1] == f"{first}/90000"
        await connection.close()


GOOD = {path.stem: path.read_bytes().decode() for path in sorted(VECTORS.glob("*.sdp"))}


@pytest.mark.parametrize("name", GOOD)
async def test_offers_of_browsers_are_answered(name: str) -> None:
    before = held()
    connection = await answer(GOOD[name])
    lines = connection.answer_sdp.split("\r\n")
    offered = [x.split()[0] for x in GOOD[name].splitlines() if x.startswith("m=")]
    assert [x.split()[0] for x in lines if x.startswith("m=")] == offered
    assert lines.count("a=recvonly") == 1, "one track is received, the others are inactive"
    assert lines.count("a=inactive") == len(offered) - 2
    began_s = time.monotonic()
    await connection.close()
    await connection.close()
    assert time.monotonic() - began_s < 0.5
    assert connection.closed.is_set()
    with pytest.raises(SlotClosed):
        await connection.frames.get()
    assert not connection.send("too late")
    await until(lambda: held() == before)


@pytest.mark.parametrize("name", json.loads((VECTORS / "faults" / "expected.json").read_text()))
async def test_a_refused_offer_leaves_nothing(name: str) -> None:
    before = held()
    with pytest.raises(BadOffer):
        await answer((VECTORS / "faults" / f"{name}.sdp").read_bytes().decode())
    await until(lambda: held() == before)


@settings(max_examples=40, deadline=None)
@given(mutated())
def test_a_mutated_offer_is_answered_or_refused_and_leaves_nothing(offer: str) -> None:
    async def attempt() -> str | None:
        before = held()
        code = None
        try:
            connection = await answer(offer)
        except BadOffer as refusal:
            code = refusal.code
        else:
            await connection.close()
        await until(lambda: held() == before)
        return code

    code = asyncio.run(attempt())
    assert code == outcome(offer)[0], "the stack takes whatever was rebuilt"


async def test_a_slow_consumer_skips_and_does_not_lag() -> None:
    pair = await call(pictures=film(fps=30))
    connection = pair.connection
    await pictured(connection)
    lags = []
    for _ in range(6):
        await asyncio.sleep(0.15)
        newest = connection.stats()["frames"] - 1
        decoded = await connection.frames.get()
        lags.append(newest - decoded.seq)
    assert max(lags) <= 1
    assert connection.stats()["dropped"] >= 10
    await pair.close()


async def test_messages_sent_right_before_the_close_arrive() -> None:
    pair = await call()
    await soon(pair.connection.channel_open)
    words = [f"verdict {n} " + "x" * 1000 for n in range(20)]
    assert all(pair.connection.send(word) for word in words)
    await pair.connection.close()
    await soon(pair.caller.closed)
    assert pair.at_caller == words
    await pair.caller.close()


async def test_a_close_by_the_peer_is_seen_at_once() -> None:
    before = held()
    pair = await call()
    await pictured(pair.connection)
    await pair.caller.close()
    await soon(pair.connection.closed, 1)
    await pair.close()
    assert pair.states[-1:] == ["closed"]
    await until(lambda: held() == before)


async def test_a_peer_that_dies_is_seen_as_silence_and_closing_stays_bounded() -> None:
    before = held()
    pair = await call()
    connection = pair.connection
    await pictured(connection)
    for transceiver in pair.caller._pc.getTransceivers():  # kill -9: no word, no socket
        for protocol in transceiver.receiver.transport.transport._connection._protocols:
            protocol.transport.abort()
    seen = -1
    while connection.stats()["frames"] > seen:
        seen = connection.stats()["frames"]
        await asyncio.sleep(0.3)
    assert not connection.closed.is_set()
    connection.send("nobody will acknowledge this")
    assert not await connection.flush(0.05)
    began_s = time.monotonic()
    await pair.close()
    assert time.monotonic() - began_s < 2.5
    await until(lambda: held() == before)


async def raw(
    channels: list[tuple[str, dict[str, object]]], audio: bool = False, data_first: bool = False
) -> tuple[RTCPeerConnection, list[object], Connection, list[str | bytes]]:
    """A caller that does as it likes."""
    prepare(LOCAL)
    pc = RTCPeerConnection(RTCConfiguration([], alwaysNegotiateDataChannels=data_first))
    made = []
    if not data_first:
        made = [pc.createDataChannel(label, **more) for label, more in channels]  # type: ignore[arg-type]
    if audio:
        pc.addTransceiver(AudioStreamTrack(), direction="sendonly")
    pc.addTransceiver(Camera(film()), direction="sendonly")
    with listening(Network((HERE,))):
        await pc.setLocalDescription(await pc.createOffer())
    heard: list[str | bytes] = []
    connection = await Connection.accept(
        pc.localDescription.sdp,
        LOCAL,
        on_message=heard.append,
        on_state=lambda state: None,
        clock=time.monotonic,
    )
    await pc.setRemoteDescription(RTCSessionDescription(connection.answer_sdp, "answer"))
    if data_first:
        made = [pc.createDataChannel(label, **more) for label, more in channels]  # type: ignore[arg-type]
    return pc, list(made), connection, heard


@pytest.mark.parametrize(
    "channel",
    [
        ("other", {"protocol": "lookgate.v1"}),
        ("lookgate", {"protocol": "lookgate.v2"}),
        ("lookgate", {"protocol": "lookgate.v1", "ordered": False}),
        ("lookgate", {"protocol": "lookgate.v1", "maxRetransmits": 1}),
    ],
)
async def test_a_wrong_channel_is_closed(channel: tuple[str, dict[str, object]]) -> None:
    pc, made, connection, _ = await raw([channel])
    await until(lambda: made[0].readyState == "closed")  # type: ignore[attr-defined]
    assert not connection.channel_open.is_set()
    assert connection.stats()["channels"] == 1
    await connection.close()
    await pc.close()


async def test_only_the_first_right_channel_counts_and_too_many_end_it() -> None:
    right = ("lookgate", {"protocol": "lookgate.v1"})
    pc, made, connection, heard = await raw([right, right])
    await until(lambda: made[1].readyState == "closed")  # type: ignore[attr-defined]
    made[0].send("x")  # type: ignore[attr-defined]
    await until(lambda: heard == ["x"])
    for _ in range(3):
        pc.createDataChannel("lookgate", protocol="lookgate.v1")
    await soon(connection.closed)
    await pc.close()


async def test_a_description_that_begins_with_the_data_connects() -> None:
    pc, _, connection, _ = await raw([("lookgate", {"protocol": "lookgate.v1"})], data_first=True)
    assert "m=application" in connection.answer_sdp.split("m=video")[0]
    await soon(connection.channel_open)
    await pictured(connection)
    await connection.close()
    await pc.close()


async def test_audio_is_not_received() -> None:
    before = held()
    pc, _, connection, _ = await raw([("lookgate", {"protocol": "lookgate.v1"})], audio=True)
    await pictured(connection)
    assert held()[2] - before[2] == 1, "only the video has a decoder"
    await connection.close()
    await pc.close()


async def test_a_handler_that_fails_does_not_end_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pair = await call()
    connection = pair.connection
    await soon(connection.channel_open)
    heard: list[str | bytes] = []

    def fail(message: str | bytes) -> None:
        heard.append(message)
        raise RuntimeError(f"cannot bear {message!r}")

    connection._on_message = fail
    for n in range(2):
        pair.caller.send(f"secret {n}")
        await until(lambda n=n: len(heard) == n + 1)  # type: ignore[misc]
    assert not connection.closed.is_set()
    assert "message not handled" in caplog.text
    assert "secret" not in caplog.text
    await pair.close()


def test_no_server_of_a_third_party_is_asked() -> None:
    assert configuration(RtcSettings()).iceServers == []
    asked = configuration(RtcSettings(stun_url="stun:stun.test")).iceServers
    assert asked is not None
    assert [server.urls for server in asked] == ["stun:stun.test"]


@pytest.mark.parametrize(
    "wrong",
    [{"ports": (0, 5)}, {"ports": (50010, 50000)}, {"codecs": ()}, {"codecs": ("VP9",)}],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"port|codec"):
        prepare(RtcSettings(**wrong))  # type: ignore[arg-type]
