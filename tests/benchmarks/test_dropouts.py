"""The benchmark of drop-outs: what is put where, and what is counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.dropouts import (
    AFTER_S,
    DECIDING,
    PATIENT,
    Splice,
    main,
    pairs,
    people,
    play,
)
from pipeline.frame import Frame
from pipeline.observation import Ask, Observation
from pipeline.reasons import Phase
from server.frames.convert import to_frame
from server.tools.clips import Timed, read_clip
from server.tools.film import write
from tests.pipeline.observations import Camera

BRIGHT = 200


class Looks:
    """A `see` who takes a bright picture for the wearer and a dark one for whom they wear."""

    def __init__(self) -> None:
        self.camera = Camera(margin=5.0)

    def __call__(self, frame: Frame, ask: Ask) -> Observation:
        self.camera.seq, self.camera.now_s = frame.seq, frame.arrival_s
        self.camera.person = 2 if frame.image.mean() > BRIGHT / 2 else 1
        self.camera.look = {"same": ask.roi is not None}
        seen = self.camera.shot(ask)
        return replace(seen, seq=frame.seq, arrival_s=frame.arrival_s, media_s=frame.media_s)


def film(path: Path, level: int, n: int = 75) -> Path:
    picture = np.full((96, 128, 3), level, np.uint8)
    write(path, ((k / 15, picture) for k in range(n)), 15)
    return path


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    for folder in ("live", "attack/deepfake_live"):
        (tmp_path / folder).mkdir(parents=True)
    film(tmp_path / "live" / "a.mp4", BRIGHT)
    film(tmp_path / "attack/deepfake_live" / "a.mp4", 20)
    film(tmp_path / "attack/deepfake_live" / "alone.mp4", 20, 3)
    ((swap, wearer),) = pairs(tmp_path)
    return swap, wearer


def spliced(both: tuple[Path, Path], pictures: int) -> Splice:
    swap, wearer = (read_clip(path, fps=15) for path in both)
    return Splice(swap, wearer, pictures)


def test_the_wearer_shows_for_so_many_pictures_once_it_begins(both: tuple[Path, Path]) -> None:
    splice = spliced(both, 3)

    def levels(pictures: Iterator[Timed]) -> Iterator[bool]:
        for k, (at_s, picture) in enumerate(pictures):
            yield bool(to_frame(picture, k, at_s, at_s).image.mean() > BRIGHT / 2)

    shown = []
    for bright in levels(iter(splice)):
        shown.append(bright)
        splice.begun = len(shown) >= 5
    assert (len(shown), splice.shown) == (75, 3)
    assert [k for k, bright in enumerate(shown) if bright] == [5, 6, 7]


def test_a_wearer_who_shows_long_enough_ends_the_session(both: tuple[Path, Path]) -> None:
    ended = play(spliced(both, 15), Looks(), DECIDING)
    assert (ended.counted, ended.phase) == ("another_face", Phase.REJECTED)
    assert ended.breaks == {"another_face": 1.0}
    assert 1 <= ended.shown <= 15
    assert DECIDING.settle_s > AFTER_S
    alone = play(spliced(both, 0), Looks(), DECIDING)
    assert (alone.counted, alone.phase, alone.shown) == ("", Phase.ACCEPTED, 0)


def test_people_are_watched_to_the_end_and_counted(both: tuple[Path, Path]) -> None:
    live = both[1]
    ended = play(Splice(read_clip(live, fps=15), read_clip(live, fps=15), 0), Looks(), PATIENT)
    assert (ended.counted, ended.breaks, ended.phase) == ("", {}, None)
    assert (PATIENT.another_face_most, PATIENT.cut_most) == (1, 2)
    assert people(live.parent.parent) == [live]


def test_without_pairs_it_says_where_it_looked(tmp_path: Path, capsys) -> None:
    for more in ([], ["--live"]):
        assert main(["--data", str(tmp_path), *more]) == 2
        assert str(tmp_path) in capsys.readouterr().err
