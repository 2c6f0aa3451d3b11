"""The commands from their arguments to the files they leave."""

from __future__ import annotations

import io
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.frame import Frame
from pipeline.nets.embed import SFACE
from pipeline.observation import Ask, Observation
from server.commands import main
from server.tools.evaluation import command
from server.tools.film import write
from tests.pipeline.observations import Camera, face, identity, margins, near


class Nets:
    """Sees the person that the picture's grey level says, and counts."""

    def __init__(self) -> None:
        self.seen = 0

    def see(self, frame: Frame, ask: Ask) -> Observation:
        self.seen += 1
        level = round(float(frame.image.mean()) / 10)
        empty = Camera(person=None).shot(Ask(detect=True))
        blank = replace(empty, seq=frame.seq, arrival_s=frame.arrival_s)
        if level == 0:
            return blank
        vector = near(identity(level), 0.9, int(frame.image[0, 0, 0]))
        shown = face(
            embedding=vector if ask.embed_above is not None else None,
            spoof=margins(5.0 if level > 10 else -6.0),
            edges=(0.0, 0.0, 0.0, 0.0),
            glow=0.0,
        )
        return replace(blank, face=shown)


@pytest.fixture
def nets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Nets:
    found = Nets()
    monkeypatch.setattr(command, "_nets", lambda settings: (found.see, SFACE))
    monkeypatch.setenv("LOOKGATE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    return found


def _picture(path: Path, level: int, n: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((48, 64, 3), level, np.uint8)
    image[:4, :4] = n
    film = path.with_suffix(".mjpeg")
    write(film, [(0.0, image)], 5.0)
    film.rename(path)  # one JPEG is one picture of a motion JPEG


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main.main([str(a) for a in arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def _folder(root: Path) -> Path:
    for person in range(1, 5):
        for n in range(6):
            _picture(root / f"p{person}" / f"{n}.jpg", 10 * person, 40 * n)
    (root / "p1" / "broken.jpg").write_bytes(b"no picture")
    _picture(root / "p2" / "black.jpg", 0)
    (root / "p3" / "notes.txt").write_text("x")
    (root / "groups.csv").write_text("identity,side\np1,a\np2,a\np3,b\np4,b\n")
    return root


def test_match_writes_a_report_and_goes_on_where_it_was(
    nets: Nets, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out, cache = _folder(tmp_path / "faces"), tmp_path / "out", tmp_path / "cache"
    given = ("evaluate", "match", root, "--out", out, "--cache", cache, "--jobs", 2)
    status, said, progress = _run(capsys, *given, "--enroll", 2, "--probe", 1)
    assert status == 0, progress
    found = json.loads((out / "report.json").read_text())
    assert found["n"] == 26
    assert {r["file"]: r["reason"] for r in found["refused"]} == {
        "p1/broken.jpg": "media_broken",
        "p2/black.jpg": "no_face",
    }
    assert found["ignored"] == ["p3/notes.txt"]
    assert found["templates"]["genuine"]["n"] == 16
    assert set(found["groups"]["side"]["single"]["groups"]) == {"a", "b"}
    assert "p1/broken.jpg" in said
    assert "[26/26] files" in progress
    assert cache.stat().st_mode & 0o777 == 0o700
    before = nets.seen
    status, _, progress = _run(capsys, *given)
    assert status == 0
    assert nets.seen == before, "what was known was looked at again"
    assert "26 known before" in progress


@pytest.mark.parametrize("kind", ["match", "liveness"])
def test_names_that_are_no_utf8_survive_to_the_last_line(
    nets: Nets,
    tmp_path: Path,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A file, a folder that is a label, the folder of the report, and the terminal."""
    strange = os.fsdecode(b"caf\xe9")
    root, out = tmp_path / strange, tmp_path / f"{strange}-out"
    if kind == "match":
        for person in ("ann", strange):
            for n in range(3):
                name = root / person / f"{strange}{n}.jpg"
                _picture(name, 10 if person == "ann" else 20, 40 * n)
        (root / "ann" / f"{strange}.txt").write_text("x")
        (root / "ann" / f"{strange}.png").write_bytes(b"no picture")
    else:
        for n in range(3):
            _picture(root / "live" / f"{strange}{n}.jpg", 200, n)
            _picture(root / "attack" / strange / f"{n}.jpg", 50, n)
        (root / "live" / f"{strange}.png").write_bytes(b"no picture")
        (root / strange).mkdir()
        (root / strange / "x.jpg").write_bytes(b"x")
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, "utf-8", write_through=True))
    status = main.main(["evaluate", kind, str(root), "--out", str(out), "--jobs", "1"])
    assert status == 0, capsys.readouterr().err
    said = printed.getvalue().decode("utf-8")  # strictly
    assert said.rstrip().splitlines()[-1].endswith("report.html")
    assert "caf\\xe9" in said
    found = (out / "report.json").read_bytes().decode("utf-8")
    assert "caf\\\\xe9.png" in found
    (out / "report.html").read_bytes().decode("utf-8")


def test_liveness_and_calibration(
    nets: Nets, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = tmp_path / "faces", tmp_path / "out"
    for n in range(3):
        _picture(root / "live" / f"{n}.jpg", 200, n)
        _picture(root / "attack" / "print" / f"{n}.jpg", 50, n)
    image = np.full((48, 64, 3), 200, np.uint8)
    write(root / "live" / "one.mp4", [(0.0, image)], 5.0)
    given = ("evaluate", "liveness", root, "--out", out, "--jobs", 1)
    status, said, problem = _run(capsys, *given)
    assert status == 0, problem
    found = json.loads((out / "report.json").read_text())
    assert found["n"] == 1
    assert found["stills"]["bpcer"]["count"] == 0
    assert found["stills"]["apcer"]["print"] == {
        **found["stills"]["apcer"]["print"],
        "rate": 0.0,
        "n": 3,
    }
    assert [s["reason"] for s in found["silent"]] == ["film_over"]
    assert "live/one.mp4" in said
    policy = tmp_path / "policy.json"
    status, _, problem = _run(capsys, "calibrate", out, "--target-apcer", 0.05, "--out", policy)
    assert status == 2
    assert "lookgate: " in problem
    assert not policy.exists()


def test_replays_that_begin_later_are_sessions_of_their_own(
    nets: Nets, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = tmp_path / "faces", tmp_path / "out"
    image = np.full((48, 64, 3), 200, np.uint8)
    for name in ("live/a.mp4", "attack/replay_phone/b.mp4"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write(root / name, [(n / 5, image) for n in range(30)], 5.0)
    _picture(root / "live" / "c.jpg", 200)
    given = ("evaluate", "liveness", root, "--out", out, "--jobs", 1)
    status, said, problem = _run(capsys, *given, "--begin", "3,4.5")
    assert status == 0, problem
    found = json.loads((out / "report.json").read_text())
    assert found["n"] == 4
    assert found["non_response"]["replay_cut"]["n"] == 2
    assert "b.mp4@4.5s" in said
    _, _, problem = _run(capsys, *given, "--framing", "z")
    assert "[2/2] files" in problem, "no still is cropped"
    for wrong in ("3,x", "0", "inf", ""):
        with pytest.raises(SystemExit):
            main.main([*map(str, given), "--begin", wrong])


def _living(frame: Frame, ask: Ask) -> Observation:
    """A moving face; bright pictures are of a person."""
    camera = Camera(margin=5.0 if frame.image.mean() > 100 else -6.0)
    camera.seq, camera.now_s = frame.seq, frame.arrival_s
    return replace(camera.shot(ask), seq=frame.seq, arrival_s=frame.arrival_s)


def test_sources_are_left_out_and_groups_are_told(
    nets: Nets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_nets", lambda settings: (_living, SFACE))
    root, out = tmp_path / "faces", tmp_path / "out"
    lines = ["path,identity,source"]
    for source in "xy":
        for label, level in (("live", 200), ("attack/print", 50)):
            path = root / label / f"{source}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            image = np.full((48, 64, 3), level, np.uint8)
            image[:9, :9] = ord(source)
            write(path, [(n / 15, image) for n in range(50)], 15.0)
            lines.append(f"{label}/{source}.mp4,{label}-{source},{source}@1")
    (root / "groups.csv").write_text("path,light\nlive/x.mp4,dark\nlive/y.mp4,bright\n")
    given = ("evaluate", "liveness", root, "--out", out, "--jobs", 1)
    status, _, problem = _run(capsys, *given, "--leave-out", "source")
    assert status == 2
    assert problem.splitlines()[-1].startswith("lookgate: sources_missing: ")
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")
    status, said, problem = _run(capsys, *given, "--leave-out", "source")
    assert status == 0, problem
    assert "[2/2] files of x" in problem
    assert "[2/2] files of y" in problem
    found = json.loads((out / "report.json").read_text())
    assert found["apcer"]["print"]["sources"] == 2
    assert found["leave_one_source_out"]["apcer"]["print"]["n"] == 2
    assert set(found["groups"]["light"]["groups"]) == {"dark", "bright"}
    assert "BPCER by group" in said
    assert "judged by a fit without it" in said


def test_a_calibrated_policy_judges_the_next_evaluation(
    nets: Nets, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out, policy = _folder(tmp_path / "faces"), tmp_path / "out", tmp_path / "policy.json"
    given = ("evaluate", "match", root, "--out", out, "--jobs", 1)
    assert _run(capsys, *given)[0] == 0
    status, said, problem = _run(capsys, "calibrate", out, "--target-fmr", 0.5, "--out", policy)
    assert status == 0, problem
    assert "fmr <= 0.5" in said
    status, _, problem = _run(capsys, *given, "--policy", policy)
    assert status == 0, problem
    score = json.loads(policy.read_text())["policy"]["match_score"]
    assert json.loads((out / "report.json").read_text())["match_score"] == score
    status, _, problem = _run(capsys, "calibrate", out, "--target-fmr", 1e-4, "--out", policy)
    assert status == 2
    assert problem.startswith("lookgate: too_few_trials: 6 pairs")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("evaluate", "match", "{none}"), "folder_missing"),
        (("evaluate", "match", "{empty}"), "folder_empty"),
        (("evaluate", "liveness", "{empty}"), "folder_empty"),
        (("evaluate", "match", "{faceless}"), "no_faces"),
        (("evaluate", "match", "{faceless}", "--groups", "{none}"), "groups_missing"),
        (("evaluate", "match", "{faceless}", "--policy", "{none}"), "policy_missing"),
        (("calibrate", "{none}", "--target-fmr", "0.1", "--out", "{none}"), "report_missing"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: tuple[str, ...],
    code: str,
    nets: Nets,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {name: tmp_path / name for name in ("none", "empty", "faceless")}
    places["empty"].mkdir()
    for person in range(2):
        _picture(places["faceless"] / f"p{person}" / "1.jpg", 0)
    status, _, problem = _run(capsys, *(a.format(**places) for a in arguments))
    assert status == 2
    assert problem.splitlines()[-1].startswith(f"lookgate: {code}: ")
    assert "Traceback" not in problem


@pytest.mark.parametrize("jobs", ["0", "-1", "x"])
def test_jobs_are_counted_from_one(jobs: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main.main(["evaluate", "match", ".", "--jobs", jobs])
    assert stop.value.code == 2
    assert "whole number" in capsys.readouterr().err


def test_without_the_extra_the_install_is_named(
    nets: Nets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "scipy", None)
    status, _, problem = _run(capsys, "evaluate", "match", _folder(tmp_path / "faces"))
    assert status == 2
    assert "evaluate_missing" in problem
    assert "lookgate[evaluate]" in problem
