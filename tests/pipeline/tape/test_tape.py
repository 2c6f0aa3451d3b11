"""Tapes: the committed ones replay and end as expected, pictures and all."""

from __future__ import annotations

import re
import shutil
import stat
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
import pytest

from pipeline.events import Decided, PhaseChanged
from pipeline.inputs import Began, Failed, Seen, TimePassed
from pipeline.policy import POLICIES, Policy
from pipeline.reasons import Phase, Purpose
from pipeline.session import SessionPipeline
from pipeline.tape import LINES, VIDEO, TapeError
from pipeline.tape.explain_html import html_of
from pipeline.tape.reader import open_tape
from pipeline.tape.replay import replay, shown, steps
from pipeline.tape.video import FrameLine, VideoWriter, decoder, jpeg, packet, packets, pictures
from pipeline.tape.writer import TapedSession, TapeWriter
from tests.pipeline.observations import Camera, gallery
from tests.tapes.make import EXPECTED, FILMED, HERE, drawn

AGAIN = "sessions say something else than before; if they should: python -m tests.tapes.make"


def committed(name: str) -> Path:
    return HERE / f"{name}.zip"


@pytest.mark.parametrize("name", EXPECTED)
def test_a_committed_tape_replays_and_ends_as_expected(name: str) -> None:
    result = replay(open_tape(committed(name)), rows=True)
    assert result.same, f"{AGAIN}: {result.differences[:3]}"
    assert result.decided is not None
    assert (result.decided.phase.value, tuple(map(str, result.decided.reasons))) == EXPECTED[name]
    assert not result.torn
    assert result.observations >= 10


def test_the_tapes_are_small_and_of_nobody() -> None:
    files = list(HERE.glob("*.zip"))
    assert sum(path.stat().st_size for path in files) < 300_000
    assert {path.stem for path in files} == set(EXPECTED)
    for name in EXPECTED:
        tape = open_tape(committed(name))
        assert tape.session["model_id"] == "test"
        assert set(tape.session["gallery"].subjects) == {"person-1"}


def test_what_happens_is_on_them() -> None:
    def phases(name: str) -> list[str]:
        events = replay(open_tape(committed(name))).events
        return [event.phase.value for _, event in events if isinstance(event, PhaseChanged)]

    assert phases("accepted") == ["framing", "gathering", "accepted"]
    again = ["framing", "gathering", "framing", "gathering", "accepted"]
    assert phases("lost_face") == again
    assert phases("second_face") == again
    assert phases("timeout") == ["framing", "expired"]


def test_only_the_owner_may_read_a_tape(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / LINES).stat().st_mode) == 0o600


def test_a_crash_leaves_all_that_was_written(tmp_path: Path) -> None:
    camera = Camera(now_s=100.0)
    told = _told()
    tape = TapeWriter(tmp_path / "t", session=told, about={}, at_s=100.0)
    session = TapedSession(tape, lambda: camera.now_s, **told)
    session.receive(Began())
    boxed = drawn()
    for n in range(30):
        ticks, data = next(boxed)
        tape.frame("VP8", ticks, data, key=n == 0, at_s=camera.now_s)
        session.receive(Seen(camera.shot(session.ask())))
    # No close: the process is gone, and what it did not write with it.
    shutil.copytree(tmp_path / "t", tmp_path / "found")
    tape.abandon()
    found = open_tape(tmp_path / "found")
    result = replay(found, torn=True)
    assert (result.observations, result.same) == (30, True)
    frames = [line.value for line in found.lines(torn=True) if line.kind == "frame"]
    with found.video() as stream:
        seen = list(pictures(frames, stream, torn=True))
    assert 28 <= len(seen) <= 30  # at most a cluster is lost


def test_an_input_that_the_session_fails_at_is_on_the_tape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise AssertionError("impossible")

    tape = TapeWriter(tmp_path / "t", session=_told(), about={}, at_s=100.0)
    session = TapedSession(tape, lambda: 101.0, **_told())
    session.receive(Began())
    with monkeypatch.context() as patched:
        patched.setattr(SessionPipeline, "receive", broken)
        with pytest.raises(AssertionError):
            session.receive(TimePassed(101.0))
    session.receive(Failed(101.0))
    tape.close(102.0)
    kinds = [line.kind for line in open_tape(tmp_path / "t").lines()]
    assert kinds == ["begin", "event", "tick", "fail", "event", "event", "end"]


def test_a_folder_and_its_zip_are_the_same_tape(tmp_path: Path, folder: Path) -> None:
    whole = shutil.make_archive(str(tmp_path / "whole"), "zip", folder)
    inside = shutil.make_archive(str(tmp_path / "inside"), "zip", folder.parent, folder.name)
    events = [replay(open_tape(Path(p))).events for p in (folder, whole, inside)]
    assert [len(found) for found in events] == [len(events[0])] * 3
    assert all(list(map(str, found)) == list(map(str, events[0])) for found in events)


def test_another_policy_changes_the_verdict() -> None:
    tape = open_tape(committed("accepted"))
    strict = replay(tape, policy=replace(tape.policy, match_score=0.99, mismatch_score=0.97))
    assert strict.recorded is not None
    assert strict.recorded.phase is Phase.ACCEPTED
    assert strict.decided is None or strict.decided.phase is not Phase.ACCEPTED
    assert not strict.same
    late = replay(open_tape(committed("timeout")), policy=Policy(time_limit_s=5.0))
    assert [at_s for at_s, event in late.events if isinstance(event, Decided)] == [
        pytest.approx(105.0, abs=0.3)
    ]


def test_every_observation_has_its_ask() -> None:
    pairs = list(steps(open_tape(committed("accepted"))))
    assert len(pairs) == replay(open_tape(committed("accepted"))).observations
    assert pairs[0][0].detect
    for ask, obs in pairs:
        assert (obs.faces is not None) == ask.detect


def test_events_are_shown_without_vectors() -> None:
    from pipeline.template import Template

    made = Template("test", np.full((5, 4), 0.5, np.float32), 0.9)
    text = shown(Decided(Phase.ACCEPTED, template=made))
    assert "Template(test, n=5)" in text
    assert "0.5" not in text


def test_the_video_is_as_it_was_sent(tmp_path: Path) -> None:
    sent = [data for _, data in zip(range(10), drawn(), strict=False)]
    tape = open_tape(committed(FILMED))
    frames = [line.value for line in tape.lines() if line.kind == "frame"]
    assert [line.n for line in frames] == list(range(len(frames)))
    with tape.video() as stream:
        found = list(packets(stream))
    assert [len(data) for data in found] == [line.size for line in frames]
    with tape.video() as stream:
        seen = list(pictures(frames, stream))
    assert [ticks for ticks, _ in seen] == [line.ticks for line in frames]
    context = decoder("VP8")
    straight = [p for n, data in enumerate(found) for p in context.decode(packet(data, n))]
    assert all(
        np.array_equal(a.to_ndarray(), b.to_ndarray())
        for a, (_, b) in zip(straight, seen, strict=True)
    )
    assert len(sent) == 10
    assert jpeg(seen[0][1], 64).startswith(b"\xff\xd8")


def test_another_video_is_refused(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.unpack_archive(committed(FILMED), copy)
    tape = open_tape(copy)
    frames = [line.value for line in tape.lines() if line.kind == "frame"]
    frames[3] = msgspec.structs.replace(frames[3], sha256="0" * 16)
    with tape.video() as stream, pytest.raises(TapeError, match="frame 3 of the video"):
        list(pictures(frames, stream))
    data = (copy / VIDEO).read_bytes()
    for wrong in (b"", b"hello", data[: len(data) // 2]):
        (copy / VIDEO).write_bytes(wrong)
        with tape.video() as stream, pytest.raises(TapeError, match="tape_video"):
            list(pictures(frames[:1] * 20, stream))
    (copy / VIDEO).unlink()
    with pytest.raises(TapeError, match="no video"), open_tape(copy).video():
        pass


def test_the_page_holds_everything_and_nothing_from_elsewhere() -> None:
    tape = open_tape(committed("spoof"))
    text = html_of(tape, replay(tape, rows=True), [(0.0, b"\xff\xd8picture")])
    for wanted in ("rejected (liveness)", "spoof", "data:image/jpeg;base64", "<svg", "face"):
        assert wanted in text
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")
    silent = open_tape(committed("timeout"))
    assert "No evidence was gathered" in html_of(silent, replay(silent, rows=True))


def test_the_page_escapes_what_a_tape_says(tmp_path: Path) -> None:
    tape = TapeWriter(
        tmp_path / "t", session=_told(), about={"subject": "<script>alert(1)</script>"}, at_s=1.0
    )
    tape.note("<b>", 1.0)
    tape.close(2.0)
    tape.close(2.0)
    found = open_tape(tmp_path / "t")
    assert "<script" not in html_of(found, replay(found))


def test_an_enrolment_comes_back_with_its_template(tmp_path: Path) -> None:
    camera = Camera(now_s=100.0, cosine=0.9)
    told = {**_told(), "purpose": Purpose.ENROLL, "gallery": gallery()}
    tape = TapeWriter(tmp_path / "t", session=told, about={}, at_s=100.0)
    session = TapedSession(tape, lambda: camera.now_s, **told)
    session.receive(Began())
    for _ in range(300):
        if session.over:
            break
        session.receive(Seen(camera.shot(session.ask())))
    tape.close(camera.now_s)
    assert session.phase is Phase.ACCEPTED
    result = replay(open_tape(tmp_path / "t"))
    assert result.same
    assert result.decided is not None
    assert result.decided.template is not None
    assert len(result.decided.template.embeddings) >= 5


def _told() -> dict[str, Any]:
    return {
        "purpose": Purpose.LOGIN,
        "policy": POLICIES["standard"],
        "gallery": gallery(1),
        "model_id": "test",
        "started_s": 100.0,
    }


def test_h264_comes_back_as_it_was_received(tmp_path: Path) -> None:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 64, 48, "yuv420p"
    encoder.time_base = Fraction(1, 90000)
    encoder.options = {"tune": "zerolatency", "x264-params": "keyint=4"}
    frames, sent = [], []
    path = tmp_path / VIDEO
    path.touch()
    video = VideoWriter(path, "H264")
    for n in range(10):
        picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * n, np.uint8), "bgr24")
        picture = picture.reformat(format="yuv420p")
        picture.pts, picture.time_base = 6000 * n, encoder.time_base
        for found in encoder.encode(picture):
            # As the stack hands them over: four-byte start codes (its depacketizer).
            units = re.split(rb"\x00\x00\x00?\x01", bytes(found))[1:]
            data = b"".join(b"\0\0\0\1" + unit for unit in units)
            video.write(data, 6000 * n, key=n % 4 == 0)
            sent.append(data)
            about = (n, "H264", 6000 * n, len(data), n % 4 == 0, video.digest)
            frames.append(FrameLine(100.0, *about))
    video.close()
    with path.open("rb") as stream:
        seen = list(pictures(frames, stream))
    assert [ticks for ticks, _ in seen] == [6000 * n for n in range(10)]
    assert (seen[0][1].width, seen[0][1].height) == (64, 48)
    assert abs(int(seen[9][1].to_ndarray(format="bgr24").mean()) - 180) < 6
