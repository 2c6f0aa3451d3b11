"""The arithmetic of the liveness benchmark, and what it says without clips."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks.liveness import Outcome, error, main
from benchmarks.liveness_clips import Clip, NoClips, clips
from benchmarks.liveness_numbers import auc, fit, interval, rate
from pipeline.reasons import Phase, Reason


@pytest.mark.parametrize(
    ("errors", "n", "low", "high"),
    [(0, 10, 0.0, 0.3085), (1, 7, 0.0036, 0.5787), (0, 29, 0.0, 0.1194), (7, 7, 0.5904, 1.0)],
)
def test_intervals_are_those_of_clopper_and_pearson(errors, n, low, high):
    assert interval(errors, n) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_a_rate_of_nothing_is_no_rate():
    assert rate(0, 0) == "-"
    assert interval(0, 0) == (0.0, 1.0)
    assert rate(1, 7) == "1/7 [0,58] %"


def test_auc_counts_pairs_and_ties_half():
    assert auc([1, 2], [0, 0]) == 1.0
    assert auc([0.0], [0.0]) == 0.5
    assert auc([1, 3], [2]) == 0.5
    assert math.isnan(auc([], [1]))


def test_a_fit_finds_the_ratio_it_was_drawn_from():
    """Two normals of the same spread: the ratio is a line whose slope and zero are known."""
    grid = [k / 50 for k in range(-300, 301)]
    bell = {k: math.exp(-k * k / 2) for k in grid}
    samples = [([2 + k], True, 100 * w) for k, w in bell.items()]
    samples += [([-1 + k], False, 300 * w) for k, w in bell.items()]  # more attacks than people
    (gain,), offset = fit(samples)
    assert gain == pytest.approx(3.0, rel=0.02)
    assert -offset / gain == pytest.approx(0.5, abs=0.01)
    # The same number twice says no more than once.
    (one, other), _ = fit([([x, x], live, w) for (x,), live, w in samples])
    assert one + other == pytest.approx(3.0, rel=0.02)


def test_separable_classes_have_a_finite_fit_and_one_class_has_none():
    (gain,), _ = fit([([1.0], True, 1.0), ([2.0], True, 1.0), ([-1.0], False, 1.0)])
    assert 0 < gain < 10
    for samples in ([([1.0], True, 1.0)], []):
        with pytest.raises(ValueError, match="both classes"):
            fit(samples)


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
    clip = Clip(Path("x"), "x", group, "s", "p", 30.0)
    outcome = Outcome(phase, reasons, 1.0, 1.0, [], [], ())
    assert error(clip, outcome) is wrong
