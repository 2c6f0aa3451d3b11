"""The video beside a tape: frames as they came, never encoded again. The door to PyAV of tapes.

Matroska as a box of packets: times are in tape.jsonl, as its own are rounded to 1 ms. Not here:
turning pictures into frames (server/frames/convert.py). Source: docs/tape.md; decoders as aiortc
makes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import av
import msgspec
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext

from pipeline.encoded import MAX_PIXELS, size, unfit
from pipeline.tape import CLOCK_HZ, TapeError

Picture = av.VideoFrame
"""A decoded picture, for those who must not know PyAV."""

BOXED = {"VP8": "vp8", "H264": "h264"}
DECODERS = {"VP8": "vp8", "H264": "h264"}
"""FFmpeg's own. Its VP8 gives the bits of libvpx (RFC 6386 leaves none open), for a fifth less CPU
and 1.7 MB less a stream of 640x480, and obeys LIMITS."""
TICK = Fraction(1, CLOCK_HZ)
DIGITS = 16
CLUSTER_MS = 100
"""Matroska holds back what is in an open cluster: so much is lost in a crash."""
LIMITS = {"max_pixels": str(MAX_PIXELS)}
"""A second reader of the same bytes: `unfit` is asked first, as live."""
UNDECODED = {"codec_whitelist": "none"}
"""Else FFmpeg decodes while it opens a file, to learn what the box does not say."""
MAX_TICKS = 2**53
"""Of a frame's time: 3,000 years, and what a float tells apart."""


class FrameLine(msgspec.Struct, frozen=True, tag_field="k", tag="frame", gc=False):
    """What a tape says of an encoded frame."""

    t: float
    """When it came, as on every line."""
    n: int
    """From 0."""
    codec: Literal["VP8", "H264"]
    ticks: Annotated[int, msgspec.Meta(ge=0, lt=MAX_TICKS)]
    """RTP time in 1/90000 s from 0."""
    size: int
    """Bytes."""
    key: bool
    """Whether it needs no other."""
    sha256: Annotated[str, msgspec.Meta(min_length=DIGITS, max_length=DIGITS)]
    """As `digest` gives it."""


def digest(data: bytes) -> str:
    """First 16 hex digits of SHA-256 of an encoded frame."""
    return hashlib.sha256(data).hexdigest()[:DIGITS]


def decoder(codec: str) -> VideoCodecContext:
    """As the server's own: one thread, the same limits."""
    context = CodecContext.create(DECODERS[codec], "r")
    assert isinstance(context, VideoCodecContext)
    context.options = LIMITS
    context.thread_count = 1
    return context


def packet(data: bytes, ticks: int, *, key: bool = False) -> av.Packet[Any]:
    """An encoded frame with its time."""
    made = av.Packet(data)
    made.pts = made.dts = ticks
    made.time_base = TICK
    if key:
        made.is_keyframe = True
    return made


class VideoWriter:
    """Packets into a file, in the order in which they came."""

    def __init__(self, path: Path, codec: str) -> None:
        if codec not in BOXED:
            raise ValueError("a codec that no tape has")
        self.digest = ""
        """Of the newest frame."""
        self._path, self._codec = path, codec
        self._container: av.container.OutputContainer | None = None
        self._last = -1

    def write(self, data: bytes, ticks: int, *, key: bool) -> None:
        """One encoded frame. Raises OSError."""
        self.digest = digest(data)
        if self._container is None:
            self._open(data)
        assert self._container is not None
        made = packet(data, ticks, key=key)
        # The box wants rising times; the true ones are in tape.jsonl.
        self._last = made.dts = made.pts = max(ticks, self._last + 90)
        made.stream = self._container.streams[0]
        self._container.mux(made)

    def close(self) -> None:
        """The whole file is written. Raises OSError."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def abandon(self) -> None:
        """Let go of it, as it is."""
        try:
            self.close()
        except OSError:
            self._container = None

    def _open(self, data: bytes) -> None:
        # The box wants to name a size; decoders do not ask it.
        width, height = size(self._codec, data) or (16, 16)
        self._container = av.open(
            str(self._path),
            "w",
            format="matroska",
            options={"cluster_time_limit": str(CLUSTER_MS), "flush_packets": "1"},
        )
        stream = self._container.add_mux_stream(
            BOXED[self._codec], rate=30, width=width, height=height
        )
        stream.time_base = TICK


def packets(stream: BinaryIO) -> Iterator[bytes]:
    """The encoded frames of a tape's video. Raises TapeError."""
    try:
        with av.open(stream, mode="r", format="matroska", options=UNDECODED) as container:
            for found in container.demux(container.streams.video[0]):
                if found.size:
                    yield bytes(found)
    except (av.FFmpegError, OSError, ValueError, IndexError) as fault:
        raise TapeError("tape_video", "the video cannot be read") from fault


def jpeg(picture: av.VideoFrame, width: int) -> bytes:
    """A picture as a small JPEG of that width."""
    height = max(2, round(picture.height * width / picture.width) & ~1)
    small = picture.reformat(width, height, "yuvj420p", threads=1)
    context = CodecContext.create("mjpeg", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuvj420p"
    context.time_base = Fraction(1, 25)
    context.options = {"q:v": "6"}
    small.pts, small.time_base, small.pict_type = 0, Fraction(1, 25), 0
    return b"".join(bytes(p) for p in [*context.encode(small), *context.encode(None)])


def pictures(
    frames: Iterable[FrameLine], stream: BinaryIO, *, torn: bool = False
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Decode a tape's video as the server did: ticks and picture, in the order of decoding.

    What cannot be decoded is left out, as live. `frames`, `torn` and errors as `received`.
    """
    context: VideoCodecContext | None = None
    for line, data in received(frames, stream, torn=torn):
        if unfit(line.codec, data):
            continue
        if context is None:
            context = decoder(line.codec)
        yield from _decoded(context, packet(data, line.ticks))
    if context is not None:
        yield from _decoded(context, None)


def received(
    frames: Iterable[FrameLine], stream: BinaryIO, *, torn: bool = False
) -> Iterator[tuple[FrameLine, bytes]]:
    """Each frame line with the encoded frame as the server received it.

    `frames` are the tape's frame lines, whose checksums each packet must fit. Raises TapeError
    tape_video; `torn`: the video may end early.
    """
    boxed = packets(stream)
    for line in frames:
        data = _next(boxed, torn=torn)
        if data is None:
            if torn:
                break
            raise TapeError("tape_video", f"the video ends before frame {line.n}")
        if line.codec == "H264":
            data = _with_start_codes(data)
        if len(data) != line.size or digest(data) != line.sha256:
            raise TapeError("tape_video", f"frame {line.n} of the video is not the recorded one")
        yield line, data


def _next(boxed: Iterator[bytes], *, torn: bool) -> bytes | None:
    try:
        return next(boxed, None)
    except TapeError:
        if torn:
            return None
        raise


def _with_start_codes(data: bytes) -> bytes:
    """Matroska puts the length of each NAL unit in place of its start code (ISO/IEC 14496-15); the
    stack that received them gives each the four bytes of H.264 annex B."""
    at, out = 0, bytearray()
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        out += b"\0\0\0\1" + data[at + 4 : at + 4 + size]
        at += 4 + size
    return bytes(out)


def _decoded(
    context: VideoCodecContext, data: av.Packet[Any] | None
) -> Iterator[tuple[int, av.VideoFrame]]:
    try:
        found = context.decode(data)
    except av.FFmpegError:
        return
    for picture in found:
        if picture.pts is not None:
            yield picture.pts, picture
