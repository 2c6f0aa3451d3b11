"""Which encoded frames are key frames, and what asks for one.

Not here: the queue that waits for one (receiving.py), the sender that is asked
(server/tools/caller/sending.py). Source: RFC 6386 (VP8), ITU-T H.264, RFC 4585 (PLI).
"""

from __future__ import annotations

import threading


def is_key(codec: str, data: bytes) -> bool:
    """True if an encoded frame needs no other: VP8 (RFC 6386 section 9.1) or H264 (Annex B)."""
    if codec.upper() == "VP8":
        return bool(data) and data[0] & 1 == 0
    at = data.find(b"\0\0\1")
    while 0 <= at < len(data) - 3:
        if data[at + 3] & 0x1F in (5, 7):  # IDR slice, sequence parameters (H.264 table 7-1)
            return True
        at = data.find(b"\0\0\1", at + 3) if at < 256 else -1
    return False


class KeyFrameAsked(threading.Event):
    """The flag by which the decoder's thread asks for a key frame, and how often it was set."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def set(self) -> None:
        """Ask."""
        self.count += 1
        super().set()
