"""Offers: refuse a bad one, say a good one again in our own words.

No WebRTC stack here: what leaves `check_offer` is rebuilt from tokens that were each matched, so
that the stack never parses what a peer wrote. Not here: how a description is read (lines.py), what
is answered (answer.py). Source: RFC 8866 (SDP), RFC 9429 (JSEP), RFC 9143 (BUNDLE), RFC 8839 (ICE),
RFC 8122 (fingerprints), RFC 8841 (SCTP).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from server.rtc.lines import MAX_MESSAGE_BYTES, BadOffer, Section, direction, malformed, parse

_HASHES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_EXTENSIONS = (
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
)
_FEEDBACK = ("nack", "nack pli", "goog-remb")
_AUDIO = {"opus/48000/2", "pcmu/8000", "pcma/8000", "pcmu/8000/1", "pcma/8000/1"}

_MID = re.compile(r"[A-Za-z0-9._~!#$%&'*+^`{|}-]{1,32}")
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_RTPMAP = re.compile(r"([0-9]{1,3}) ([A-Za-z0-9._-]{1,32}/[0-9]{1,6}(?:/[0-9])?)")
_FMTP = re.compile(r"([0-9]{1,3}) ([ -~]{1,512})")
_FEEDBACK_LINE = re.compile(r"([0-9]{1,3}|\*) ([ -~]{1,64})")
_EXTMAP = re.compile(r"([0-9]{1,3})(?:/(?:sendrecv|sendonly|recvonly|inactive))? ([!-~]{1,256})")
_SSRC = re.compile(r"([0-9]{1,10})(?: [ -~]{0,512})?")
_HEX6 = re.compile(r"[0-9a-f]{6}")
_H264_LEVELS = (10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52)  # H.264 table A-1


def check_offer(sdp: str) -> str:
    """The same offer in our own words: CRLF, no candidates, nothing that we do not use.

    Candidates go because the server learns the page's address from its checks (peer-reflexive,
    RFC 8445 section 7.3.1.3): it resolves no names and sends nothing to an address that the offer
    merely claims. Raises BadOffer.
    """
    session, media = parse(sdp)
    video = next((m for m in media if m.kind == "video"), None)
    channels = [m for m in media if m.kind == "application"]
    if video is None:
        raise BadOffer("sdp_no_video", "the offer has no video")
    if not channels:
        raise BadOffer("sdp_no_channel", "the offer has no data channel")
    if len(channels) > 1:
        raise malformed("the offer has more than one section for data channels")
    if direction(video, session) not in ("sendrecv", "sendonly"):
        raise BadOffer("sdp_video_not_sent", "the offer's first video is not sent")
    mids = _mids(media)
    tagged = media[_bundle(session, mids)]
    lines = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    lines.append("a=group:BUNDLE " + " ".join(_bundle_order(session)))
    lines += _transport(session, tagged)
    for mid, section in zip(mids, media, strict=True):
        if section.kind == "application":
            lines += _data_lines(section, mid)
        else:
            lines += _rtp_lines(section, mid, session)
    return "\r\n".join(lines) + "\r\n"


def _mids(media: Sequence[Section]) -> list[str]:
    mids = [section.one("mid") or "" for section in media]
    if not all(_MID.fullmatch(mid) for mid in mids) or len(set(mids)) != len(mids):
        raise malformed("the media have no identification of their own (a=mid)")
    return mids


def _bundle_order(session: Section) -> list[str]:
    for group in session.all("group"):
        members = group.split()
        if members and members[0] == "BUNDLE":
            return members[1:]
    return []


def _bundle(session: Section, mids: Sequence[str]) -> int:
    """Which section carries the transport for all (RFC 9143 section 7.2)."""
    order = _bundle_order(session)
    if sorted(order) != sorted(mids):
        raise BadOffer("sdp_no_bundle", "the offer's media do not share one transport (BUNDLE)")
    return mids.index(order[0])


def _transport(session: Section, tagged: Section) -> list[str]:
    ufrag = tagged.one("ice-ufrag") or session.one("ice-ufrag") or ""
    password = tagged.one("ice-pwd") or session.one("ice-pwd") or ""
    if not _UFRAG.fullmatch(ufrag) or not _PASSWORD.fullmatch(password):
        raise BadOffer("sdp_no_ice", "the offer has no usable ICE user fragment and password")
    if session.has("ice-lite"):
        raise BadOffer("sdp_no_ice", "an ICE lite peer cannot be the caller")
    prints = [
        known
        for line in tagged.all("fingerprint") or session.all("fingerprint")
        if (known := _fingerprint(line)) is not None
    ]
    if not prints:
        raise BadOffer("sdp_no_fingerprint", "the offer has no usable certificate fingerprint")
    setup = tagged.one("setup") or session.one("setup")
    if setup not in ("actpass", "active", "passive"):  # RFC 8842 section 5.2
        raise malformed("the offer does not say who begins DTLS (a=setup)")
    lines = [f"a=ice-ufrag:{ufrag}", f"a=ice-pwd:{password}"]
    lines += [f"a=fingerprint:{known}" for known in prints]
    return [*lines, f"a=setup:{setup}"]


def _fingerprint(line: str) -> str | None:
    name, _, value = line.strip().partition(" ")
    size = _HASHES.get(name.lower())
    if size is None or not re.fullmatch(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})*", value):
        return None
    return f"{name.lower()} {value.upper()}" if len(value) == 3 * size - 1 else None


def _data_lines(section: Section, mid: str) -> list[str]:
    if section.profile != "UDP/DTLS/SCTP" or section.formats != ["webrtc-datachannel"]:
        raise malformed("the data channel's transport is not UDP/DTLS/SCTP")
    port = section.one("sctp-port") or ""
    size = section.one("max-message-size") or str(MAX_MESSAGE_BYTES)
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise malformed("the data channel has no SCTP port")
    if not re.fullmatch(r"[0-9]{1,12}", size):
        raise malformed("the data channel's message size cannot be read")
    return [
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{mid}",
        f"a=sctp-port:{port}",
        f"a=max-message-size:{size}",
    ]


def _rtp_lines(section: Section, mid: str, session: Section) -> list[str]:
    if section.profile not in ("UDP/TLS/RTP/SAVPF", "RTP/SAVPF"):
        raise malformed("the media are not sent over DTLS-SRTP")
    if not section.has("rtcp-mux"):
        raise malformed("the media and their RTCP do not share a port (a=rtcp-mux)")
    codecs = _codecs(section)
    if not codecs:
        raise BadOffer("sdp_no_codec", f"the offer's {section.kind} has no codec that we have")
    lines = [
        f"m={section.kind} 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, codecs))}",
        "c=IN IP4 0.0.0.0",
        f"a={direction(section, session)}",
        f"a=mid:{mid}",
        "a=rtcp-mux",
    ]
    if section.kind == "video":
        lines += _extensions(section)
    for payload, (name, parameters) in codecs.items():
        lines.append(f"a=rtpmap:{payload} {name}")
        if parameters:
            lines.append(f"a=fmtp:{payload} {parameters}")
        if section.kind == "video":
            lines += [f"a=rtcp-fb:{payload} {kind}" for kind in _feedback(section, payload)]
    if section.kind == "video":
        lines += [f"a=ssrc:{ssrc} cname:-" for ssrc in _ssrcs(section)]
    return lines


def _codecs(section: Section) -> dict[int, tuple[str, str]]:
    """Payload type to encoding name and parameters, in the order of the media line."""
    names: dict[int, str] = {}
    parameters: dict[int, dict[str, str]] = {}
    for value in section.all("rtpmap"):
        if match := _RTPMAP.fullmatch(value.strip()):
            names.setdefault(int(match[1]), match[2])
    for value in section.all("fmtp"):
        if match := _FMTP.fullmatch(value.strip()):
            pairs = (pair.strip().partition("=") for pair in match[2].split(";"))
            parameters.setdefault(int(match[1]), {key: v for key, _, v in pairs})
    order = [int(f) for f in section.formats if re.fullmatch(r"[0-9]{1,3}", f)]
    order = [p for p in dict.fromkeys(order) if 96 <= p <= 127]  # RFC 3551 section 3: dynamic
    kept: dict[int, tuple[str, str]] = {}
    for payload in order:
        name, given = names.get(payload, "").lower(), parameters.get(payload, {})
        if section.kind == "audio":
            if name in _AUDIO:
                kept[payload] = (name, "")
        elif name == "vp8/90000":
            kept[payload] = ("VP8/90000", "")
        elif name == "h264/90000":
            profile = given.get("profile-level-id", "42e01f").lower()  # RFC 6184 section 8.1
            if given.get("packetization-mode") == "1" and _baseline(profile):
                fmtp = "level-asymmetry-allowed=1;packetization-mode=1"
                kept[payload] = ("H264/90000", f"{fmtp};profile-level-id={profile}")
    for payload in order:  # RFC 4588 section 8.1: retransmission of a codec that is kept
        apt = parameters.get(payload, {}).get("apt", "")
        if names.get(payload, "").lower() == "rtx/90000" and re.fullmatch(r"[0-9]{1,3}", apt):
            target = kept.get(int(apt))
            if target is not None and not target[0].startswith("rtx"):
                kept[payload] = ("rtx/90000", f"apt={int(apt)}")
    return kept


def _baseline(profile: str) -> bool:
    """True for (constrained) baseline with a level that exists: what the stack's table has."""
    if not _HEX6.fullmatch(profile):
        return False
    idc, flags, level = bytes.fromhex(profile)
    return idc == 0x42 and flags & 0x0F == 0 and level in _H264_LEVELS


def _feedback(section: Section, payload: int) -> list[str]:
    found = []
    for value in section.all("rtcp-fb"):
        match = _FEEDBACK_LINE.fullmatch(value.strip())
        if match and match[1] in ("*", str(payload)) and match[2] in _FEEDBACK:
            found.append(match[2])
    return list(dict.fromkeys(found))


def _extensions(section: Section) -> list[str]:
    used: set[int] = set()
    lines = []
    for value in section.all("extmap"):
        match = _EXTMAP.fullmatch(value.strip())
        if match and match[2] in _EXTENSIONS and 0 < int(match[1]) < 15:  # RFC 8285 section 4.2
            if int(match[1]) not in used:
                lines.append(f"a=extmap:{int(match[1])} {match[2]}")
            used.add(int(match[1]))
    return lines


def _ssrcs(section: Section) -> list[int]:
    found: dict[int, None] = {}
    for value in section.all("ssrc"):
        match = _SSRC.fullmatch(value.strip())
        if match and int(match[1]) < 1 << 32:
            found[int(match[1])] = None
    return list(found) if len(found) <= 2 else list(found)[:1]  # media and its retransmission
