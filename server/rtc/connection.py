"""One peer's WebRTC connection: offer in, answer out, pictures and messages. The door to aiortc.

No sessions, deadlines or meaning of messages (server/session/peer.py), no text of descriptions
(offer.py, answer.py). What is patched in the stack is listed in stack.py; the caller's side is in
server/tools/caller/rtc_caller.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)

from pipeline.refusal import Refusal
from server.frames.convert import Decoded
from server.rtc import answer, receiving, stack
from server.rtc.lines import BadOffer
from server.rtc.network import Network, listening
from server.rtc.offer import check_offer
from server.rtc.slot import LatestSlot
from server.settings.load import ConfigError, Settings

LABEL = "lookgate"
PROTOCOL = "lookgate.v1"

MAX_CHANNELS = 4
"""Data channels that a peer may try to open before the connection ends: it needs one."""
MAX_UNSENT_BYTES = 256 * 1024
"""Messages that may wait for a peer that does not acknowledge; a session says some 20 KiB."""
CLOSE_S = 2.0
"""What closing may take in all, flushing included."""

_log = logging.getLogger(__name__)


class NoAddress(Refusal):
    """No UDP socket could be opened: ports or addresses are used up or wrong. Not the peer's."""

    def __init__(self) -> None:
        super().__init__("rtc_no_address", "the server has no free address for the video stream")


@dataclass(frozen=True, slots=True)
class RtcSettings:
    """How connections are made."""

    bind: tuple[str, ...] = ()
    """Addresses to listen on; none: all of this machine but loopback."""
    advertised: str | None = None
    """The address that peers see of us, behind one-to-one NAT."""
    ports: tuple[int, int] | None = None
    """First and last UDP port; one port a session."""
    stun_url: str | None = None
    """Where to ask for our own outside address, if it is not known beforehand."""
    codecs: tuple[str, ...] = ("VP8", "H264")
    """What we take, best liked first."""
    start_kbps: int = 1500
    min_kbps: int = 1000


def prepare(settings: RtcSettings) -> None:
    """Make the stack ready, once a process; again does nothing.

    Raises RuntimeError if the installed stack is not the known one, ValueError for settings that
    cannot work.
    """
    if settings.ports is not None and not 0 < settings.ports[0] <= settings.ports[1] < 65536:
        raise ValueError("the port range is empty or out of range")
    if not settings.codecs or not set(settings.codecs) <= {"VP8", "H264"}:
        raise ValueError("codecs are VP8 and H264")
    configuration(settings)
    stack.apply()


def rtc_of(settings: Settings) -> RtcSettings:
    """How a server's connections are made; the stack is made ready for them.

    Raises ConfigError for settings that cannot work.
    """
    rtc = RtcSettings(
        bind=settings.rtc_addresses,
        advertised=settings.rtc_public_address,
        ports=settings.rtc_ports,
    )
    try:
        prepare(rtc)
    except ValueError as error:
        raise ConfigError([f"LOOKGATE_RTC_*: {error}"]) from None
    return rtc


def configuration(settings: RtcSettings) -> RTCConfiguration:
    """Never without a list of servers: None would mean a public STUN server of a third party.

    No TURN: relays are the page's (`ice_servers`). One of ours would let nothing through, as it
    wants to know the peer's address first (RFC 8656 section 9), which no offer tells us.
    """
    servers = [] if settings.stun_url is None else [RTCIceServer(urls=settings.stun_url)]
    # No bundle policy: with MAX_BUNDLE aiortc 1.16 stops the shared transport if data come first.
    return RTCConfiguration(iceServers=servers)


class Connection:
    """One peer. Made by `accept`, ended by `close`, by the peer, or by a lost network.

    Without a word from the peer the stack notices after 30 s (RFC 7675 consent): whoever owns
    this looks at the pictures and messages for a sooner end.
    """

    def __init__(
        self,
        on_message: Callable[[str | bytes], None],
        on_state: Callable[[str], None],
        on_too_large: Callable[[], None] | None,
        clock: Callable[[], float],
    ) -> None:
        self.answer_sdp = ""
        self.frames: LatestSlot[Decoded] = LatestSlot()
        """The newest picture of the first video track; closed when the track ends."""
        self.channel_open = asyncio.Event()
        self.closed = asyncio.Event()
        """Set when the connection has ended or failed, whoever ended it."""
        self.times_s: dict[str, float] = {}
        """The clock at: offer, answer, ice, dtls, channel, frame; as far as it came."""
        self._on_message = on_message
        self._on_state = on_state
        self._on_too_large = on_too_large
        self._clock = clock
        self._pc: Any = None
        self._channel: RTCDataChannel | None = None
        self._tap: receiving.Tap | None = None
        self._receiver: RTCRtpReceiver | None = None
        self._pictures = 0
        self._channels = 0
        self._closing: asyncio.Task[None] | None = None

    @classmethod
    async def accept(
        cls,
        offer_sdp: str,
        settings: RtcSettings,
        *,
        on_message: Callable[[str | bytes], None],
        on_state: Callable[[str], None],
        clock: Callable[[], float],
        on_encoded: Callable[[str, int, bytes], None] | None = None,
        on_too_large: Callable[[], None] | None = None,
    ) -> Connection:
        """Answer an offer; the connection then comes up by itself.

        `on_message` gets every message of the channel, `on_state` "connecting", "connected",
        "failed", "closed", `on_encoded(codec, rtp_ticks, data)` every frame that is going to be
        decoded; `on_too_large` is called once, if the video is given up for its size; all on the
        event loop. `clock`, monotonic seconds, stamps pictures. Raises BadOffer and NoAddress, and
        leaves nothing behind then.
        """
        connection = cls(on_message, on_state, on_too_large, clock)
        connection._mark("offer")
        offer = check_offer(offer_sdp)
        pc = connection._pc = RTCPeerConnection(configuration(settings))
        try:
            connection.answer_sdp = await connection._negotiate(pc, offer, settings, on_encoded)
        except BaseException as fault:
            connection._on_state = lambda state: None  # nobody knows of this connection
            await connection.close()
            if isinstance(fault, (BadOffer, NoAddress)) or not isinstance(fault, Exception):
                raise
            # The offer was rebuilt by us; still, no text that a peer can shape is worth a 500.
            _log.warning("offer refused by the stack", extra={"fault": type(fault).__name__})
            raise BadOffer("sdp_malformed", "the offer cannot be answered") from fault
        connection._mark("answer")
        return connection

    async def _negotiate(
        self,
        pc: RTCPeerConnection,
        offer: str,
        settings: RtcSettings,
        on_encoded: Callable[[str, int, bytes], None] | None,
    ) -> str:
        pc.on("connectionstatechange", self._connection_changed)
        pc.on("iceconnectionstatechange", self._ice_changed)
        pc.on("datachannel", self._channel_made)
        # Preferences count only if they are there before the offer (aiortc 1.16).
        video = pc.addTransceiver("video", direction="recvonly")
        capabilities = RTCRtpReceiver.getCapabilities("video")
        known = capabilities.codecs if capabilities is not None else []
        order = [f"video/{name}" for name in settings.codecs] + ["video/rtx"]
        video.setCodecPreferences([c for mime in order for c in known if c.mimeType == mime])
        await pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        self._receiver = video.receiver
        self._tap = receiving.tap(
            video.receiver, self._picture_came, self._too_large, self._clock, on_encoded
        )
        for other in pc.getTransceivers():
            if other is not video:
                other.direction = "inactive"
        with listening(Network(settings.bind, settings.ports)):
            await pc.setLocalDescription(await pc.createAnswer())
        text = pc.localDescription.sdp
        if not answer.candidates(text):
            raise NoAddress
        if settings.advertised is not None:
            text = answer.advertise(text, settings.advertised)
        return answer.tune_answer(text, settings.start_kbps, settings.min_kbps)

    def send(self, text: str) -> bool:
        """Send a message; False if the channel is not open or the peer does not listen."""
        channel = self._channel
        if channel is None or channel.readyState != "open":
            return False
        if channel.bufferedAmount > MAX_UNSENT_BYTES:
            return False
        try:
            channel.send(text)
        except Exception as fault:
            _log.info("message not sent", extra={"fault": type(fault).__name__})
            return False
        return True

    async def flush(self, timeout_s: float) -> bool:
        """Wait until the peer has acknowledged all messages; False if it has not in time."""
        sctp = self._pc.sctp if self._pc is not None else None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while sctp is not None and self._channel is not None and stack.unsent(sctp):
                    if self.closed.is_set():
                        return False
                    # The stack has no event for it: "bufferedamountlow" comes before the first
                    # sending.
                    await asyncio.sleep(0.005)
                return True
        return False

    async def close(self) -> None:
        """Flush, then end the connection; at most about `CLOSE_S`. May be called again."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if not self.closed.is_set():
            await self.flush(CLOSE_S / 2)
        if self._pc is not None:
            # Not cancelled when late: the stack would be left half closed.
            ending = asyncio.create_task(self._pc.close())
            _, late = await asyncio.wait([ending], timeout=CLOSE_S / 2)
            if late:
                _log.warning("webrtc connection closes late")
            with contextlib.suppress(asyncio.CancelledError):
                if not late and ending.exception() is not None:
                    _log.warning("webrtc connection closed with a fault")
        self._ended("closed")

    def stats(self) -> dict[str, int]:
        """Counters: frames decoded, dropped unseen, channels."""
        return {
            "frames": self._pictures,
            "dropped": self.frames.dropped,
            "channels": self._channels,
        }

    def overflow(self) -> int:
        """Datagrams that were dropped because the peer sent too much (inflow.py)."""
        return 0 if self._receiver is None else stack.overflow(self._receiver)

    def undecoded(self) -> dict[str, int]:
        """Encoded frames that brought no picture, by reason (receiving.Tap.undecoded)."""
        return self._tap.undecoded if self._tap else {}

    def _mark(self, stage: str) -> None:
        self.times_s.setdefault(stage, self._clock())

    def _picture_came(self, picture: Any) -> None:
        if picture is None:
            self.frames.close()
            return
        arrival_s = self._clock()
        media_s = float(picture.pts * picture.time_base)
        self.frames.put(Decoded(picture, self._pictures, arrival_s, media_s))
        self._pictures += 1
        self._mark("frame")

    def _channel_made(self, channel: RTCDataChannel) -> None:
        self._channels += 1
        if self._channels > MAX_CHANNELS:
            self._give_up()
            return
        reliable = channel.maxRetransmits is None and channel.maxPacketLifeTime is None
        right = channel.label == LABEL and channel.protocol == PROTOCOL and channel.ordered
        if not right or not reliable or self._channel is not None:
            channel.close()
            return
        self._channel = channel
        channel.on("message", self._message_came)
        self._mark("channel")
        self.channel_open.set()

    def _message_came(self, message: str | bytes) -> None:
        try:
            self._on_message(message)
        except Exception as fault:  # ours; inside the stack it would end the connection
            _log.error("message not handled", extra={"fault": type(fault).__name__})

    def _too_large(self) -> None:
        try:
            if self._on_too_large is not None:
                self._on_too_large()
        except Exception as fault:
            _log.error("end of video not handled", extra={"fault": type(fault).__name__})

    def _tell(self, state: str) -> None:
        try:
            self._on_state(state)
        except Exception as fault:
            _log.error("state not handled", extra={"fault": type(fault).__name__})

    def _ice_changed(self) -> None:
        if self._pc.iceConnectionState == "completed":
            self._mark("ice")

    def _connection_changed(self) -> None:
        state = self._pc.connectionState
        if state == "connected":
            self._mark("dtls")
        if state in ("failed", "closed"):
            self._ended(state)
        elif not self.closed.is_set():
            self._tell(state)

    def _ended(self, state: str) -> None:
        self.frames.close()
        if not self.closed.is_set():
            self.closed.set()
            self._tell(state)
            if state == "failed":
                self._give_up()

    def _give_up(self) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
