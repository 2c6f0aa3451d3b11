"""The text of session descriptions: how it is cut into sections, and the refusal of an offer.

Not here: what an offer must say (offer.py), what an answer says (answer.py). Source: RFC 8866.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.refusal import Refusal

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

_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")

_M_LINE = re.compile(r"m=(audio|video|application) ([0-9]{1,5})(?:/1)? ([A-Z/]{1,32}) ([ -~]+)")


class BadOffer(Refusal):
    """The offer cannot be taken. `code` is one of `CODES`, `text` is for people."""


@dataclass(slots=True)
class Section:
    """One m-section or, with kind "session", what stands before the first."""

    kind: str
    port: int = 9
    profile: str = ""
    formats: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str]] = field(default_factory=list)
    """Name and value ("" where there is none), in order."""

    def all(self, name: str) -> list[str]:
        """Values of an attribute, in order."""
        return [value for key, value in self.attributes if key == name]

    def one(self, name: str) -> str | None:
        """The first value of an attribute."""
        return next((value for key, value in self.attributes if key == name), None)

    def has(self, name: str) -> bool:
        """Whether the attribute is there."""
        return any(key == name for key, _ in self.attributes)


def malformed(text: str) -> BadOffer:
    """The refusal of what is no description."""
    return BadOffer("sdp_malformed", text)


def parse(sdp: str) -> tuple[Section, list[Section]]:
    """What stands before the first media line, and the sections of the media. Raises BadOffer."""
    if not isinstance(sdp, str):
        raise malformed("the offer's sdp is not a string")
    if len(sdp) > MAX_BYTES or len(sdp.encode("utf-8", "replace")) > MAX_BYTES:
        raise BadOffer("sdp_too_large", f"the offer is larger than {MAX_BYTES} bytes")
    if not sdp.isascii():
        sdp = sdp.encode("ascii", "replace").decode()  # names may be UTF-8; nothing we read may
    lines = [line.rstrip("\r") for line in sdp.split("\n")]  # RFC 8866 section 5: LF alone, too
    if lines[0].rstrip() != "v=0":
        raise malformed("the offer does not begin with v=0")
    if sum(line.startswith("m=") for line in lines) > MAX_MEDIA:
        raise BadOffer("sdp_too_many_media", f"the offer has more than {MAX_MEDIA} media")
    session = Section("session")
    media: list[Section] = []
    current = session
    for line in lines:
        if line.startswith("m="):
            match = _M_LINE.fullmatch(line)
            if match is None:
                raise malformed("a media line cannot be read")
            current = Section(match[1], int(match[2]), match[3], match[4].split())
            media.append(current)
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            current.attributes.append((name, value))
    return session, media


def direction(section: Section, session: Section) -> str:
    """Which way the media of a section flow: one of sendrecv, sendonly, recvonly, inactive."""
    for place in (section, session):
        for name, _ in place.attributes:
            if name in _DIRECTIONS:
                return name
    return "sendrecv"  # RFC 8866 section 6.7


def payloads(lines: Sequence[str], kind: str) -> set[str]:
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
