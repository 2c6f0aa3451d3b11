"""Clips: pace, rotation, sizes for an encoder, and files that are none."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from server.frames.convert import to_bgr
from server.tools.clips import MediaError, read_clip, resize
from tests.server.pictures import number, paint


def film_file(
    path: Path, fps: int = 30, count: int = 20, size: tuple[int, int] = (320, 240), **more: str
) -> Path:
    """Numbered pictures in a file whose format follows from the name."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264" if path.suffix == ".mp4" else "libvpx", rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 2_000_000
        for n in range(count):
            picture = av.VideoFrame.from_ndarray(paint(n, *size), format="bgr24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def still_file(path: Path, image: NDArray[np.uint8]) -> Path:
    codec, pix_fmt = ("png", "rgb24") if path.suffix == ".png" else ("mjpeg", "yuvj420p")
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.height, context.width = image.shape[:2]
    context.pix_fmt, context.time_base = pix_fmt, Fraction(1, 25)
    picture = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format=pix_fmt)
    path.write_bytes(b"".join(bytes(p) for p in [*context.encode(picture), *context.encode(None)]))
    return path


def test_a_picture_for_an_encoder_has_even_sides_and_the_right_format() -> None:
    picture = av.VideoFrame.from_ndarray(paint(3, 1920, 1080), format="bgr24")
    small = resize(picture, 641)
    assert (small.width, small.height, small.format.name) == (640, 360, "yuv420p")


def test_a_film_is_read_with_its_own_times(tmp_path: Path) -> None:
    clip = list(read_clip(film_file(tmp_path / "film.mp4", fps=30, count=20)))
    assert [number(to_bgr(picture)) for _, picture in clip] == list(range(20))
    assert [time_s for time_s, _ in clip] == pytest.approx([n / 30 for n in range(20)], abs=0.002)


@pytest.mark.parametrize(
    ("fps", "expected"),
    [(15, range(0, 20, 2)), (10, range(0, 20, 3)), (30, range(20)), (60, range(20))],
)
def test_a_film_is_thinned_out_and_never_padded(
    tmp_path: Path, fps: float, expected: range
) -> None:
    clip = read_clip(film_file(tmp_path / "film.webm", fps=30, count=20), fps=fps)
    assert [number(to_bgr(picture)) for _, picture in clip] == list(expected)


def test_a_film_is_cut_short(tmp_path: Path) -> None:
    clip = list(read_clip(film_file(tmp_path / "film.mp4", fps=30, count=20), max_s=0.3))
    assert len(clip) == 10


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_film_is_upright(tmp_path: Path, degrees: int) -> None:
    """As phones record: the pictures lie on their side, and the file says how to turn them."""
    flat = film_file(tmp_path / "flat.mp4", count=3)
    turned = tmp_path / "turned.mp4"
    with av.open(str(flat)) as source, av.open(str(turned), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    data = bytearray(turned.read_bytes())
    # ISO/IEC 14496-12 section 8.3.2: the track header's matrix, 16.16 fixed point.
    a, b, c, d = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    plain = b"".join(
        value.to_bytes(4, "big", signed=True) for value in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0)
    )
    matrix = b"".join(
        value.to_bytes(4, "big", signed=True)
        for value in (a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0)
    )
    at = data.index(plain, data.index(b"tkhd"))
    data[at : at + len(plain)] = matrix
    turned.write_bytes(data)
    image = to_bgr(next(read_clip(turned))[1])
    shape = (240, 320, 3) if degrees == 180 else (320, 240, 3)
    assert image.shape == shape
    # The matrix turns clockwise; turned back, the picture is the one that was painted.
    back = np.rot90(image, degrees // 90)
    assert np.abs(back.astype(int) - paint(0)).mean() < 6


@pytest.mark.parametrize("name", ["still.png", "still.jpg"])
def test_a_still_is_a_film_of_one_picture(tmp_path: Path, name: str) -> None:
    clip = list(read_clip(still_file(tmp_path / name, paint(45))))
    assert [time_s for time_s, _ in clip] == [0]
    assert number(to_bgr(clip[0][1])) == 45


def test_files_that_cannot_be_played_have_codes(tmp_path: Path) -> None:
    (tmp_path / "words.mp4").write_bytes(b"hello world, this is no film" * 50)
    (tmp_path / "empty.mp4").write_bytes(b"")
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
    for name, code in [
        ("nothing.mp4", "media_missing"),
        (".", "media_missing"),
        ("words.mp4", "media_unreadable"),
        ("empty.mp4", "media_unreadable"),
        ("sound.wav", "media_no_video"),
    ]:
        with pytest.raises(MediaError) as caught:
            next(read_clip(tmp_path / name))
        assert (caught.value.code, bool(caught.value.text)) == (code, True)


def test_a_name_that_is_an_address_is_a_missing_file() -> None:
    with pytest.raises(MediaError) as caught:
        next(read_clip("http://127.0.0.1:9/film.mp4"))
    assert caught.value.code == "media_missing"


def test_a_damaged_film_ends_with_what_could_be_read_or_a_code(tmp_path: Path) -> None:
    path = film_file(tmp_path / "film.webm", count=20)
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 2, len(data), 7):
        data[at] ^= 0xFF
    path.write_bytes(data)
    read = 0
    code = None
    try:
        for _ in read_clip(path):
            read += 1
    except MediaError as fault:
        code = fault.code
    assert 0 < read < 20
    assert code in (None, "media_broken")
