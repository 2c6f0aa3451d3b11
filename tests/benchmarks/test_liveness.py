"""The fits and counts of the liveness benchmark, what it keeps, and what it says without clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import liveness_clips
from benchmarks.liveness import DIMENSIONS, POLICY, error, main, measured, play
from benchmarks.liveness_clips import Clip, NoClips, Seen, clips
from pipeline.frame import Frame
from pipeline.nets import Run
from pipeline.observation import Ask, Observation
from pipeline.policy import POLICIES
from pipeline.reasons import Phase, Reason
from server.tools.evaluation.cues import window
from server.tools.evaluation.folder import Item
from server.tools.evaluation.play import Outcome, rows
from server.tools.evaluation.play import play as evaluated
from server.tools.film import write
from tests.pipeline.observations import Camera
from tests.server.pictures import paint


class Looks:
    """A `see` whose scene is synthetic; counts how often it looked."""

    def __init__(self) -> None:
        self.camera, self.count = Camera(margin=5.0), 0

    def __call__(self, frame: Frame, ask: Ask, run: Run | None = None) -> Observation:
        self.count += 1
        self.camera.seq, self.camera.now_s = frame.seq, frame.arrival_s
        seen = self.camera.shot(ask)
        return replace(seen, seq=frame.seq, arrival_s=frame.arrival_s, media_s=frame.media_s)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    looks = Looks()
    monkeypatch.setattr(liveness_clips, "see", looks)
    return looks


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    path = tmp_path / "film.mp4"
    write(path, ((n / 15, paint(n)) for n in range(105)), 15)
    return Clip(path, path.name, "webcam", "s", "p")


def _never(*given: object) -> dict[str, object]:
    raise AssertionError("no net is asked")


def test_what_was_seen_is_kept_for_its_owner_and_not_looked_at_again(
    tmp_path: Path, clip: Clip, looks: Looks
):
    cache = tmp_path / "cache"
    seen = Seen(clip, _never, cache, "0" * 16)
    first = play(seen, POLICY)
    assert first.phase is Phase.ACCEPTED
    assert looks.count > 0
    seen.save()
    looks.count = 0
    assert play(Seen(clip, _never, cache, "0" * 16), POLICY) == first
    assert looks.count == 0
    assert cache.stat().st_mode & 0o077 == 0
    play(Seen(clip, _never, cache, "1" * 16), POLICY)
    assert looks.count > 0, "other code looks for itself"


def test_it_says_what_the_evaluation_says_of_the_same_film(
    tmp_path: Path, clip: Clip, looks: Looks
):
    seen = Seen(clip, _never, tmp_path / "cache", "0" * 16)
    mine = play(seen, POLICY)
    item = Item(clip.path, clip.name, "live", False)
    value = evaluated(item, looks, POLICIES["standard"], DIMENSIONS)
    assert len(seen.times_s) == value["pictures"] == 105
    assert (mine.phase, mine.took_s) == (value["phase"], value["took_s"])
    assert rows(mine.rows) == value["rows"]
    windows = measured(seen)
    assert len(windows) == 2
    assert windows == [window(table) for table in value["windows"]]


def test_without_clips_it_says_which_folder_is_missing(tmp_path: Path, capsys):
    assert main(["--data", str(tmp_path), "--cache", str(tmp_path / "cache")]) == 2
    assert "manifest.csv" in capsys.readouterr().err


def test_the_manifest_names_groups_and_absent_films_are_left_out(tmp_path: Path):
    rows = [
        ("live/a.mp4", "live", "webcam, dark"),
        ("live/b.mp4", "live", "phone selfie, beauty filter"),
        ("live/nuaa_c.mp4", "live", "webcam"),
        ("attack/d.mp4", "attack:print", ""),
        ("attack/e.mp4", "attack:replay_phone", ""),
        ("attack/f.mp4", "attack:deepfake", ""),
        ("attack/g.jpg", "attack:print", ""),
        ("live/absent.mp4", "live", "webcam"),
    ]
    for name, _, _ in rows[:-1]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    lines = [f'{name},{kind},x,30,a:b@1,"{note}"' for name, kind, note in rows]
    text = "\n".join(["path,kind,identity,fps,source,note", *lines])
    (tmp_path / "manifest.csv").write_text(text, "utf-8")
    groups = {clip.name: clip.group for clip in clips(tmp_path)}
    assert list(groups.values()) == ["print", "replay", "deepfake", "webcam", "studio", "nuaa"]
    assert {clip.source for clip in clips(tmp_path)} == {"a:b"}
    cut = [(c.name, c.begin_s) for c in clips(tmp_path, (3.0, 5.0), "z") if c.group == "replay_cut"]
    assert cut == [("attack/e.mp4@3s", 3.0), ("attack/e.mp4@5s", 5.0)]
    assert {c.framing for c in clips(tmp_path, (3.0,), "z")} == {"z"}
    (tmp_path / "manifest.csv").write_text("path,kind,identity,fps,source,note\n", "utf-8")
    with pytest.raises(NoClips):
        clips(tmp_path)


@pytest.mark.parametrize(
    ("group", "phase", "reasons", "wrong"),
    [
        ("webcam", Phase.ACCEPTED, (), False),
        ("webcam", Phase.REJECTED, (Reason.LIVENESS,), True),
        ("webcam", Phase.REJECTED, (Reason.QUALITY,), None),
        ("webcam", None, (), None),
        ("print", Phase.ACCEPTED, (), True),
        ("print", Phase.REJECTED, (Reason.LIVENESS,), False),
        ("print", None, (), False),
    ],
)
def test_what_counts_as_an_error(group, phase, reasons, wrong):
    clip = Clip(Path("x"), "x", group, "s", "p")
    outcome = Outcome(phase, reasons, 1.0, 1.0, True, (), [], [])
    assert error(clip, outcome) is wrong
