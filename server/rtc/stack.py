"""The stack as it is patched: which versions are known, what is put in its place, and robustness.

The one list of what is patched is in `apply`. Written against aiortc 1.16 and aioice 0.13: with
another version `apply` refuses to start rather than patch what it does not know. Each patch has a
test that says when it may go, beside the module that holds it. Not here: frames on their way in
(receiving.py), their decoder (decoding.py), reports to senders (bandwidth.py), addresses and ports
(network.py). Source: docs/decisions/aiortc-private-parts.md.
"""

from __future__ import annotations

import logging
import time
from importlib import metadata
from typing import Any
from weakref import WeakKeyDictionary

import aiortc.jitterbuffer
import aiortc.rate
import aiortc.rtcdtlstransport
import aiortc.rtcrtpreceiver
import aiortc.rtcsctptransport
from aioice import ice, stun

from server.rtc import bandwidth, decoding, network, receiving
from server.rtc.inflow import Inflow

KNOWN = {"aiortc": "1.16.", "aioice": "0.13."}

MAX_FRAGMENTS = 128
"""Pieces of unfinished messages that a peer may leave: the largest message has 60."""
MAX_STREAMS = 16
"""SCTP streams that a peer may use; one carries our channel."""
MAX_DATAGRAMS = 1024
"""Received datagrams that may wait for the event loop: a second of 10 Mbit/s."""

_log = logging.getLogger(__name__)


def check_versions() -> None:
    """Raise RuntimeError unless the installed stack is the one that these patches know."""
    for package, known in KNOWN.items():
        found = metadata.version(package)
        if not found.startswith(known):
            raise RuntimeError(f"{package} {known}x is needed, {found} is installed")


_applied = False

decoder_worker_of_stack = aiortc.rtcrtpreceiver.decoder_worker
"""What decoding.decode takes the place of."""
rate_counter_of_stack = aiortc.rate.RateCounter
"""What bandwidth.RateCounter takes the place of."""


def apply() -> None:
    """Patch the stack, once a process. Raises RuntimeError for versions that are not known."""
    global _applied
    check_versions()
    if _applied:
        return
    _applied = True
    aiortc.jitterbuffer.JitterBuffer._remove_frame = (  # type: ignore[method-assign]
        receiving.remove_frame
    )
    aiortc.rtcdtlstransport.RTCDtlsTransport._recv_next = _recv_next  # type: ignore[method-assign]
    aiortc.rtcsctptransport.RTCSctpTransport._receive_data_chunk = (  # type: ignore[method-assign]
        _receive_data_chunk
    )
    aiortc.rtcrtpreceiver.decoder_worker = decoding.decode  # type: ignore[assignment]
    aiortc.rate.RemoteBitrateEstimator.add = bandwidth.add  # type: ignore[method-assign]
    aiortc.rate.RateCounter = bandwidth.RateCounter  # type: ignore[assignment,misc]
    ice.get_host_addresses = network.host_addresses
    ice.StunProtocol.datagram_received = _datagram_received  # type: ignore[method-assign]
    ice.asyncio = network.asyncio_of_ice()  # type: ignore[attr-defined]
    for name in ("aiortc", "aioice"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in list(logging.root.manager.loggerDict):
        if name.startswith(("aiortc", "aioice")):
            logging.getLogger(name).addFilter(_mute)


def _mute(record: logging.LogRecord) -> bool:
    """The stack's warnings quote what peers sent: say only where they came from."""
    _log.debug("webrtc stack warned", extra={"source": record.name, "at_line": record.lineno})
    return False


def unsent(sctp: Any) -> bool:
    """True while a message is not yet acknowledged by the peer's SCTP (RFC 9260 section 6.2)."""
    return bool(sctp._data_channel_queue or sctp._outbound_queue or sctp._sent_queue)


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


_inflows: WeakKeyDictionary[ice.Connection, Inflow] = WeakKeyDictionary()


def _inflow(connection: ice.Connection) -> Inflow:
    found = _inflows.get(connection)
    if found is None:
        found = _inflows[connection] = Inflow(time.monotonic())
    return found


def overflow(receiver: Any) -> int:
    """Datagrams of a receiver's peer that were dropped because it sent too much."""
    found = _inflows.get(receiver.transport.transport._connection)
    return 0 if found is None else found.dropped


_datagram_received_of_stack = ice.StunProtocol.datagram_received


def _datagram_received(self: ice.StunProtocol, data: bytes | str, addr: tuple[Any, ...]) -> None:
    """aioice queues anything from anyone, and raises on a STUN attribute that is too short."""
    if not data or not isinstance(data, bytes):
        return
    if data[0] > 3:  # RFC 7983 section 7: not STUN, so only from whom a check has validated
        known = self.receiver.remote_candidates
        if not any(c.host == addr[0] and c.port == addr[1] for c in known):
            return
        if self.receiver._queue.qsize() >= MAX_DATAGRAMS:
            return
        if not _inflow(self.receiver).takes(len(data), time.monotonic()):
            return
    try:
        if data[0] <= 3:
            stun.parse_message(data)  # what is no STUN would be queued as if it were media
        _datagram_received_of_stack(self, data, addr)
    except Exception as fault:
        # RFC 8489 section 6.3: what cannot be read is silently discarded.
        _log.debug("datagram not understood", extra={"fault": type(fault).__name__})
