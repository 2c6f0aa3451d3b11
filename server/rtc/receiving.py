"""From a receiver's packets to pictures: whole frames at once, queues that end.

Not here: the list of what is patched (stack.py), which frames are decoded (intake.py), the thread
that does it (decoding.py), the newest picture (slot.py). Source: aiortc 1.16, its modules
jitterbuffer and rtcrtpreceiver.
"""

from __future__ import annotations

import contextlib
import math
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiortc.jitterbuffer
import aiortc.rtcrtpreceiver

from server.rtc.intake import Intake, Skipped

GIVEN_UP_TICKS = 90_000
"""RTP ticks of 1/90000 s by which the newest packet is ahead of what still waits: whoever was asked
for a lost packet (NACK, RFC 4585 section 6.2.1) has sent it again within a second or never will."""
ASK_S = 1.0
"""Between two requests for a key frame after a gap: one takes a slow line that long."""


def remove_frame(
    self: aiortc.jitterbuffer.JitterBuffer, sequence_number: int
) -> aiortc.jitterbuffer.JitterFrame | None:
    """A frame is complete with its last packet (RTP marker, RFC 7741 section 4.1 and RFC 6184
    section 5.1). aiortc waits for the next frame's first packet: 30 to 70 ms more, measured."""
    packets: list[Any] = []
    first = None
    frames, remove = 0, 0
    origin = self._origin
    if origin is None:
        return None
    for count in range(self._capacity):
        packet = self._packets[(origin + count) % self._capacity]
        if packet is None:
            # Mostly it is the end of what came: only what lies behind a gap makes one.
            behind = (sequence_number - origin) % 65536 > count
            return _past_the_gap(self, sequence_number) if behind else None
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


def _past_the_gap(buffer: Any, sequence_number: int) -> aiortc.jitterbuffer.JitterFrame | None:
    """The next whole frame, once what is missing will not come any more.

    aiortc waits until its 512 packets are full: on a line of 100 kbit/s that is the whole login.
    """
    if not buffer._is_video:
        return None
    newest = buffer._packets[sequence_number % buffer._capacity]
    oldest = next(p for p in (_at(buffer, n) for n in range(buffer._capacity)) if p is not None)
    if not GIVEN_UP_TICKS <= (newest.timestamp - oldest.timestamp) % 2**32 < 2**31:
        return None
    waiting = [_at(buffer, n) for n in range(buffer._capacity)]
    known = [n for n, packet in enumerate(waiting) if packet is not None]
    gap = next(n for n, packet in enumerate(waiting) if packet is None)
    # What comes right after a gap may be the rest of a frame whose beginning is lost.
    buffer.smart_remove(next(n for n in known if n > gap) + 1)
    getattr(buffer, "on_gap", _nothing)()
    return remove_frame(buffer, sequence_number)


def _at(buffer: Any, n: int) -> Any:
    return buffer._packets[(buffer._origin + n) % buffer._capacity]


def _nothing() -> None:
    """A buffer that nobody tapped."""


def _join(packets: list[Any]) -> aiortc.jitterbuffer.JitterFrame:
    return aiortc.jitterbuffer.JitterFrame(
        data=b"".join(packet._data for packet in packets), timestamp=packets[0].timestamp
    )


# The decoder's queues, which in aiortc grow without end.


class _DecodedQueue:
    """Stands in for a track's asyncio.Queue: hands each picture on at once. On the event loop."""

    def __init__(self, on_picture: Callable[[Any], None]) -> None:
        self._on_picture = on_picture

    def put_nowait(self, picture: Any) -> None:
        self._on_picture(picture)


class _EncodedQueue(queue.SimpleQueue[Any]):
    """Between the event loop and the decoder's thread; bounded, and open to a recorder.

    A SimpleQueue, because a Queue's condition costs 4 % of the event loop.
    """

    def __init__(
        self,
        on_encoded: Callable[[str, int, bytes], None] | None,
        on_too_large: Callable[[], None],
        faults: _Faults,
        clock: Callable[[], float],
    ) -> None:
        super().__init__()
        self.intake = Intake(clock())
        self._on_encoded = on_encoded
        self._on_too_large = on_too_large
        self._faults = faults
        self._clock = clock
        self._asked_s = -math.inf

    def gap(self) -> None:
        """A frame was given up that was never whole: what comes next refers to it."""
        self.intake.gap()
        self._ask()

    def _ask(self) -> None:
        now_s = self._clock()
        if now_s - self._asked_s >= ASK_S:
            self._asked_s = now_s
            self._faults.ask()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if item is None:
            # The stack joins the thread on the event loop: it must not decode a backlog first.
            with contextlib.suppress(queue.Empty):
                while True:
                    self.get_nowait()
        elif not self._takes(*item):
            return
        super().put(item, block, timeout)

    def _takes(self, codec: Any, frame: aiortc.jitterbuffer.JitterFrame) -> bool:
        intake = self.intake
        if intake.given_up:
            return False
        why = intake.skip(codec.name, frame.data, self.qsize(), self._clock())
        if why is None:
            if self._on_encoded is not None:
                self._on_encoded(codec.name, frame.timestamp, frame.data)
            return True
        if why is Skipped.GAP:
            self._ask()
        if intake.given_up:
            self._on_too_large()
        return False


class _Faults(threading.Event):
    """The flag by which a key frame is asked for (PLI, RFC 4585 section 6.3.1)."""

    def __init__(self) -> None:
        super().__init__()
        self.undecodable = 0
        """Frames that the decoder could not decode."""

    def set(self) -> None:
        """The decoder's thread could not decode a frame."""
        self.undecodable += 1
        self.ask()

    def ask(self) -> None:
        """A key frame is needed."""
        super().set()


@dataclass(slots=True)
class Tap:
    """Where a video receiver's frames go, and what was lost on the way."""

    faults: _Faults
    encoded: _EncodedQueue

    @property
    def undecoded(self) -> dict[str, int]:
        """Encoded frames that brought no picture, by reason: those of Skipped, and `failed`."""
        skipped = {why.value: self.encoded.intake.skipped[why] for why in Skipped}
        return {**skipped, "failed": self.faults.undecodable}


def tap(
    receiver: aiortc.rtcrtpreceiver.RTCRtpReceiver,
    on_picture: Callable[[Any], None],
    on_too_large: Callable[[], None],
    clock: Callable[[], float],
    on_encoded: Callable[[str, int, bytes], None] | None = None,
) -> Tap:
    """Let a receiver that has not started hand over its pictures (av.VideoFrame, None at the end).

    The callbacks run on the event loop. `on_encoded(codec, rtp_ticks, data)` sees each frame that
    is going to be decoded; ticks of 1/90000 s from 0. `on_too_large` is called once, when too many
    frames were too large: nothing of the stream is decoded any more.
    """
    faults = _Faults()
    encoded = _EncodedQueue(on_encoded, on_too_large, faults, clock)
    receiver._RTCRtpReceiver__decoder_error = faults  # type: ignore[attr-defined]
    receiver._RTCRtpReceiver__decoder_queue = encoded  # type: ignore[attr-defined]
    receiver._RTCRtpReceiver__jitter_buffer.on_gap = encoded.gap  # type: ignore[attr-defined]
    receiver.track._queue = _DecodedQueue(on_picture)  # type: ignore[attr-defined]
    return Tap(faults, encoded)
