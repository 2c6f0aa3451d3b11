"""The caller's side of the stack's private parts: how its sender encodes, and what it is asked for.

Not here: the call (rtc_caller.py), what a server needs of the stack (server/rtc/stack.py). Source:
aiortc 1.16, its modules rtcrtpsender and codecs.vpx.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiortc.codecs.vpx import Vp8Encoder


class _SteadyVp8(Vp8Encoder):
    """VP8 at one bitrate: aiortc begins at 500 kbit/s and starts anew, with a key frame, for each
    change that the receiver's estimate asks for; a browser with our answer stays near 1.4 Mbit/s.
    """

    def __init__(self, bitrate: int) -> None:
        super().__init__()
        self._Vp8Encoder__target_bitrate = bitrate

    @property
    def target_bitrate(self) -> int:
        return int(self._Vp8Encoder__target_bitrate)

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        pass


def steady_encoder(sender: Any, bitrate: int) -> None:
    """Let a sender that has not started encode VP8 at `bitrate`, bit/s."""
    sender._RTCRtpSender__encoder = _SteadyVp8(bitrate)


def key_frames_asked(sender: Any, tell: Callable[[], None]) -> None:
    """Call `tell` for every key frame that is asked of a sender (PLI, RFC 4585 section 6.3.1; FIR,
    RFC 5104 section 4.3.1), which then has to go on without one."""
    sender._send_keyframe = tell
