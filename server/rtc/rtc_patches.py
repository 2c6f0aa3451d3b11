"""Every private part of aiortc and aioice that we touch, each with what it is for.

Nothing here decides anything about sessions. Written against aiortc 1.16 and aioice 0.13: with
another version `apply` refuses to start rather than patch what it does not know. Each has a test
in tests/server/rtc/test_rtc_patches.py, which says when it may go.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import random
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import aiortc.codecs
import aiortc.jitterbuffer
import aiortc.rtcdtlstransport
import aiortc.rtcrtpreceiver
import aiortc.rtcsctptransport
from aioice import ice
from aiortc.codecs.vpx import Vp8Encoder

KNOWN = {"aiortc": "1.16.", "aioice": "0.13."}

MAX_PIXELS = 1920 * 1088
"""Larger pictures are not decoded: a VP8 key frame of 40 bytes may claim 16383x16383 (400 MB)."""
MAX_WAITING = 60
"""Encoded frames that may wait for the decoder: two seconds; a decoder needs 1 ms for each."""
MAX_FRAGMENTS = 128
"""Pieces of unfinished messages that a peer may leave: the largest message has 60."""
MAX_STREAMS = 16
"""SCTP streams that a peer may use; one carries our channel."""
MAX_DATAGRAMS = 1024
"""Received datagrams that may wait for the event loop: a second of 10 Mbit/s."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Network:
    """Where a connection may listen."""

    addresses: tuple[str, ...] = ()
    """Addresses to bind; none: all of this machine but loopback."""
    ports: tuple[int, int] | None = None
    """First and last UDP port; None: what the system gives."""
    loopback: bool = False
    """With no `addresses`: 127.0.0.1 as well, for a peer on this machine."""


_ANYWHERE = Network()
_network: ContextVar[Network] = ContextVar("lookgate_rtc_network", default=_ANYWHERE)


@contextlib.contextmanager
def network(chosen: Network) -> Iterator[None]:
    """Candidates gathered inside, and by tasks started inside, keep to `chosen`."""
    token = _network.set(chosen)
    try:
        yield
    finally:
        _network.reset(token)


def check_versions() -> None:
    """Raise RuntimeError unless the installed stack is the one that these patches know."""
    for package, known in KNOWN.items():
        found = metadata.version(package)
        if not found.startswith(known):
            raise RuntimeError(f"{package} {known}x is needed, {found} is installed")


_applied = False


def apply() -> None:
    """Patch the stack, once a process. Raises RuntimeError for versions that are not known."""
    global _applied
    check_versions()
    if _applied:
        return
    _applied = True
    aiortc.jitterbuffer.JitterBuffer._remove_frame = _remove_frame  # type: ignore[method-assign]
    aiortc.rtcdtlstransport.RTCDtlsTransport._recv_next = _recv_next  # type: ignore[method-assign]
    aiortc.rtcsctptransport.RTCSctpTransport._receive_data_chunk = (  # type: ignore[method-assign]
        _receive_data_chunk
    )
    aiortc.rtcrtpreceiver.get_decoder = _get_decoder  # type: ignore[attr-defined]
    ice.get_host_addresses = _host_addresses
    ice.StunProtocol.datagram_received = _datagram_received  # type: ignore[method-assign]
    ice.asyncio = _IceAsyncio()  # type: ignore[attr-defined, assignment]
    for name in ("aiortc", "aioice"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in list(logging.root.manager.loggerDict):
        if name.startswith(("aiortc", "aioice")):
            logging.getLogger(name).addFilter(_mute)


def _mute(record: logging.LogRecord) -> bool:
    """The stack's warnings quote what peers sent: say only where they came from."""
    _log.debug("webrtc stack warned", extra={"source": record.name, "at_line": record.lineno})
    return False


# Latency: a frame is complete with its last packet (RTP marker, RFC 7741 section 4.1 and RFC 6184
# section 5.1). aiortc waits for the next frame's first packet: 30 to 70 ms more, measured.


def _remove_frame(
    self: aiortc.jitterbuffer.JitterBuffer, sequence_number: int
) -> aiortc.jitterbuffer.JitterFrame | None:
    packets: list[Any] = []
    first = None
    frames, remove = 0, 0
    origin = self._origin
    if origin is None:
        return None
    for count in range(self._capacity):
        packet = self._packets[(origin + count) % self._capacity]
        if packet is None:
            return None
        if packets and packet.timestamp != packets[0].timestamp:
            if first is None:
                first, remove = _join(packets), count
            frames += 1
            if frames >= self._prefetch:
                self.remove(remove)
                return first
            packets = []
        packets.append(packet)
        if self._is_video and packet.marker and first is None:
            self.remove(count + 1)
            return _join(packets)
    return None


def _join(packets: list[Any]) -> aiortc.jitterbuffer.JitterFrame:
    return aiortc.jitterbuffer.JitterFrame(
        data=b"".join(packet._data for packet in packets), timestamp=packets[0].timestamp
    )


# Robustness: what a peer sends may end its own connection, but as an end like others, not as a
# traceback of a background task that leaves the decoder's thread behind.

_recv_next_of_stack = aiortc.rtcdtlstransport.RTCDtlsTransport._recv_next


async def _recv_next(self: aiortc.rtcdtlstransport.RTCDtlsTransport) -> None:
    try:
        await _recv_next_of_stack(self)
    except ConnectionError:
        raise
    except Exception as fault:
        _log.info(
            "peer sent what the webrtc stack chokes on", extra={"fault": type(fault).__name__}
        )
        raise ConnectionError from None


_receive_data_chunk_of_stack = aiortc.rtcsctptransport.RTCSctpTransport._receive_data_chunk


async def _receive_data_chunk(self: aiortc.rtcsctptransport.RTCSctpTransport, chunk: Any) -> None:
    """aiortc keeps fragments without end and walks over all of them for each that comes."""
    streams = self._inbound_streams
    waiting = sum(len(stream.reassembly) for stream in streams.values())
    if (
        len(streams) > MAX_STREAMS
        or waiting > MAX_FRAGMENTS
        or len(self._sack_misordered) > MAX_FRAGMENTS
    ):
        _log.info("peer leaves too much unfinished")
        raise ConnectionError
    await _receive_data_chunk_of_stack(self, chunk)


_datagram_received_of_stack = ice.StunProtocol.datagram_received


def _datagram_received(self: ice.StunProtocol, data: bytes | str, addr: tuple[Any, ...]) -> None:
    """aioice queues anything from anyone; an empty datagram from a stranger ended a session."""
    if not data or not isinstance(data, bytes):
        return
    if data[0] > 3:  # RFC 7983 section 7: not STUN, so only from whom a check has validated
        known = self.receiver.remote_candidates
        if not any(c.host == addr[0] and c.port == addr[1] for c in known):
            return
        if self.receiver._queue.qsize() >= MAX_DATAGRAMS:
            return
    _datagram_received_of_stack(self, data, addr)


_get_decoder_of_stack = aiortc.codecs.get_decoder


def _get_decoder(codec: Any) -> Any:
    decoder = _get_decoder_of_stack(codec)
    context = getattr(decoder, "codec", None)
    if context is not None:
        context.options = {"max_pixels": str(MAX_PIXELS)}
        context.thread_count = 1
    return decoder


# Network: aioice has neither a bind address nor a port range (its issues 47 and 112).

_host_addresses_of_stack = ice.get_host_addresses


def _host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    chosen = _network.get()
    if chosen.addresses:
        return [a for a in chosen.addresses if (use_ipv6 if ":" in a else use_ipv4)]
    found = list(_host_addresses_of_stack(use_ipv4, use_ipv6))
    return ["127.0.0.1", *found] if chosen.loopback or not found else found


class _IceAsyncio:
    """The asyncio module as aioice.ice sees it: its loop opens sockets in the port range."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    def get_running_loop(self) -> Any:
        loop = asyncio.get_running_loop()
        return loop if _network.get().ports is None else _PortRangeLoop(loop)


class _PortRangeLoop:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    async def create_datagram_endpoint(
        self, factory: Any, local_addr: tuple[str, int], **more: Any
    ) -> Any:
        ports = _network.get().ports
        if ports is None or local_addr[1] != 0:
            return await self._loop.create_datagram_endpoint(factory, local_addr=local_addr, **more)
        # Not in order: a port that was just closed may still get its old peer's packets.
        for port in random.sample(range(ports[0], ports[1] + 1), ports[1] - ports[0] + 1):
            with contextlib.suppress(OSError):
                return await self._loop.create_datagram_endpoint(
                    factory, local_addr=(local_addr[0], port), **more
                )
        raise OSError("no free port in the range")


# Frames: the decoder's queues, which in aiortc grow without end.


class _DecodedQueue:
    """Stands in for a track's asyncio.Queue: hands each picture on at once."""

    def __init__(self, on_picture: Callable[[Any], None]) -> None:
        self._on_picture = on_picture

    async def put(self, picture: Any) -> None:
        self._on_picture(picture)


class _EncodedQueue(queue.Queue[Any]):
    """Between the event loop and the decoder's thread; bounded, and open to a recorder."""

    def __init__(
        self, on_encoded: Callable[[str, int, bytes], None] | None, fault: threading.Event
    ) -> None:
        super().__init__()
        self.discarded = 0
        self._on_encoded = on_encoded
        self._fault = fault
        self._wait_for_key = False

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if item is None:
            # The stack joins the thread on the event loop: it must not decode a backlog first.
            with contextlib.suppress(queue.Empty):
                while True:
                    self.get_nowait()
        else:
            codec, frame = item
            full = self.qsize() >= MAX_WAITING
            if full or (self._wait_for_key and not is_key(codec.name, frame.data)):
                # What follows a gap refers to what is missing: wait for a whole picture.
                self._wait_for_key = True
                self.discarded += 1
                self._fault.set()  # asks for a key frame (PLI, RFC 4585 section 6.3.1)
                return
            self._wait_for_key = False
            if self._on_encoded is not None:
                self._on_encoded(codec.name, frame.timestamp, frame.data)
        super().put(item, block, timeout)


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


class _CountedEvent(threading.Event):
    """The flag by which the decoder's thread asks for a key frame."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def set(self) -> None:
        self.count += 1
        super().set()


@dataclass(slots=True)
class Tap:
    """Where a video receiver's frames go, and what was lost on the way."""

    faults: _CountedEvent
    encoded: _EncodedQueue

    @property
    def decode_errors(self) -> int:
        """Frames that could not be decoded."""
        return self.faults.count - self.encoded.discarded

    @property
    def discarded(self) -> int:
        """Encoded frames that were thrown away because the decoder was too far behind."""
        return self.encoded.discarded


def tap(
    receiver: aiortc.rtcrtpreceiver.RTCRtpReceiver,
    on_picture: Callable[[Any], None],
    on_encoded: Callable[[str, int, bytes], None] | None = None,
) -> Tap:
    """Let a receiver that has not started hand over its pictures (av.VideoFrame, None at the end).

    Both callbacks run on the event loop. `on_encoded(codec, rtp_ticks, data)` sees each frame
    before it is decoded; ticks of 1/90000 s from 0.
    """
    faults = _CountedEvent()
    encoded = _EncodedQueue(on_encoded, faults)
    receiver._RTCRtpReceiver__decoder_error = faults  # type: ignore[attr-defined]
    receiver._RTCRtpReceiver__decoder_queue = encoded  # type: ignore[attr-defined]
    receiver.track._queue = _DecodedQueue(on_picture)  # type: ignore[attr-defined]
    return Tap(faults, encoded)


def unsent(sctp: Any) -> bool:
    """True while a message is not yet acknowledged by the peer's SCTP (RFC 9260 section 6.2)."""
    return bool(sctp._data_channel_queue or sctp._outbound_queue or sctp._sent_queue)


# The caller's side.


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
