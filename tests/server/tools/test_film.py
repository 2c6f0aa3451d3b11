from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from server.frames.convert import to_bgr
from server.tools import clips, film
from server.tools.clips import MediaError

TIMES_S = (0.0, 0.1, 0.15, 0.4)


def pictures(size: tuple[int, int] = (64, 48)) -> Iterator[film.Timed]:
    for n, time_s in enumerate(TIMES_S):
        yield time_s, np.full((size[1], size[0], 3), (40 * n + 20, 100, 200 - 40 * n), np.uint8)


@pytest.mark.parametrize("ending", film.FORMATS)
def test_what_was_written_is_read_again(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"film{ending}"
    assert film.write(path, pictures(), fps=10) == len(TIMES_S)
    read = list(clips.read_clip(path))
    assert len(read) == len(TIMES_S)
    for (_, vf), (_, image) in zip(read, pictures(), strict=True):
        assert to_bgr(vf).mean((0, 1)) == pytest.approx(image.mean((0, 1)), abs=6)
    if ending == ".mp4":
        assert [time_s for time_s, _ in read] == pytest.approx(TIMES_S, abs=0.002)
    if ending == ".y4m":
        assert [time_s for time_s, _ in read] == pytest.approx([0, 0.1, 0.2, 0.3])
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_pictures_give_the_same_file(tmp_path: Path) -> None:
    for name in ("one.mjpeg", "other.mjpeg"):
        film.write(tmp_path / name, pictures(), fps=10)
    assert (tmp_path / "one.mjpeg").read_bytes() == (tmp_path / "other.mjpeg").read_bytes()


def test_chromium_is_told_the_rate_of_a_y4m(tmp_path: Path) -> None:
    film.write(tmp_path / "film.y4m", pictures(), fps=15)
    head = (tmp_path / "film.y4m").read_bytes().split(b"\n")[0].split()
    assert head[:4] == [b"YUV4MPEG2", b"W64", b"H48", b"F15:1"]


def test_no_such_format_and_no_picture_leave_no_file(tmp_path: Path) -> None:
    for name, shown, code in (
        ("film.gif", pictures(), "film_format"),
        ("film.mp4", iter(()), "film_empty"),
    ):
        with pytest.raises(MediaError) as refused:
            film.write(tmp_path / name, shown, fps=10)
        assert refused.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_a_film_that_breaks_off_leaves_the_old_one(tmp_path: Path) -> None:
    def broken() -> Iterator[film.Timed]:
        yield from pictures()
        raise RuntimeError("out of film")

    path = tmp_path / "film.mp4"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="out of film"):
        film.write(path, broken(), fps=10)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
