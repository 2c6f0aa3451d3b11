"""Files as cameras and phones write them: every orientation, pixels that are not square, pictures
that are several. Each is shown whole, or refused by a code."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from server.frames.convert import to_bgr
from server.tools.clips import MediaError, read_clip

WIDE, TALL = 64, 48
STILLS = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".tif": "TIFF"}
TURNS = {
    1: lambda image: image,
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, 1),
    7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
    8: lambda image: np.rot90(image, 3),
}
"""EXIF's number -> how a camera that is held so stores what it sees: shown by it, it is upright."""


def scene() -> NDArray[np.uint8]:
    """uint8 48x64x3 RGB: another colour in each corner."""
    image = np.full((TALL, WIDE, 3), 90, np.uint8)
    image[: TALL // 2, : WIDE // 2] = (230, 20, 20)
    image[: TALL // 2, WIDE // 2 :] = (20, 220, 20)
    image[TALL // 2 :, : WIDE // 2] = (20, 20, 230)
    return image


def same(found: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> bool:
    """BGR as read, RGB as painted, but for what a coder loses."""
    if found.shape != wanted.shape:
        return False
    return float(np.abs(found[:, :, ::-1].astype(int) - wanted).mean()) < 8


def first(path: Path) -> NDArray[np.uint8]:
    return to_bgr(next(read_clip(path))[1])


def code(path: Path) -> str:
    with pytest.raises(MediaError) as caught:
        list(read_clip(path))
    assert caught.value.text
    return caught.value.code


@pytest.mark.parametrize("ending", STILLS)
@pytest.mark.parametrize("way", TURNS)
def test_a_still_is_upright_whichever_way_the_camera_was_held(
    tmp_path: Path, ending: str, way: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = way
    path = tmp_path / f"still{ending}"
    stored = np.ascontiguousarray(TURNS[way](scene()))
    Image.fromarray(stored).save(path, STILLS[ending], exif=exif)
    assert same(first(path), scene())


@pytest.mark.parametrize("way", TURNS)
@pytest.mark.parametrize("ending", [".mp4", ".mov"])
def test_a_film_is_upright_whatever_its_matrix_says(tmp_path: Path, ending: str, way: int) -> None:
    """ISO/IEC 14496-12 section 8.3.2: the track header's matrix, 16.16 fixed point."""
    path = tmp_path / f"film{ending}"
    film(path, np.ascontiguousarray(TURNS[way](scene())))
    a, b, c, d = {
        1: (1, 0, 0, 1), 2: (-1, 0, 0, 1), 3: (-1, 0, 0, -1), 4: (1, 0, 0, -1),
        5: (0, 1, 1, 0), 6: (0, 1, -1, 0), 7: (0, -1, -1, 0), 8: (0, -1, 1, 0),
    }[way]  # fmt: skip
    show_by(path, a, b, c, d)
    assert same(first(path), scene())


def film(path: Path, image: NDArray[np.uint8], aspect: Fraction | None = None) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt, stream.options = "yuv444p", {"crf": "5"}
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


def show_by(path: Path, a: float, b: float, c: float, d: float) -> None:
    """Write another matrix into the film's track."""

    def numbers(*values: float) -> bytes:
        return b"".join(round(v * 65536).to_bytes(4, "big", signed=True) for v in values)

    data = bytearray(path.read_bytes())
    plain = numbers(1, 0, 0, 0, 1, 0, 0, 0)
    at = data.index(plain, data.index(b"tkhd"))
    data[at : at + len(plain)] = numbers(a, b, 0, c, d, 0, 0, 0)
    path.write_bytes(data)


def test_a_film_that_is_tilted_is_refused_and_not_shown_askew(tmp_path: Path) -> None:
    film(tmp_path / "film.mp4", scene())
    show_by(tmp_path / "film.mp4", 0.94, 0.34, -0.34, 0.94)
    assert code(tmp_path / "film.mp4") == "media_tilted"


@pytest.mark.parametrize("aspect", [Fraction(2), Fraction(1, 2), Fraction(4, 3)])
@pytest.mark.parametrize(("ending", "turned"), [(".mp4", False), (".mp4", True), (".mkv", False)])
def test_pixels_that_are_not_square_are_stretched_and_none_is_lost(
    tmp_path: Path, aspect: Fraction, ending: str, turned: bool
) -> None:
    path = tmp_path / f"film{ending}"
    film(path, scene(), aspect)
    if turned:
        show_by(path, 0, 1, -1, 0)
    size = (round(TALL * max(1 / aspect, 1)), round(WIDE * max(aspect, 1)))
    assert first(path).shape[:2] == (size[::-1] if turned else size)


@pytest.mark.parametrize("aspect", [Fraction(9), Fraction(1, 9)])
def test_pixels_of_a_shape_that_no_camera_has_are_refused(tmp_path: Path, aspect: Fraction) -> None:
    film(tmp_path / "film.mkv", scene(), aspect)
    assert code(tmp_path / "film.mkv") == "media_pixel_shape"


@pytest.mark.parametrize("ending", [".jpg", ".png", ".tif"])
def test_a_still_whose_resolutions_differ_is_refused(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"still{ending}"
    Image.fromarray(scene()).save(path, dpi=(200, 100))
    assert code(path) == "media_pixel_shape"
    Image.fromarray(scene()).save(path, dpi=(200, 200))
    assert same(first(path), scene())


def several(path: Path, kind: str, **more: object) -> None:
    others = [Image.fromarray(np.roll(scene(), 7 * n, 1)) for n in (1, 2)]
    Image.fromarray(scene()).save(path, kind, save_all=True, append_images=others, **more)


def test_an_animated_webp_has_a_code_of_its_own(tmp_path: Path) -> None:
    several(tmp_path / "film.webp", "WEBP", duration=100)
    assert code(tmp_path / "film.webp") == "media_animated_webp"


def test_an_animation_that_can_be_read_is_a_film(tmp_path: Path) -> None:
    for kind in ("GIF", "PNG"):
        path = tmp_path / f"film.{kind.lower()}"
        several(path, kind, duration=100)
        assert len(list(read_clip(path))) == 3


def test_an_animation_beside_its_first_picture_is_refused(tmp_path: Path) -> None:
    several(tmp_path / "film.avif", "AVIF", duration=100)
    assert code(tmp_path / "film.avif") == "media_parts"


def test_a_file_of_two_videos_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=25) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = WIDE, TALL, "yuv420p"
        for stream in streams:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(scene(), format="rgb24")))
            container.mux(stream.encode(None))
    assert code(path) == "media_parts"


def test_pages_after_the_first_are_not_left_out_without_a_word(tmp_path: Path) -> None:
    several(tmp_path / "pages.tif", "TIFF")
    assert code(tmp_path / "pages.tif") == "media_pages"
    one = tmp_path / "one.tif"
    Image.fromarray(scene()).save(one)
    assert same(first(one), scene())
    # A second page that is a thumbnail, and one that leads back to itself, are no pages.
    for kind, pages in ((1, 1), (0, 2)):
        thumbnail = io.BytesIO(one.read_bytes() + b"\0" * (len(one.read_bytes()) % 2))
        whole = bytearray(thumbnail.getvalue())
        at = int.from_bytes(whole[4:8], "little")
        end = at + 2 + 12 * int.from_bytes(whole[at : at + 2], "little")
        page = (1).to_bytes(2, "little") + b"\xfe\0\4\0\1\0\0\0" + kind.to_bytes(4, "little")
        whole[end : end + 4] = len(whole).to_bytes(4, "little")
        whole += page + len(whole).to_bytes(4, "little")
        (tmp_path / "two.tif").write_bytes(whole)
        if pages == 1:
            assert same(first(tmp_path / "two.tif"), scene())
        else:
            assert code(tmp_path / "two.tif") == "media_pages"


@pytest.mark.parametrize("more", [{}, {"progressive": True}])
def test_a_jpeg_that_is_cut_off_is_damaged_and_not_half_grey(
    tmp_path: Path, more: dict[str, bool]
) -> None:
    path = tmp_path / "still.jpg"
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    Image.fromarray(noise).save(path, quality=90, **more)
    assert first(path).shape == (480, 640, 3)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert code(path) == "media_broken"


def test_a_cover_is_no_second_video(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    film(tmp_path / "bare.mp4", scene())
    cover = io.BytesIO()
    Image.fromarray(scene()[:16, :16]).save(cover, "PNG")
    with av.open(str(tmp_path / "bare.mp4")) as bare, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(bare.streams.video[0])
        beside = container.add_mux_stream("png", width=16, height=16)
        beside.disposition = av.stream.Disposition.attached_pic
        for packet in bare.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
        picture = av.Packet(cover.getvalue())
        picture.pts = picture.dts = 0
        picture.stream = beside
        container.mux(picture)
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 2
    assert first(path).shape == (TALL, WIDE, 3)
