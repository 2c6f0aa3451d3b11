"""Recording a session: what is on the shelf afterwards, and what must not be."""

from __future__ import annotations

import json
import stat
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from pipeline.cues.camera import Claim
from pipeline.inputs import Began, Cancelled, Input, Introduced, PaintedStep
from pipeline.tape import LINES, VIDEO
from pipeline.tape.kinds import INPUTS
from pipeline.tape.reader import open_tape
from pipeline.tape.replay import replay
from server.parts import Parts
from server.people.shelf import Shelf
from server.private_folder import PrivateFolderError
from server.session import recorder
from server.settings.load import ConfigError
from tests.pipeline.observations import Camera
from tests.server.stage import (
    CLIENT,
    Clock,
    Stage,
    claimed,
    close_parts,
    enrolled,
    gallery_of,
    make_parts,
)
from tests.tapes.make import drawn

LONG = 60


@pytest.fixture
def camera() -> Camera:
    return Camera()


@pytest.fixture
async def opened(tmp_path: Path, camera: Camera) -> AsyncIterator[tuple[Parts, Clock]]:
    parts, clock = await make_parts(tmp_path, camera, record=str(tmp_path / "tapes"))
    yield parts, clock
    await close_parts(parts)


async def _stage(
    opened: tuple[Parts, Clock], camera: Camera, purpose: str = "login", subject: str | None = "ann"
) -> Stage:
    parts, clock = opened
    record = await claimed(parts, purpose, subject)
    stage = Stage.of(parts, clock, camera, record, await gallery_of(parts, record))
    await stage.open()
    return stage


def _tapes(parts: Parts) -> list[Path]:
    assert parts.shelf is not None
    return sorted(path.parent for path in parts.shelf.folder.rglob(LINES))


async def test_a_recorded_login_replays_exactly(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    parts, _ = opened
    await enrolled(parts, "ann", 1)
    stage = await _stage(opened, camera)
    assert stage.connection.of("welcome")[0]["recorded"] is True
    for ticks, data in islice(drawn(), 3):
        stage.peer.on_encoded("VP8", ticks, data)
    stage.peer.on_message('{"type":"ping","n":1}')
    await stage.show(LONG)
    verdict = await stage.end()
    assert verdict["outcome"] == "accepted"
    (path,) = _tapes(parts)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {stat.S_IMODE((path / name).stat().st_mode) for name in (LINES, VIDEO)} == {0o600}
    text = (path / LINES).read_text("utf-8")
    assert verdict["token"] not in text
    tape = open_tape(path)
    assert tape.header["subject"] == "ann"
    assert set(tape.header["models"]) >= {"detect", "mesh", "embed", "spoof"}
    result = replay(tape)
    assert result.same, result.differences
    assert result.asks_differ == 0
    assert result.decided is not None
    assert (result.decided.phase, result.decided.subject) == ("accepted", "ann")
    kinds = [line.kind for line in tape.lines()]
    assert kinds.count("frame") == 3
    assert {"out", "in", "ask", "step", "event", "end"} <= set(kinds)
    said = [line.value.message["type"] for line in tape.lines() if line.kind == "out"]
    assert said == [message["type"] for message in stage.connection.sent]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            {
                "type": "hello",
                "version": 1,
                "widget": "w",
                "camera": {"width": 640, "height": 480, "fps": 15, "kind": "usb"},
                "reduced_motion": False,
            },
            Introduced(still=False, claim=Claim(640.0, 480.0, 15.0, "usb")),
        ),
        # A page that does not say is asked to paint.
        ({"type": "hello", "version": 1, "widget": "w"}, Introduced(still=False)),
        (
            {"type": "hello", "version": 1, "widget": "w", "reduced_motion": True},
            Introduced(still=True),
        ),
        ({"type": "painted", "n": 1, "step": 2, "ms": 34.5}, PaintedStep(1, 2, 34.5, 1000.0)),
        ({"type": "cancel"}, Cancelled(1000.0)),
    ],
    ids=["camera", "hello", "still", "painted", "cancel"],
)
async def test_what_the_page_says_is_told_to_the_session(
    opened: tuple[Parts, Clock], camera: Camera, said: dict[str, Any], told: Input
) -> None:
    parts, clock = opened
    stage = await _stage(opened, camera)
    clock.s = 1000.0
    stage.peer.on_message(json.dumps(said))
    stage.peer.on_message('{"type":"cancel"}')
    await stage.end()
    (path,) = _tapes(parts)
    heard = [line.value for line in open_tape(path).lines() if line.kind in INPUTS]
    assert heard[:2] == [Began(), told]


async def test_a_declined_session_goes_on_and_leaves_nothing(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    parts, _ = opened
    await enrolled(parts, "ann", 1)
    stage = await _stage(opened, camera)
    await stage.show(5)
    assert len(_tapes(parts)) == 1
    stage.peer.on_message('{"type":"decline"}')
    assert stage.connection.of("recording") == [{"type": "recording", "recorded": False}]
    assert _tapes(parts) == []
    stage.peer.on_encoded("VP8", 0, b"\0")
    await stage.show(LONG)
    assert (await stage.end())["outcome"] == "accepted"
    assert _tapes(parts) == []


async def test_nothing_is_recorded_unless_told(tmp_path: Path, camera: Camera) -> None:
    parts, clock = await make_parts(tmp_path, camera)
    stage = await _stage((parts, clock), camera)
    assert stage.connection.of("welcome")[0]["recorded"] is False
    assert not stage.peer.recorded
    stage.peer.on_message('{"type":"cancel"}')
    await stage.end()
    assert list(tmp_path.rglob(LINES)) == []  # noqa: ASYNC240
    await close_parts(parts)


async def test_a_full_disk_ends_the_tape_and_not_the_session(
    opened: tuple[Parts, Clock], camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, _ = opened
    await enrolled(parts, "ann", 1)
    stage = await _stage(opened, camera)
    await stage.show(3)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.tape.writer.TapeWriter._write", full)
    await stage.show(LONG)
    assert (await stage.end())["outcome"] == "accepted"
    assert not stage.peer.recorded
    (path,) = _tapes(parts)
    result = replay(open_tape(path), torn=True)  # readable up to there
    assert result.torn
    assert result.same
    assert result.observations >= 2


async def test_a_shelf_that_vanished_costs_no_login(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    parts, _ = opened
    assert parts.shelf is not None
    parts.shelf.folder.rmdir()
    stage = await _stage(opened, camera)
    assert stage.connection.of("welcome")[0]["recorded"] is False
    stage.peer.on_message('{"type":"cancel"}')
    assert (await stage.end())["outcome"] == "expired"


async def test_tapes_go_with_their_people_and_with_time(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    parts, clock = opened
    assert parts.shelf is not None
    await enrolled(parts, "ann", 1)
    for purpose, subject in (("login", "ann"), ("login", "bob"), ("identify", None)):
        stage = await _stage(opened, camera, purpose, subject)
        stage.peer.on_message('{"type":"cancel"}')
        await stage.end()
        clock.s += 1
    stranger = parts.shelf.folder / CLIENT / "notes"
    stranger.mkdir()
    assert len(_tapes(parts)) == 3
    assert parts.shelf.remove_subject("another", "ann") == 0
    # Her login, and the identification whose gallery she is in.
    assert parts.shelf.remove_subject(CLIENT, "ann") == 2
    (left,) = _tapes(parts)
    assert open_tape(left).header["subject"] == "bob"
    assert parts.shelf.over(clock.now() + timedelta(days=29), {}) == {}
    assert parts.shelf.over(clock.now() + timedelta(days=31), {"another": 7}) == {CLIENT: [left]}
    assert parts.shelf.over(clock.now() + timedelta(days=8), {CLIENT: 7}) == {CLIENT: [left]}
    assert parts.shelf.remove([left]) == [left]
    assert _tapes(parts) == []
    assert stranger.is_dir()


async def test_removing_a_client_removes_its_tapes(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    parts, _ = opened
    assert parts.shelf is not None
    stage = await _stage(opened, camera)
    stage.peer.on_message('{"type":"cancel"}')
    await stage.end()
    assert parts.shelf.remove_client(CLIENT) == 1
    assert parts.shelf.remove_client("nobody") == 0


async def test_who_is_forgotten_meanwhile_changes_no_tape(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    """Their row goes from every gallery at once, but a tape plays as it was recorded."""
    parts, _ = opened
    await enrolled(parts, "ann", 1)
    await enrolled(parts, "bob", 3)
    stage = await _stage(opened, camera, "identify", None)
    await stage.show(10)
    await parts.store.forget_subject(CLIENT, "bob")
    other = await gallery_of(parts, await claimed(parts, "identify", None))
    assert other.subjects == ("ann",)
    await stage.show(LONG)
    assert (await stage.end())["outcome"] == "accepted"
    (path,) = _tapes(parts)
    result = replay(open_tape(path))
    assert result.same, result.differences
    assert result.decided is not None
    assert (result.decided.phase, result.decided.subject) == ("accepted", "ann")


async def test_of_who_is_forgotten_meanwhile_no_tape_stays(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    """Also where the tape was begun after those of the person were removed."""
    parts, _ = opened
    await enrolled(parts, "ann", 1)
    for purpose, subject in (("identify", None), ("login", "ann"), ("enroll", "eve")):
        stage = await _stage(opened, camera, purpose, subject)
        await parts.store.forget_subject(CLIENT, subject or "ann")
        await stage.show(LONG)
        assert (await stage.end())["outcome"] == "rejected"
        assert stage.connection.of("error")[-1]["error"]["code"] == "session_over"
        assert _tapes(parts) == []
        await enrolled(parts, "ann", 1)


async def test_an_identification_among_many_is_not_recorded(
    opened: tuple[Parts, Clock], camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, _ = opened
    await enrolled(parts, "ann", 1)
    monkeypatch.setattr(recorder, "MAX_GALLERY", 0)
    stage = await _stage(opened, camera, "identify", None)
    assert stage.connection.of("welcome")[0]["recorded"] is False
    stage.peer.on_message('{"type":"cancel"}')
    await stage.end()


async def test_a_session_that_never_began_leaves_nothing(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    parts, _ = opened
    stage = await _stage(opened, camera)
    stage.peer.unrecord()
    stage.peer.unrecord()
    assert _tapes(parts) == []
    stage.peer.on_message('{"type":"cancel"}')
    await stage.end()


def test_a_shelf_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "tapes"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with pytest.raises(PrivateFolderError, match="0700"):
        Shelf(folder, 1).open()
    (tmp_path / "file").write_text("")
    with pytest.raises(PrivateFolderError):
        Shelf(tmp_path / "file", 1).open()
    Shelf(tmp_path / "new" / "tapes", 1).open()
    assert stat.S_IMODE((tmp_path / "new" / "tapes").stat().st_mode) == 0o700


async def test_the_settings_open_the_shelf(tmp_path: Path) -> None:
    from server import app
    from tests.server.stage import settings

    def look(frame: Any, ask: Any) -> Any:
        raise AssertionError

    parts = app.build(settings(tmp_path, record=str(tmp_path / "t"), record_days="2"), look)
    assert parts.shelf == Shelf(tmp_path / "t", 2.0)
    (tmp_path / "t").chmod(0o755)
    with pytest.raises(ConfigError, match="LOOKGATE_RECORD"):
        app.build(settings(tmp_path, record=str(tmp_path / "t")), look)
    await parts.inference.close()


async def test_the_header_says_what_it_holds(opened: tuple[Parts, Clock], camera: Camera) -> None:
    parts, _ = opened
    stage = await _stage(opened, camera)
    stage.peer.on_message('{"type":"cancel"}')
    await stage.end()
    (path,) = _tapes(parts)
    header = json.loads((path / LINES).read_text("utf-8").splitlines()[0])
    assert "face" in header["consent"]
    assert header["recorded_at"].startswith("2026-01-01T12:00")
    assert header["policy_fingerprint"] == stage.peer.policy.fingerprint()
