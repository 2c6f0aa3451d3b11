"""What is shown of a film: from when on, and how near."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.frame import Frame
from pipeline.observation import Ask, Observation
from server.frames.convert import to_bgr
from server.tools.evaluation import closeup
from server.tools.evaluation.closeup import mean, square
from server.tools.film import write
from tests.pipeline.observations import Camera, face
from tests.server.pictures import number, paint

BOX = (0.5, 0.25, 0.125, 0.25)
"""Shares of the picture."""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    write(path, ((n / 15, paint(n)) for n in range(45)), 15.0)
    return path


def _nobody(frame: Frame, ask: Ask) -> Observation:
    return Camera(person=None).shot(ask)


def _somebody(frame: Frame, ask: Ask) -> Observation:
    assert ask == Ask(detect=True)
    high, wide = frame.image.shape[:2]
    x, y, width, height = (a * b for a, b in zip(BOX, (wide, high) * 2, strict=True))
    return replace(Camera().shot(ask), face=face(box_px=(x, y, width, height)))


def test_a_film_that_begins_later_begins_at_nought(film: Path) -> None:
    found = list(closeup.film(film, _nobody, begin_s=1.0))
    assert [number(to_bgr(picture)) for _, picture in found] == list(range(15, 45))
    assert found[0][0] == 0.0
    assert found[-1][0] == pytest.approx(29 / 15, abs=0.002)
    assert list(closeup.film(film, _nobody, begin_s=9.0)) == []


def test_the_codec_begins_where_the_film_does(film: Path, tmp_path: Path) -> None:
    """Else a cut would be coded better than a film that begins there."""
    cut = tmp_path / "cut.mp4"
    write(cut, ((n / 15, paint(n + 15)) for n in range(30)), 15.0)
    later = [p for _, p in closeup.film(film, _nobody, begin_s=1.0)]
    whole = [p for _, p in closeup.film(film, _nobody)][15:]
    assert not all(np.array_equal(to_bgr(a), to_bgr(b)) for a, b in zip(later, whole, strict=True))


def test_near_is_a_square_of_two_faces_in_full_size(film: Path) -> None:
    found = [picture for _, picture in closeup.film(film, _somebody, framing="z")]
    assert len(found) == 45
    assert {(picture.width, picture.height) for picture in found} == {(640, 640)}


def test_near_shows_what_is_round_the_face(tmp_path: Path) -> None:
    """A red picture with a green square of two faces round the face: no red is left."""

    def pictures() -> Iterator[tuple[float, np.ndarray]]:
        for n in range(20):
            image = np.full((240, 320, 3), (0, 0, 200), np.uint8)
            image[30:150, 120:240] = (0, 200, 0)
            yield n / 15, image

    path = tmp_path / "film.mp4"
    write(path, pictures(), 15.0)
    (_, near), *_ = closeup.film(path, _somebody, framing="z")
    (_, far), *_ = closeup.film(path, _somebody)
    assert to_bgr(near)[30:-30, 30:-30, 2].max() < 90 < to_bgr(far)[..., 2].max()
    (_, nobody), *_ = closeup.film(path, _nobody, framing="z")
    assert np.array_equal(to_bgr(nobody), to_bgr(far)), "a film of nobody is shown as it is"


@pytest.mark.parametrize(
    ("box", "part"),
    [
        ((0.4, 0.4, 0.1, 0.2), (300, 192, 192)),  # 64x96 px: twice 96
        ((0.0, 0.0, 0.1, 0.2), (0, 0, 192)),  # moved to where the picture begins
        ((0.9, 0.9, 0.1, 0.2), (448, 288, 192)),  # and ends
        ((0.3, 0.1, 0.4, 0.8), (80, 0, 480)),  # no more than there is
    ],
)
def test_the_part_lies_in_the_picture(box: tuple[float, ...], part: tuple[int, int, int]) -> None:
    left, top, side = square(np.asarray(box), 640, 480)
    assert side == part[2]
    assert 0 <= left <= 640 - side
    assert 0 <= top <= 480 - side
    x, y, wide, high = np.asarray(box) * (640, 480, 640, 480)
    if box[0] == 0.4:
        assert abs(left + side / 2 - (x + wide / 2)) <= 1
        assert abs(top + side / 2 - (y + high / 2)) <= 1
    else:
        assert (left, top) == part[:2]


def test_the_part_follows_slowly() -> None:
    times = np.arange(0.0, 4.0, 0.2)
    boxes = np.tile(np.asarray(BOX), (len(times), 1))
    boxes[times >= 2.0, 0] += 0.2
    at = [float(mean(times, boxes, at_s)[0]) for at_s in np.arange(0.0, 3.8, 1 / 15)]
    assert at[0] == pytest.approx(0.5, abs=0.001)
    assert at[-1] == pytest.approx(0.7, abs=0.001)
    assert 0 < max(np.diff(at)) < 0.02
    assert float(mean(times, boxes, 99.0)[0]) == pytest.approx(0.7)


def test_a_picture_of_av_has_the_size_that_is_said() -> None:
    """`square` is told the size that PyAV gives, which `to_bgr` must not have made smaller."""
    large = av.VideoFrame.from_ndarray(paint(1, 2560, 1440), format="bgr24")
    assert to_bgr(large, max(large.width, large.height)).shape == (1440, 2560, 3)
