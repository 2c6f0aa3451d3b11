"""Session descriptions as text: refuse a bad offer, rewrite a good one, tune the answer.

No WebRTC stack here: what leaves `check_offer` is rebuilt from tokens that were each matched, so
that the stack never parses what a peer wrote. Source: RFC 8866 (SDP), RFC 9429 (JSEP), RFC 9143
(BUNDLE), RFC 8839 (ICE), RFC 8122 (fingerprints), RFC 8841 (SCTP).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

MAX_BYTES = 64 * 1024
"""An offer of Chromium 156 with video and data has 5 KiB; parsing is linear in the length."""
MAX_MEDIA = 3
"""Video, data and one more, which is answered as inactive."""
MAX_MESSAGE_BYTES = 65536
"""RFC 8841 section 6.1: what a peer takes that does not say. Also what we say that we take, though
the protocol allows far less: a page that errs is to be told by a refusal, not by a dead channel."""

CODES = (
    "sdp_malformed",
    "sdp_too_large",
    "sdp_too_many_media",
    "sdp_no_video",
    "sdp_no_fingerprint",
    "sdp_no_ice",
    "sdp_no_channel",
    "sdp_no_codec",
    "sdp_video_not_sent",
    "sdp_no_bundle",
)

_HASHES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_EXTENSIONS = (
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
)
_FEEDBACK = ("nack", "nack pli", "goog-remb")
_AUDIO = {"opus/48000/2", "pcmu/8000", "pcma/8000", "pcmu/8000/1", "pcma/8000/1"}

_M_LINE = re.compile(r"m=(audio|video|application) ([0-9]{1,5})(?:/1)? ([A-Z/]{1,32}) ([ -~]+)")
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


class BadOffer(Exception):
    """The offer cannot be taken. `code` is one of `CODES`, `text` is for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code)
        self.code = code
        self.text = text


@dataclass(slots=True)
class _Section:
    """One m-section or, with kind "session", what stands before the first."""

    kind: str
    port: int = 9
    profile: str = ""
    formats: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str]] = field(default_factory=list)
    """Name and value ("" where there is none), in order."""

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]

    def one(self, name: str) -> str | None:
        return next((value for key, value in self.attributes if key == name), None)

    def has(self, name: str) -> bool:
        return any(key == name for key, _ in self.attributes)


def check_offer(sdp: str) -> str:
    """The same offer in our own words: CRLF, no candidates, nothing that we do not use.

    Candidates go because the server learns the page's address from its checks (peer-reflexive,
    RFC 8445 section 7.3.1.3): it resolves no names and sends nothing to an address that the offer
    merely claims. Raises BadOffer.
    """
    session, media = _parse(sdp)
    video = next((m for m in media if m.kind == "video"), None)
    channels = [m for m in media if m.kind == "application"]
    if video is None:
        raise BadOffer("sdp_no_video", "the offer has no video")
    if not channels:
        raise BadOffer("sdp_no_channel", "the offer has no data channel")
    if len(channels) > 1:
        raise _malformed("the offer has more than one section for data channels")
    if _direction(video, session) not in ("sendrecv", "sendonly"):
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


def tune_answer(sdp: str, start_kbps: int, min_kbps: int) -> str:
    """Ask the sender to start at `start_kbps` and not to go below `min_kbps`; cap its messages.

    Chromium starts at 300 kbit/s and, with REMB alone, stays near it for the seconds that a login
    takes. These format parameters are what libwebrtc reads from a remote description
    (media/base/media_constants.cc, kCodecParamStartBitrate); others ignore them.
    """
    wish = f"x-google-start-bitrate={start_kbps};x-google-min-bitrate={min_kbps}"
    lines = sdp.split("\r\n")
    video = _payloads(lines, "video")
    described = {line[7:].split(" ", 1)[0] for line in lines if line.startswith("a=fmtp:")}
    tuned: list[str] = []
    for line in lines:
        name, _, value = line.partition(":")
        payload = value.split(" ", 1)[0]
        if name == "a=fmtp" and payload in video:
            line = f"{line};{wish}"
        elif name == "a=max-message-size":
            line = f"{name}:{MAX_MESSAGE_BYTES}"
        tuned.append(line)
        if name == "a=rtpmap" and payload in video and payload not in described:
            tuned.append(f"a=fmtp:{payload} {wish}")  # VP8 has no parameters of its own
    return "\r\n".join(tuned)


def advertise(sdp: str, address: str) -> str:
    """Give `address` for the host candidates of its family: the outside of a one-to-one NAT."""
    family = ":" in address
    lines = sdp.split("\r\n")
    for i, line in enumerate(lines):
        bits = line.split(" ")
        if (
            line.startswith("a=candidate:")
            and len(bits) >= 8
            and bits[7] == "host"
            and (":" in bits[4]) == family
        ):
            bits[4] = address
            lines[i] = " ".join(bits)
        elif line.startswith("c=IN ") and len(bits) == 3 and (bits[1] == "IP6") == family:
            lines[i] = f"c=IN {bits[1]} {address}"
    return "\r\n".join(lines)


def candidates(sdp: str) -> list[tuple[str, int, str]]:
    """Address, port and type of each candidate of a description that we trust."""
    found = []
    for line in sdp.split("\r\n"):
        if line.startswith("a=candidate:"):
            bits = line.split(" ")
            found.append((bits[4], int(bits[5]), bits[7]))
    return found


def _malformed(text: str) -> BadOffer:
    return BadOffer("sdp_malformed", text)


def _parse(sdp: str) -> tuple[_Section, list[_Section]]:
    if not isinstance(sdp, str):
        raise _malformed("the offer's sdp is not a string")
    if len(sdp) > MAX_BYTES or len(sdp.encode("utf-8", "replace")) > MAX_BYTES:
        raise BadOffer("sdp_too_large", f"the offer is larger than {MAX_BYTES} bytes")
    if not sdp.isascii():
        sdp = sdp.encode("ascii", "replace").decode()  # names may be UTF-8; nothing we read may
    lines = [line.rstrip("\r") for line in sdp.split("\n")]  # RFC 8866 section 5: LF alone, too
    if lines[0].rstrip() != "v=0":
        raise _malformed("the offer does not begin with v=0")
    if sum(line.startswith("m=") for line in lines) > MAX_MEDIA:
        raise BadOffer("sdp_too_many_media", f"the offer has more than {MAX_MEDIA} media")
    session = _Section("session")
    media: list[_Section] = []
    current = session
    for line in lines:
        if line.startswith("m="):
            match = _M_LINE.fullmatch(line)
            if match is None:
                raise _malformed("a media line cannot be read")
            current = _Section(match[1], int(match[2]), match[3], match[4].split())
            media.append(current)
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            current.attributes.append((name, value))
    return session, media


def _direction(section: _Section, session: _Section) -> str:
    for place in (section, session):
        for name, _ in place.attributes:
            if name in _DIRECTIONS:
                return name
    return "sendrecv"  # RFC 8866 section 6.7


def _mids(media: Sequence[_Section]) -> list[str]:
    mids = [section.one("mid") or "" for section in media]
    if not all(_MID.fullmatch(mid) for mid in mids) or len(set(mids)) != len(mids):
        raise _malformed("the media have no identification of their own (a=mid)")
    return mids


def _bundle_order(session: _Section) -> list[str]:
    for group in session.all("group"):
        members = group.split()
        if members and members[0] == "BUNDLE":
            return members[1:]
    return []


def _bundle(session: _Section, mids: Sequence[str]) -> int:
    """Which section carries the transport for all (RFC 9143 section 7.2)."""
    order = _bundle_order(session)
    if sorted(order) != sorted(mids):
        raise BadOffer("sdp_no_bundle", "the offer's media do not share one transport (BUNDLE)")
    return mids.index(order[0])


def _transport(session: _Section, tagged: _Section) -> list[str]:
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
        raise _malformed("the offer does not say who begins DTLS (a=setup)")
    lines = [f"a=ice-ufrag:{ufrag}", f"a=ice-pwd:{password}"]
    lines += [f"a=fingerprint:{known}" for known in prints]
    return [*lines, f"a=setup:{setup}"]


def _fingerprint(line: str) -> str | None:
    name, _, value = line.strip().partition(" ")
    size = _HASHES.get(name.lower())
    if size is None or not re.fullmatch(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})*", value):
        return None
    return f"{name.lower()} {value.upper()}" if len(value) == 3 * size - 1 else None


def _data_lines(section: _Section, mid: str) -> list[str]:
    if section.profile != "UDP/DTLS/SCTP" or section.formats != ["webrtc-datachannel"]:
        raise _malformed("the data channel's transport is not UDP/DTLS/SCTP")
    port = section.one("sctp-port") or ""
    size = section.one("max-message-size") or str(MAX_MESSAGE_BYTES)
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise _malformed("the data channel has no SCTP port")
    if not re.fullmatch(r"[0-9]{1,12}", size):
        raise _malformed("the data channel's message size cannot be read")
    return [
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{mid}",
        f"a=sctp-port:{port}",
        f"a=max-message-size:{size}",
    ]


def _rtp_lines(section: _Section, mid: str, session: _Section) -> list[str]:
    if section.profile not in ("UDP/TLS/RTP/SAVPF", "RTP/SAVPF"):
        raise _malformed("the media are not sent over DTLS-SRTP")
    if not section.has("rtcp-mux"):
        raise _malformed("the media and their RTCP do not share a port (a=rtcp-mux)")
    codecs = _codecs(section)
    if not codecs:
        raise BadOffer("sdp_no_codec", f"the offer's {section.kind} has no codec that we have")
    lines = [
        f"m={section.kind} 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, codecs))}",
        "c=IN IP4 0.0.0.0",
        f"a={_direction(section, session)}",
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


def _codecs(section: _Section) -> dict[int, tuple[str, str]]:
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


def _feedback(section: _Section, payload: int) -> list[str]:
    found = []
    for value in section.all("rtcp-fb"):
        match = _FEEDBACK_LINE.fullmatch(value.strip())
        if match and match[1] in ("*", str(payload)) and match[2] in _FEEDBACK:
            found.append(match[2])
    return list(dict.fromkeys(found))


def _extensions(section: _Section) -> list[str]:
    used: set[int] = set()
    lines = []
    for value in section.all("extmap"):
        match = _EXTMAP.fullmatch(value.strip())
        if match and match[2] in _EXTENSIONS and 0 < int(match[1]) < 15:  # RFC 8285 section 4.2
            if int(match[1]) not in used:
                lines.append(f"a=extmap:{int(match[1])} {match[2]}")
            used.add(int(match[1]))
    return lines


def _ssrcs(section: _Section) -> list[int]:
    found: dict[int, None] = {}
    for value in section.all("ssrc"):
        match = _SSRC.fullmatch(value.strip())
        if match and int(match[1]) < 1 << 32:
            found[int(match[1])] = None
    return list(found) if len(found) <= 2 else list(found)[:1]  # media and its retransmission


def _payloads(lines: Sequence[str], kind: str) -> set[str]:
    """Payload types of the codecs, without retransmission, of the sections of a kind."""
    inside, found = False, set()
    for line in lines:
        if line.startswith("m="):
            inside = line.startswith(f"m={kind} ")
        elif inside and line.startswith("a=rtpmap:"):
            payload, _, name = line[9:].partition(" ")
            if name.upper().startswith(("VP8/", "H264/")):
                found.add(payload)
    return found
