"""How descriptions are cut into sections. No stack, no network."""

from __future__ import annotations

import pytest

from server.rtc import lines
from server.rtc.lines import BadOffer, Section, direction, parse, payloads

TEXT = """v=0
a=sendonly
a=group:BUNDLE 0 1
m=video 9 UDP/TLS/RTP/SAVPF 96 97
a=mid:0
a=rtcp-mux
a=recvonly
a=rtpmap:96 VP8/90000
a=rtpmap:97 rtx/90000
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
a=mid:1
"""


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_description_is_cut_into_its_sections(ending: str) -> None:
    session, media = parse(TEXT.replace("\n", ending))
    assert session.all("group") == ["BUNDLE 0 1"]
    assert [(m.kind, m.one("mid")) for m in media] == [("video", "0"), ("application", "1")]
    assert media[0].formats == ["96", "97"]
    assert media[0].has("rtcp-mux")
    assert not media[1].has("rtcp-mux")
    assert media[1].one("sctp-port") is None


def test_a_direction_is_the_sections_then_the_sessions_then_both_ways() -> None:
    session, media = parse(TEXT)
    assert direction(media[0], session) == "recvonly"
    assert direction(media[1], session) == "sendonly"
    assert direction(media[1], Section("session")) == "sendrecv"


def test_a_media_line_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(BadOffer) as caught:
        parse("v=0\nm=video nine UDP/TLS/RTP/SAVPF 96\n")
    assert caught.value.code == "sdp_malformed"


def test_payloads_are_those_of_the_codecs_of_a_kind() -> None:
    assert payloads(TEXT.splitlines(), "video") == {"96"}
    assert payloads(TEXT.splitlines(), "audio") == set()


def test_the_limits_are_the_documented_ones() -> None:
    assert (lines.MAX_BYTES, lines.MAX_MEDIA) == (65536, 3)
