"""The calling side of a connection: what a browser's page does, for tests and the command line.

One video track out of an iterator of pictures, one data channel. Not used by a serving process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from server import rtc_patches
from server.rtc import LABEL, PROTOCOL
from server.rtc_patches import Network

KBPS = 1400
"""What Chromium 156 sends of 640x480 with the start bitrate that our answer asks for."""
LATE_S = 0.1
"""A picture later than this is skipped: a camera does not wait for its encoder either."""
CLOCK_HZ = 90000
"""RTP clock of video (RFC 7741 section 4.1)."""


class Camera(MediaStreamTrack):
    """Pictures at their own pace. `pictures` gives (seconds from 0, yuv420p av.VideoFrame)."""

    kind = "video"

    def __init__(self, pictures: Iterator[tuple[float, Any]]) -> None:
        super().__init__()
        self.sent = 0
        """Pictures handed to the encoder."""
        self.fault: Exception | None = None
        """Why the pictures ended, if not by themselves."""
        self._pictures = pictures
        self._began_s: float | None = None

    async def recv(self) -> Any:
        """The next picture when it is due. Raises MediaStreamError at the end."""
        while self.readyState == "live":
            try:
                # In a thread, as decoding takes longer than an event loop may stand still.
                item = await asyncio.to_thread(next, self._pictures, None)
            except Exception as fault:
                self.fault = fault
                item = None
            if item is None:
                self.stop()
                break
            time_s, picture = item
            now_s = time.monotonic()
            if self._began_s is None:
                self._began_s = now_s - time_s
            wait_s = self._began_s + time_s - now_s
            if wait_s < -LATE_S:
                continue
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            picture.pts, picture.time_base = round(time_s * CLOCK_HZ), Fraction(1, CLOCK_HZ)
            picture.pict_type = 0  # the encoder's mark for a key frame must not stay on a still
            self.sent += 1
            return picture
        raise MediaStreamError


class Caller:
    """One call. Made by `offer`; takes the other side's answer by `connect`."""

    def __init__(self, on_message: Callable[[str | bytes], None], camera: Camera) -> None:
        self.offer_sdp = ""
        self.camera = camera
        self.connected = asyncio.Event()
        self.channel_open = asyncio.Event()
        self.closed = asyncio.Event()
        self._on_message = on_message
        self._pc: Any = None
        self._channel: Any = None

    @classmethod
    async def offer(
        cls,
        pictures: Iterator[tuple[float, Any]],
        *,
        on_message: Callable[[str | bytes], None],
        ice_servers: Sequence[Mapping[str, Any]] = (),
        network: Network | None = None,
        kbps: int = KBPS,
        codec: str = "VP8",
        relay_only: bool = False,
    ) -> Caller:
        """Make an offer. `ice_servers` as in W3C RTCConfiguration; one STUN, one TURN is used.

        `relay_only` goes through the TURN server or not at all: to see whether it works.
        """
        rtc_patches.apply()
        caller = cls(on_message, Camera(pictures))
        servers = [
            RTCIceServer(one["urls"], one.get("username"), one.get("credential"))
            for one in ice_servers
        ]
        pc = caller._pc = RTCPeerConnection(
            RTCConfiguration(
                iceServers=servers,
                iceTransportPolicy=(
                    RTCIceTransportPolicy.RELAY if relay_only else RTCIceTransportPolicy.ALL
                ),
            )
        )
        pc.on("connectionstatechange", caller._state_changed)
        channel = caller._channel = pc.createDataChannel(LABEL, protocol=PROTOCOL)
        channel.on("open", caller.channel_open.set)
        channel.on("message", on_message)
        video = pc.addTransceiver(caller.camera, direction="sendonly")
        capabilities = RTCRtpSender.getCapabilities("video")
        known = capabilities.codecs if capabilities is not None else []
        video.setCodecPreferences(
            [c for c in known if c.mimeType in (f"video/{codec}", "video/rtx")]
        )
        if codec == "VP8":
            rtc_patches.steady_encoder(video.sender, kbps * 1000)
        with rtc_patches.network(network or Network(loopback=True)):
            await pc.setLocalDescription(await pc.createOffer())
        caller.offer_sdp = pc.localDescription.sdp
        return caller

    async def connect(self, answer_sdp: str) -> None:
        """Take the answer; the connection then comes up by itself. Raises ValueError."""
        try:
            await self._pc.setRemoteDescription(RTCSessionDescription(answer_sdp, "answer"))
        except Exception as fault:
            raise ValueError("the answer cannot be used") from fault

    def send(self, text: str) -> bool:
        """Send a message; False if the channel is not open."""
        if self._channel.readyState != "open":
            return False
        self._channel.send(text)
        return True

    async def close(self) -> None:
        """Hang up."""
        await self._pc.close()
        self.closed.set()

    def _state_changed(self) -> None:
        state = self._pc.connectionState
        if state == "connected":
            self.connected.set()
        elif state in ("failed", "closed"):
            self.closed.set()
