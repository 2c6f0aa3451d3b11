"""Offers good and bad, and the rebuilt text. No stack, no network."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.rtc.lines import CODES, MAX_BYTES, BadOffer
from server.rtc.offer import check_offer

VECTORS = Path(__file__).parents[2] / "vectors" / "sdp"
GOOD = sorted(VECTORS.glob("*.sdp"))
FAULTS = json.loads((VECTORS / "faults" / "expected.json").read_text())


def load(path: Path) -> str:
    return path.read_bytes().decode()


def media(text: str) -> list[str]:
    return [line for line in text.split("\r\n") if line.startswith("m=")]


@pytest.mark.parametrize("path", GOOD, ids=lambda p: p.stem)
def test_real_offers_are_taken_and_rebuilt(path: Path) -> None:
    offer = load(path)
    rebuilt = check_offer(offer)
    assert rebuilt.endswith("\r\n")
    assert "candidate" not in rebuilt
    assert "\n" not in rebuilt.replace("\r\n", "")
    kinds = [line.split()[0] for line in offer.splitlines() if line.startswith("m=")]
    assert [line.split()[0] for line in media(rebuilt)] == kinds
    for line in offer.splitlines():
        if line.startswith(("a=mid:", "a=group:BUNDLE")):
            assert line in rebuilt
    assert check_offer(rebuilt) == rebuilt, "what we write is an offer that we take"


def test_every_fault_file_has_an_expectation() -> None:
    assert {path.stem for path in (VECTORS / "faults").glob("*.sdp")} == set(FAULTS)
    assert set(FAULTS.values()) <= set(CODES)


@pytest.mark.parametrize(("name", "code"), FAULTS.items())
def test_a_fault_has_its_code(name: str, code: str) -> None:
    with pytest.raises(BadOffer) as caught:
        check_offer(load(VECTORS / "faults" / f"{name}.sdp"))
    assert caught.value.code == code
    assert caught.value.text


def test_only_what_we_decode_is_left_of_a_browsers_codecs() -> None:
    rebuilt = check_offer(load(VECTORS / "chromium.sdp"))
    names = {
        line.split(" ")[1].split("/")[0]
        for line in rebuilt.split("\r\n")
        if line.startswith("a=rtpmap:")
    }
    assert names == {"VP8", "H264", "rtx"}
    assert "transport-wide-cc" not in rebuilt
    assert rebuilt.count("a=ssrc:") == 2


def test_a_channel_without_message_size_takes_what_the_rfc_says() -> None:
    offer = load(VECTORS / "small.sdp").replace("a=max-message-size:262144\r\n", "")
    assert "a=max-message-size:65536\r\n" in check_offer(offer)


def test_transport_of_a_bundle_only_channel_comes_from_the_first_section() -> None:
    rebuilt = check_offer(load(VECTORS / "bundle_only.sdp"))
    session = rebuilt.split("m=")[0]
    assert "a=ice-ufrag:eDpN\r\n" in session
    assert "a=setup:actpass\r\n" in session


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 10_000_000])
def test_a_large_offer_is_refused_at_once(size: int) -> None:
    began = time.process_time()
    with pytest.raises(BadOffer) as caught:
        check_offer("v=0\r\n" + "a=x\r\n" * (size // 5))
    assert caught.value.code == "sdp_too_large"
    assert time.process_time() - began < 0.05


def test_two_hundred_media_are_refused_at_once() -> None:
    offer = "v=0\r\n" + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n" * 200
    began = time.process_time()
    with pytest.raises(BadOffer) as caught:
        check_offer(offer)
    assert caught.value.code == "sdp_too_many_media"
    assert time.process_time() - began < 0.05


@pytest.mark.parametrize(
    "line",
    [
        "a=extmap:1 urn:x",
        "a=rtpmap:96 VP8/90000",
        "a=fmtp:96 " + "a=1;" * 100,
        "a=ssrc:1 cname:x",
        "a=rtcp-fb:96 nack",
        "a=fingerprint:sha-256 00",
        "a=group:BUNDLE 0",
    ],
)
def test_the_largest_offer_of_one_line_costs_little(line: str) -> None:
    offer = load(VECTORS / "small.sdp")
    offer += (line + "\r\n") * ((MAX_BYTES - len(offer)) // (len(line) + 2))
    began = time.process_time()
    check_offer(offer)
    assert time.process_time() - began < 0.2


@pytest.mark.parametrize("offer", [None, 5, b"v=0", ["v=0"]])
def test_an_offer_that_is_no_text_is_refused(offer: object) -> None:
    with pytest.raises(BadOffer) as caught:
        check_offer(offer)  # type: ignore[arg-type]
    assert caught.value.code == "sdp_malformed"


def outcome(offer: str) -> tuple[str | None, str | None]:
    """The code of the refusal, or the offer as it was rebuilt."""
    try:
        return None, check_offer(offer)
    except BadOffer as refusal:
        return refusal.code, None


LINES = [line for path in GOOD[:4] for line in load(path).splitlines()]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A real offer with lines dropped, doubled, swapped, altered, or a bit of another offer."""
    lines = load(draw(st.sampled_from(GOOD))).splitlines()
    for _ in range(draw(st.integers(1, 4))):
        if not lines:
            break
        at = draw(st.integers(0, len(lines) - 1))
        what = draw(st.integers(0, 5))
        if what == 0:
            del lines[at]
        elif what == 1:
            lines.insert(at, lines[draw(st.integers(0, len(lines) - 1))])
        elif what == 2:
            other = draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
        elif what == 3:
            cut = draw(st.integers(0, len(lines[at])))
            lines[at] = lines[at][:cut] + draw(st.text(max_size=6)) + lines[at][cut + 1 :]
        elif what == 4:
            lines.insert(at, draw(st.sampled_from(LINES)))
        else:
            digits = [i for i, c in enumerate(lines[at]) if c.isdigit()]
            if digits:
                i = draw(st.sampled_from(digits))
                lines[at] = lines[at][:i] + draw(st.sampled_from("0189-²x")) + lines[at][i + 1 :]
    return draw(st.sampled_from(["\r\n", "\n"])).join([*lines, ""])


@settings(max_examples=300, deadline=None)
@given(mutated())
def test_a_mutated_offer_is_taken_or_refused_and_nothing_else(offer: str) -> None:
    code, rebuilt = outcome(offer)
    if rebuilt is None:
        assert code in CODES
    else:
        assert check_offer(rebuilt) == rebuilt
        assert rebuilt.isascii()


@settings(max_examples=200, deadline=None)
@given(st.text() | st.text().map(lambda t: "v=0\r\n" + t))
def test_any_text_is_refused(offer: str) -> None:
    with pytest.raises(BadOffer):
        check_offer(offer)
