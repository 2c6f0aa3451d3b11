"""The size that a file's pictures claim: read alike from what encoders and attackers write."""

from __future__ import annotations

import socket
import struct
import tempfile
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.tools import h265, picture_size
from server.tools.clips import MediaError, read_clip
from server.tools.picture_size import Size, of_box, of_packet, of_still, too_large
from tests.pipeline.streams import BOMB, START, Bits, escape, h264, sps, vp8
from tests.server.pictures import film

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 20_000, 10_000) + b"\x08\2\0\0\0"
JPEG = (
    b"\xff\xd8\xff\xe0\0\4ab\xff\xff\xc4\0\3x\xff\xc2\0\x11\x08"
    + struct.pack(">HH", 10_000, 20_000)
    + b"\3" * 12
)


def webp(kind: bytes, data: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 100) + b"WEBP" + kind + struct.pack("<I", 80) + data


LOSSLESS = webp(b"VP8L", b"\x2f" + struct.pack("<I", 15_999 | 9_999 << 14) + bytes(20))
EXTENDED = webp(b"VP8X", bytes(4) + (19_999).to_bytes(3, "little") + (9_999).to_bytes(3, "little"))


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (PNG, (20_000, 10_000)),
        (JPEG, (20_000, 10_000)),
        (LOSSLESS, (16_000, 10_000)),
        (EXTENDED, (20_000, 10_000)),
        (webp(b"VP8 ", vp8(16_000, 9_000)), (16_000, 9_000)),
        (PNG[:20], None),
        (JPEG[:20], None),
        (b"\xff\xd8" + bytes(40), None),
        (b"", None),
    ],
)
def test_a_stills_size_stands_in_its_head(data: bytes, size: Size | None, tmp_path: Path) -> None:
    path = tmp_path / "still"
    path.write_bytes(data)
    assert of_still(path) == size


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.png", PNG), ("a.jpg", JPEG), ("a.webp", EXTENDED), ("b.webp", LOSSLESS)],
)
def test_a_still_that_is_too_large_is_refused_by_name(
    name: str, data: bytes, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data + bytes(2000))
    with pytest.raises(MediaError) as caught:
        next(read_clip(tmp_path / name))
    assert caught.value.code == "media_too_large"


@given(st.sampled_from([PNG[:8], JPEG[:2], LOSSLESS[:16], EXTENDED[:16]]), st.binary(max_size=60))
def test_any_bytes_have_a_size_or_none(head: bytes, rest: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(head + rest)
        file.flush()
        size = of_still(Path(file.name))
    assert size is None or min(size) >= 0


def test_the_limit_is_that_of_large_photographs() -> None:
    assert not too_large((8192, 8192))
    assert not too_large((9248, 6936)), "a telephone's 64 megapixels"
    assert too_large((16383, 16383))
    assert picture_size.MAX_PIXELS * 1.5 < 101_000_000, "bytes of one decoded picture"


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts"])
def test_what_encoders_write_is_read(codec: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"film.{kind}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=15)
        stream.width, stream.height, stream.pix_fmt = 330, 250, "yuv420p"
        if codec == "libx265":
            stream.options = {"x265-params": "log-level=none"}
        for _, picture in film(count=3, width=330, height=250):
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        box = context.extradata or b""
        found = [*of_box(context.name, box)]
        for packet in container.demux(video=0):
            found += of_packet(context.name, box, bytes(packet))
    coded = {(336, 256)} if codec == "libx264" else {(336, 256), (336, 250), (330, 250)}
    assert found
    assert None not in found
    assert {size for size in found if size} <= coded
    assert [(p.width, p.height) for _, p in read_clip(path)] == [(330, 250)] * 3


def test_sets_are_found_with_start_codes_and_with_lengths() -> None:
    big = b"\x67" + sps((1000, 1000), crop=(0, 7990, 0, 7990))
    assert list(of_packet("h264", b"", h264(big[1:]))) == [(16000, 16000)]
    avcc = b"\1\x42\0\x28\xff\xe1" + struct.pack(">H", len(big)) + big + b"\0"
    assert list(of_box("h264", avcc)) == [(16000, 16000)]
    slices = struct.pack(">I", 0x167) + b"\x41" + bytes(0x166)
    assert list(of_packet("h264", avcc, slices)) == [], "a length is no start code"
    assert list(of_packet("h264", avcc, slices + struct.pack(">I", len(big)) + big)) == [
        (16000, 16000)
    ]
    assert list(of_packet("h264", b"", START + b"\x67")) == [None]
    assert list(of_packet("vp8", b"", BOMB)) == [(16383, 16383)]
    assert list(of_packet("mjpeg", b"", h264(big[1:]))) == []


def hevc_set(width: int, height: int, layers: int) -> bytes:
    bits = Bits().u(4, 0).u(3, layers).u(1, 1).u(96, 1 << 90)
    for _ in range(layers):
        bits.u(2, 3)
    if layers:
        bits.u(2 * (8 - layers), 0)
    for _ in range(layers):
        bits.u(96, 5)
    return escape(bits.ue(0, 1, width, height).u(1, 1).ue(0, 100, 0, 100).done())


@given(st.integers(1, 1 << 16), st.integers(1, 1 << 16), st.integers(0, 6))
def test_h265_tells_its_size_whatever_it_crops(width: int, height: int, layers: int) -> None:
    assert h265.size(hevc_set(width, height, layers)) == (width, height)


@given(st.binary(max_size=120))
def test_any_bytes_are_an_h265_set_or_not(data: bytes) -> None:
    size = h265.size(data)
    assert size is None or min(size) > 0


def test_h265_sets_of_further_layers_are_not_looked_at() -> None:
    told = hevc_set(16000, 16000, 0)
    assert list(of_packet("hevc", b"", START + b"\x42\x01" + told)) == [(16000, 16000)]
    assert list(of_packet("hevc", b"", START + b"\x42\x09" + told)) == []
    assert list(of_packet("hevc", b"", START + b"\x42\x01")) == [None]


def test_a_playlist_reaches_nobody(tmp_path: Path) -> None:
    """FFmpeg would fetch what it names while it opens it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        path = tmp_path / "film.m3u8"
        path.write_text(
            "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n"
            f"http://127.0.0.1:{port}/x.ts\n#EXT-X-ENDLIST\n"
        )
        with pytest.raises(MediaError) as caught:
            next(read_clip(path))
        assert caught.value.code == "media_unreadable"
        with pytest.raises(TimeoutError):
            listener.accept()


def test_a_head_that_claims_too_much_is_refused(tmp_path: Path) -> None:
    """Of a codec that FFmpeg decodes as large as it says."""
    path = tmp_path / "film.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=15)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "bgr24")
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    at = data.index(b"strf") + 12
    data[at : at + 8] = struct.pack("<II", 20_000, 20_000)
    path.write_bytes(data)
    with pytest.raises(MediaError) as caught:
        next(read_clip(path))
    assert caught.value.code == "media_too_large"
