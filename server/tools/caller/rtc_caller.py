"""The calling side of a connection: what a browser's page does, for tests and the command line.

One video track out of an iterator of pictures or of frames that are encoded already, one data
channel. Not here: what it touches in the stack (sending.py). No serving process uses it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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

from server.rtc import stack
from server.rtc.connection import LABEL, PROTOCOL
from server.rtc.network import Network, listening
from server.tools.caller import sending

KBPS = 1400
"""What Chromium 156 sends of 640x480 with the start bitrate that our answer asks for."""
LATE_S = 0.1
"""A picture later than this is skipped: a camera does not wait for its encoder either."""
CLOCK_HZ = 90000
"""RTP clock of video (RFC 7741 section 4.1)."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A video that is not to be encoded again."""

    codec: str
    """VP8 or H264, for all frames."""
    frames: Sequence[tuple[float, Any]]
    """Seconds from 0, and the frame as av.Packet; H264 in the form of its annex B."""


class Source(MediaStreamTrack):
    """What a caller shows."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0
        """Pictures handed to the encoder, or encoded frames to the network."""
        self.fault: Exception | None = None
        """Why the pictures ended, if not by themselves."""
        self._began_s: float | None = None

    def _wait_s(self, time_s: float) -> float:
        """How long until something is due, below 0 if that is over; the first one is due now."""
        now_s = time.monotonic()
        if self._began_s is None:
            self._began_s = now_s - time_s
        return self._began_s + time_s - now_s


class Camera(Source):
    """Pictures at their own pace. `pictures` gives (seconds from 0, yuv420p av.VideoFrame)."""

    def __init__(self, pictures: Iterator[tuple[float, Any]]) -> None:
        super().__init__()
        self._pictures = pictures

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
            wait_s = self._wait_s(time_s)
            if wait_s < -LATE_S:
                continue
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            picture.pts, picture.time_base = round(time_s * CLOCK_HZ), Fraction(1, CLOCK_HZ)
            picture.pict_type = 0  # the encoder's mark for a key frame must not stay on a still
            self.sent += 1
            return picture
        raise MediaStreamError


class Playback(Source):
    """Encoded frames at their own times. None is skipped, however late: those after it need it."""

    def __init__(self, frames: Sequence[tuple[float, Any]], begin: asyncio.Event) -> None:
        """Not before `begin` is set: nobody repeats a key frame that came too early."""
        super().__init__()
        self._frames = iter(frames)
        self._begin = begin

    async def recv(self) -> Any:
        """The next frame when it is due. Raises MediaStreamError at the end."""
        await self._begin.wait()
        item = next(self._frames, None)
        if item is None or self.readyState != "live":
            self.stop()
            raise MediaStreamError
        time_s, packet = item
        wait_s = self._wait_s(time_s)
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        self.sent += 1
        return packet


class Caller:
    """One call. Made by `offer`; takes the other side's answer by `connect`."""

    def __init__(
        self,
        on_message: Callable[[str | bytes], None],
        video: Iterator[tuple[float, Any]] | Encoded,
    ) -> None:
        self.offer_sdp = ""
        self.connected = asyncio.Event()
        self.channel_open = asyncio.Event()
        self.closed = asyncio.Event()
        self.camera: Source = (
            # With the channel open the other side surely listens to the video, too.
            Playback(video.frames, self.channel_open)
            if isinstance(video, Encoded)
            else Camera(video)
        )
        self.key_frames_asked = 0
        """Requests for a key frame that an encoded video could not answer."""
        self._on_message = on_message
        self._pc: Any = None
        self._channel: Any = None

    @classmethod
    async def offer(
        cls,
        video: Iterator[tuple[float, Any]] | Encoded,
        *,
        on_message: Callable[[str | bytes], None],
        ice_servers: Sequence[Mapping[str, Any]] = (),
        network: Network | None = None,
        kbps: int = KBPS,
        codec: str = "VP8",
        relay_only: bool = False,
    ) -> Caller:
        """Make an offer. `ice_servers` as in W3C RTCConfiguration; one STUN, one TURN is used.

        `video`: as Camera takes them, to be encoded with `codec` (VP8 at `kbps`), or Encoded.
        `relay_only` goes through the TURN server or not at all: to see whether it works.
        """
        stack.apply()
        caller = cls(on_message, video)
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
        video_out = pc.addTransceiver(caller.camera, direction="sendonly")
        if isinstance(video, Encoded):
            codec = video.codec
            sending.key_frames_asked(video_out.sender, caller._key_frame_asked)
        elif codec == "VP8":
            sending.steady_encoder(video_out.sender, kbps * 1000)
        capabilities = RTCRtpSender.getCapabilities("video")
        known = capabilities.codecs if capabilities is not None else []
        video_out.setCodecPreferences(
            [c for c in known if c.mimeType in (f"video/{codec}", "video/rtx")]
        )
        with listening(network or Network(loopback=True)):
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

    def _key_frame_asked(self) -> None:
        self.key_frames_asked += 1

    def _state_changed(self) -> None:
        state = self._pc.connectionState
        if state == "connected":
            self.connected.set()
        elif state in ("failed", "closed"):
            self.closed.set()
