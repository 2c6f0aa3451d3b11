"""The benchmark of cuts: what is put where, and what counts as noticed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks import cuts
from benchmarks.cuts import CUT as FIRST
from benchmarks.cuts import Count, Image, coded, living, placed, spliced, sudden, worn
from pipeline.frame import Frame
from pipeline.observation import Ask, Observation
from server.tools.clips import Timed
from tests.pipeline.observations import Camera


class Looks:
    """A `see` who loses the face in the first bright picture."""

    def __init__(self) -> None:
        self.camera = Camera()
        self.bright = False

    def __call__(self, frame: Frame, ask: Ask) -> Observation:
        self.camera.seq, self.camera.now_s = frame.seq, frame.arrival_s
        before, self.bright = self.bright, bool(frame.image.mean() > 100)
        self.camera.look = {"same": before or not self.bright}
        seen = self.camera.shot(ask)
        return replace(seen, seq=frame.seq, arrival_s=frame.arrival_s)


def level(value: int, n: int = 30) -> list[Image]:
    return [np.full((96, 128, 3), value, np.uint8)] * n


def test_a_cut_is_where_it_is_said_to_be() -> None:
    shown = list(spliced(level(10), level(200)))
    assert [int(image.mean()) for image in shown] == [10] * FIRST + [200] * 8
    lit = list(sudden(lambda image: image + 1)(level(10)))
    assert [int(image.mean()) for image in lit] == [10] * FIRST + [11] * (30 - FIRST)


def films(*after: int) -> Iterator[Iterator[Timed]]:
    for value in after:
        yield coded(spliced(level(20), level(value)))


def test_what_breaks_at_the_cut_is_noticed_and_nothing_else() -> None:
    found = cuts.cuts(films(200, 20), Looks())
    assert (found.n, found.cut) == (2, 1)
    calm = living(films(20), Looks())
    assert (calm.n, calm.cut) == (FIRST + 8, 0)


def test_of_frames_that_are_not_kept_there_is_nothing() -> None:
    times = [at_s for at_s, _ in coded(level(20), lambda n: n % 3 == 0)]
    assert times == [n / 15 for n in range(0, 30, 3)]


def test_a_face_is_brought_to_its_place() -> None:
    image = np.zeros((96, 128, 3), np.uint8)
    image[10:30, 10:30] = 200
    like = np.full((96, 128, 3), 50, np.uint8)
    (there,) = placed([image], (10, 10, 20, 20), (60, 40, 40, 40), like)
    assert there[60, 80].mean() == 200
    assert there[20, 20].mean() == 0
    (face,) = worn([there], (60, 40, 40, 40), like)
    assert (face[5, 5] == 50).all()
    assert abs(float(face[60, 80].mean()) - 50) < 25


def test_a_line_has_its_interval() -> None:
    assert Count(4, 4, 4).line("it").startswith("| it | 100.00 % [")


def test_without_films_nothing_is_measured(tmp_path, capsys) -> None:
    assert cuts.main(["--data", str(tmp_path)]) == 2
    assert "nothing measured" in capsys.readouterr().err
