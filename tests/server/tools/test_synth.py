"""`lookgate synth`: films, and what it says where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.clips import ClipMissing, clip
from pipeline.synth.scenes import KINDS
from server.commands import main
from server.frames.convert import to_bgr
from server.tools import clips


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKGATE_DATA_DIR", str(tmp_path / "data"))


def _synth(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main.main(["synth", *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_all_scenes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = _synth(capsys, "list")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == list(KINDS)


def test_an_empty_room_needs_neither_photo_nor_nets(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "room.mp4"
    told = ("--seconds", "1", "--fps", "5", "--size", "160x120", "--seed", "3")
    status, out, _ = _synth(capsys, "empty", "--out", str(path), *told)
    assert status == 0
    assert out == f"{path}: 5 pictures, 160x120, empty\n"
    read = [to_bgr(vf) for _, vf in clips.read_clip(path)]
    assert len(read) == 5
    assert read[0].shape == (120, 160, 3)
    assert np.std(read[0]) > 5


def test_a_photo_becomes_a_film(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    try:
        photo = clip("one")
    except ClipMissing as error:
        pytest.skip(f"a photograph from a registry package is needed: {error}")
    path = tmp_path / "film.y4m"
    told = ("--photo", str(photo), "--out", str(path), "--seconds", "0.2", "--size", "160x120")
    status, _, err = _synth(capsys, "live", *told, "--worn", "glasses", "--mirrored")
    if "net_missing" in err:
        pytest.skip("the converted nets are needed (make models)")
    assert (status, err) == (0, "")
    assert len(list(clips.read_clip(path))) == 3


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("live",), "synth_out_missing"),
        (("live", "--out", "x.mp4"), "synth_photo_missing"),
        (("swap", "--out", "x.mp4", "--photo", "p.jpg"), "synth_other_missing"),
        (("alive", "--out", "x.mp4"), "synth_wrong"),
        (("empty", "--out", "x.mp4", "--size", "big"), "synth_wrong"),
        (("empty", "--out", "x.mp4", "--size", "9x9"), "synth_wrong"),
        (("empty", "--out", "x.mp4", "--fps", "nan"), "synth_wrong"),
        (("empty", "--out", "x.mp4", "--worn", "beard"), "synth_wrong"),
        (("empty", "--out", "x.gif"), "film_format"),
        (("empty", "--out", "no/such/folder/x.mp4"), "system"),
    ],
)
def test_what_goes_wrong_is_one_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = _synth(capsys, *arguments)
    assert status == 2
    assert out == ""
    assert err.startswith(f"lookgate: {code}: ")
    assert err.count("\n") == 1
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".mp4", ".part", ".gif")]
