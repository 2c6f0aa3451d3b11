"""The private parts of a sender that the caller touches, and when touching them may end."""

from __future__ import annotations

from types import SimpleNamespace

from aiortc import RTCRtpSender
from aiortc.codecs.vpx import Vp8Encoder


async def test_the_private_names_are_there() -> None:
    """Assignments to names that nobody reads would fail silently."""
    assert "_Vp8Encoder__target_bitrate" in vars(Vp8Encoder())
    assert "_RTCRtpSender__encoder" in vars(RTCRtpSender("video", SimpleNamespace(state="new")))  # type: ignore[arg-type]
    assert "_send_keyframe" in RTCRtpSender._handle_rtcp_packet.__code__.co_names
