"""`lookgate replay` and `explain`, measuring a video again, and policy files."""

from __future__ import annotations

import asyncio
import json
import math
import re
import shutil
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.encoded import is_key
from pipeline.frame import Frame
from pipeline.inputs import Began, Cancelled, Seen
from pipeline.observation import Ask, Observation
from pipeline.policy import POLICIES
from pipeline.reasons import Purpose
from pipeline.tape import LINES, VIDEO, TapeError
from pipeline.tape.lines import Chain, seal
from pipeline.tape.reader import Tape, open_tape
from pipeline.tape.replay import Replayed
from pipeline.tape.replay import replay as play
from pipeline.tape.video import FrameLine, decoder, packet
from pipeline.tape.writer import TapedSession, TapeWriter
from server.commands import main, tape_verbs
from server.frames.convert import to_frame
from server.tools.reseeing import TOLERANCE, differences, resee
from tests.pipeline.observations import Camera, gallery
from tests.server.pictures import until
from tests.server.test_app import Running, Scene
from tests.server.tools.caller.test_rtc_caller import Frames, recorded
from tests.tapes.make import HERE, drawn

ACCEPTED, FILMED = str(HERE / "accepted.zip"), str(HERE / "drawn_face.zip")


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main.main(arguments)
    out, err = capsys.readouterr()
    return status, out, err


def test_replay_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = _run(capsys, "replay", ACCEPTED)
    assert (status, err) == (0, "")
    assert "recorded  accepted" in out
    assert "result    the same events" in out


def test_a_tape_may_be_played_several_times(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, _ = _run(capsys, "replay", ACCEPTED, "--times", "5")
    assert status == 0
    assert re.search(r"^again     4 times, at best in .* x real time\), mostly in ", out, re.M)
    counted = iter(range(5))

    def moody(tape: Tape, **told: Any) -> Replayed:
        played = play(tape, **told)
        if next(counted) == 3:
            played.differ = 1
        return played

    monkeypatch.setattr(tape_verbs, "replay", moody)
    status, out, _ = _run(capsys, "replay", ACCEPTED, "--times", "5")
    assert status == 1
    assert "result    1 differences" in out


def test_replay_with_another_policy_says_what_changes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    strict = tmp_path / "strict.toml"
    strict.write_text("[policy]\nmatch_score = 0.99\nmismatch_score = 0.97\n")
    status, out, _ = _run(capsys, "replay", ACCEPTED, "--policy", str(strict))
    assert status == 1
    assert "match_score: 0.5 -> 0.99" in out
    assert "judged    rejected (no_match)" in out
    assert "another verdict" in out
    same = tmp_path / "same.json"
    same.write_text('{"name": "other"}')
    status, out, _ = _run(capsys, "replay", ACCEPTED, "--policy", str(same))
    assert status == 0
    assert "the same verdict" in out


def test_a_damaged_tape_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.unpack_archive(FILMED, copy)
    lines = (copy / LINES).read_bytes().splitlines(keepends=True)
    (copy / LINES).write_bytes(b"".join(lines[:8]))
    status, out, err = _run(capsys, "replay", str(copy))
    assert (status, out) == (2, "")
    assert err.startswith("lookgate: tape_truncated: line 8:")
    assert err.count("\n") == 1
    status, out, _ = _run(capsys, "replay", str(copy), "--torn")
    assert status == 0
    assert "the recording broke off" in out


def test_explain_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = _run(capsys, "explain", str(HERE / "spoof.zip"))
    assert status == 0
    assert "spoof" in out
    assert "verdict: rejected (liveness)" in out


def test_explain_writes_a_page_that_only_the_owner_reads(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    target = tmp_path / "page.html"
    status, out, _ = _run(capsys, "explain", FILMED, "--html", str(target))
    assert status == 0
    assert "shows the person's face" in out
    text = target.read_text("utf-8")
    assert text.count("data:image/jpeg;base64,") >= 8
    assert target.stat().st_mode & 0o077 == 0


def test_streaming_needs_to_know_the_client(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = _run(capsys, "replay", FILMED, "--webrtc")
    assert status == 2
    assert err.startswith("lookgate: client_missing:")


TOLD = {
    "purpose": Purpose.LOGIN,
    "policy": POLICIES["standard"],
    "gallery": gallery(1),
    "model_id": "test",
    "started_s": 100.0,
}


def _filmed(folder: Path, frames: Frames, apart_s: float = 0.0) -> Path:
    """A tape of encoded frames that came so far apart, and of nothing else."""
    tape = TapeWriter(folder, session=TOLD, about={"subject": "ann"}, at_s=100.0)
    for n, (codec, ticks, data) in enumerate(frames):
        tape.frame(codec, ticks, data, key=is_key(codec, data), at_s=101.0 + apart_s * n)
    tape.close(199.0)
    return folder


def _frame_lines(tape: Path) -> list[FrameLine]:
    """What there is of a tape that may still be written."""
    return [line.value for line in open_tape(tape).lines(torn=True) if line.kind == "frame"]


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_a_server_receives_the_frames_that_were_recorded(
    codec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tape = _filmed(tmp_path / "tape", await recorded(codec, 20), apart_s=0.02)
    scene = Scene()
    scene.camera.person = None  # nobody to judge: the test ends it
    async with Running(tmp_path, scene, record=str(tmp_path / "tapes")) as running:
        assert running.parts.shelf is not None
        (tmp_path / "secret").write_text(running.secret)
        url = str(running.server.make_url("")).rstrip("/")
        given = ["replay", str(tape), "--webrtc", "--server", url, "--client", "shop"]
        given += ["--secret-file", str(tmp_path / "secret")]
        going = asyncio.create_task(asyncio.to_thread(main.main, given))
        shelf = running.parts.shelf.folder
        await until(lambda: going.done() or list(shelf.rglob(LINES)) != [])
        (again,) = [path.parent for path in shelf.rglob(LINES)]
        await until(lambda: going.done() or len(_frame_lines(again)) == 20)
        for peer in running.parts.peers:
            peer.stop()
        assert await going == 1, "another end than that of the tape, which has none"
        said = capsys.readouterr().out
        assert "sent      20 of 20 frames as recorded" in said
        assert "asked" not in said
    was, now = _frame_lines(tape), _frame_lines(again)
    for name in ("sha256", "size", "ticks", "codec", "key", "n"):
        assert [getattr(line, name) for line in now] == [getattr(line, name) for line in was]
    assert now[-1].t - now[0].t > 0.3, "not faster than they came"


def _streamed(capsys: pytest.CaptureFixture[str], tape: Path | str) -> str:
    """What is said where nobody may be called."""
    more = ("--webrtc", "--client", "shop", "--server", "http://127.0.0.1:9")
    status, out, err = _run(capsys, "replay", str(tape), *more)
    assert (status, out) == (2, "")
    return err


def test_what_cannot_be_streamed_calls_nobody(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKGATE_CLIENT_SECRET", "s" * 43)
    vp8 = [("VP8", ticks, data) for ticks, data in islice(drawn(), 4)]
    midway = _filmed(tmp_path / "midway", vp8[1:])
    assert _streamed(capsys, midway).startswith("lookgate: headless_no_key_frame:")
    assert "tape_video: the tape has no video" in _streamed(capsys, ACCEPTED)
    mixed = _filmed(tmp_path / "mixed", [*vp8, ("H264", 90000, vp8[0][2])])
    assert "tape_video" in _streamed(capsys, mixed)
    short = tmp_path / "short"
    shutil.copytree(_filmed(tmp_path / "more", vp8), short)
    shutil.copy(_filmed(tmp_path / "less", vp8[:2]) / VIDEO, short / VIDEO)
    assert "tape_video: the video ends before frame 2" in _streamed(capsys, short)
    assert "server_unreachable" in _streamed(capsys, tmp_path / "more")


class Eye:
    """Measures something of every picture, as nets would."""

    def __init__(self, by: float = 0.0) -> None:
        self.by = by
        self.camera = Camera()

    def __call__(self, frame: Frame, ask: Ask) -> Observation:
        shot = self.camera.shot(ask)
        luma = float(frame.image.mean()) + self.by
        return replace(
            shot,
            seq=frame.seq,
            arrival_s=frame.arrival_s,
            media_s=frame.media_s,
            luma=luma,
        )


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    """A tape whose observations come from its video, every second frame dropped."""
    now_s, eye, context = 100.0, Eye(), decoder("VP8")
    tape = TapeWriter(tmp_path / "seen", session=TOLD, about={}, at_s=now_s)
    session = TapedSession(tape, lambda: now_s, **TOLD)
    session.receive(Began())
    for n, (ticks, data) in enumerate(islice(drawn(), 12)):
        now_s += 1 / 12
        tape.frame("VP8", ticks, data, key=n == 0, at_s=now_s)
        (picture,) = context.decode(packet(data, ticks))
        if n % 2 == 0:
            frame = to_frame(picture, n, now_s, ticks / 90000)
            session.receive(Seen(eye(frame, session.ask())))
    session.receive(Cancelled(now_s))
    tape.close(now_s)
    return tmp_path / "seen"


def test_the_video_measures_the_same_again(seen: Path) -> None:
    result = resee(open_tape(seen), Eye())
    assert (result.frames, result.identical, result.absent) == (6, 6, 0)
    assert result.worst == {}
    assert result.within
    assert result.decided is not None
    assert result.recorded == result.decided


def test_other_measurements_are_told_by_field(seen: Path) -> None:
    near = resee(open_tape(seen), Eye(by=TOLERANCE))
    assert near.identical == 0
    assert near.within  # of some hundred grey levels
    far = resee(open_tape(seen), Eye(by=1.0))
    assert not far.within
    assert list(far.worst) == ["luma"]


@pytest.mark.parametrize("media_s", ["inf", "nan", 1e300])
def test_a_time_that_no_picture_has_is_told_as_absent(seen: Path, media_s: object) -> None:
    chain, out = Chain(), []
    for line in map(json.loads, (seen / LINES).read_text().splitlines()):
        del line["sum"]
        if line.get("k") == "step" and line["with"]["obs"]["seq"] == 10:
            line["with"]["obs"]["media_s"] = media_s
        out.append(seal(line, chain))
    (seen / LINES).write_bytes(b"".join(out))
    result = resee(open_tape(seen), Eye())
    assert (result.frames, result.absent) == (5, 1)


def test_a_tape_without_video_cannot_be_measured_again() -> None:
    with pytest.raises(TapeError, match="no video"):
        resee(open_tape(Path(ACCEPTED)), Eye())


def test_differences_of_observations() -> None:
    shot = Camera().shot(Ask(detect=True))
    assert shot.face is not None
    assert list(differences(shot, shot)) == []
    other = replace(shot, face=replace(shot.face, yaw_deg=math.nan))
    assert list(differences(shot, other)) == [("face.yaw_deg", math.inf)]
    assert list(differences(other, other)) == []
    assert list(differences(shot, replace(shot, face=None))) == [("face", math.inf)]
    moved = replace(shot, sketch=shot.sketch + np.float32(0.5))
    ((name, apart),) = differences(shot, moved)
    assert name == "sketch"
    assert apart == pytest.approx(0.5, abs=1e-6)
    short = replace(shot, sketch=shot.sketch[:3])
    assert list(differences(shot, short)) == [("sketch", math.inf)]
