"""The tuned answer, the advertised address, and the candidates. No stack, no network."""

from __future__ import annotations

from server.rtc.answer import advertise, candidates, tune_answer

ANSWER = """v=0
m=video 50000 UDP/TLS/RTP/SAVPF 96 97 103
c=IN IP4 10.0.0.5
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 nack
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:103 H264/90000
a=fmtp:103 packetization-mode=1
a=candidate:1 1 udp 2130706431 10.0.0.5 50000 typ host
a=candidate:2 1 udp 2130706431 fd00::5 50001 typ host
a=candidate:3 1 udp 1694498815 203.0.113.9 50000 typ srflx raddr 10.0.0.5 rport 50000
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
a=max-message-size:262144
""".replace("\n", "\r\n")


def test_an_answer_asks_for_a_quick_start() -> None:
    tuned = tune_answer(ANSWER, 1500, 1000).split("\r\n")
    wish = "x-google-start-bitrate=1500;x-google-min-bitrate=1000"
    assert f"a=fmtp:96 {wish}" in tuned
    assert tuned.index(f"a=fmtp:96 {wish}") == tuned.index("a=rtpmap:96 VP8/90000") + 1
    assert f"a=fmtp:103 packetization-mode=1;{wish}" in tuned
    assert "a=fmtp:97 apt=96" in tuned
    assert "a=max-message-size:65536" in tuned
    rest = [line for line in tuned if "x-google" not in line and "size" not in line]
    old = [line for line in ANSWER.split("\r\n") if "fmtp:103" not in line and "size" not in line]
    assert rest == old


def test_the_advertised_address_replaces_that_of_its_family() -> None:
    shown = advertise(ANSWER, "198.51.100.7")
    assert candidates(shown) == [
        ("198.51.100.7", 50000, "host"),
        ("fd00::5", 50001, "host"),
        ("203.0.113.9", 50000, "srflx"),
    ]
    assert "c=IN IP4 198.51.100.7\r\n" in shown
    assert candidates(advertise(ANSWER, "2001:db8::7"))[1][0] == "2001:db8::7"
