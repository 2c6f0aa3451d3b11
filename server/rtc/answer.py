"""What is changed in the stack's answer, and read from it.

Not here: how a description is read (lines.py), the offer (offer.py). Source: RFC 8866 (SDP),
RFC 8839 (ICE), RFC 8841 (SCTP).
"""

from __future__ import annotations

from server.rtc.lines import MAX_MESSAGE_BYTES, payloads


def tune_answer(sdp: str, start_kbps: int, min_kbps: int) -> str:
    """Ask the sender to start at `start_kbps` and not to go below `min_kbps`; cap its messages.

    Chromium starts at 300 kbit/s and, with REMB alone, stays near it for the seconds that a login
    takes. These format parameters are what libwebrtc reads from a remote description
    (media/base/media_constants.cc, kCodecParamStartBitrate); others ignore them.
    """
    wish = f"x-google-start-bitrate={start_kbps};x-google-min-bitrate={min_kbps}"
    lines = sdp.split("\r\n")
    video = payloads(lines, "video")
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
