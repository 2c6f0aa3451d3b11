"""Clips through a session, without nets: what stands before the camera is synthetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.frame import Frame
from pipeline.observation import Ask, Observation
from pipeline.policy import POLICIES
from server.tools.evaluation import play
from server.tools.evaluation.acquire import acquire
from server.tools.evaluation.folder import Item
from server.tools.film import write
from tests.pipeline.observations import Camera, D, face, identity
from tests.server.pictures import paint

POLICY = POLICIES["standard"]


def _film(path: Path, count: int, fps: float = 15.0) -> Item:
    write(path, ((n / fps, paint(n)) for n in range(count)), fps)
    return Item(path, path.name, "live", False)


def _before(camera: Camera) -> Callable[[Frame, Ask], Observation]:
    """A `see` that answers the same for the same frame, as the true one does."""

    def see(frame: Frame, ask: Ask) -> Observation:
        camera.seq, camera.now_s = frame.seq, frame.arrival_s
        seen = camera.shot(ask)
        return replace(seen, seq=frame.seq, arrival_s=frame.arrival_s, media_s=frame.media_s)

    return see


def _play(tmp_path: Path, camera: Camera, count: int = 75, fps: float = 15.0) -> dict[str, Any]:
    item = _film(tmp_path / "film.mp4", count, fps)
    camera.fps = fps
    return play.play(item, _before(camera), POLICY, D)


def test_a_person_is_accepted_and_measured_to_the_end(tmp_path: Path) -> None:
    found = _play(tmp_path, Camera(margin=5.0), 105)
    assert found["phase"] == "accepted"
    assert POLICY.settle_s <= found["took_s"] < POLICY.window_s
    assert found["pictures"] == 105
    assert len(found["windows"]) == 2, "7 s hold two windows of 3 s"
    assert found["sums"][0] >= POLICY.accept_llr
    assert all(row["topic"] != "identity" for row in found["rows"])


def test_an_attack_is_refused_for_liveness(tmp_path: Path) -> None:
    found = _play(tmp_path, Camera(margin=-7.0))
    assert (found["phase"], found["reasons"]) == ("rejected", ["liveness"])
    assert found["sums"][0] < 0.0
    assert len(found["windows"]) == 1, "the refusal did not end the measuring"


def test_anybody_is_the_owner(tmp_path: Path) -> None:
    # cosines to the gallery near 0, and even no embedding at all
    camera = Camera(person=7, margin=5.0, look={"quality": 0.9})
    assert _play(tmp_path, camera)["phase"] == "accepted"


def test_nobody_there_is_a_failure_to_acquire(tmp_path: Path) -> None:
    found = _play(tmp_path, Camera(person=None), 40)
    assert found["gathered"] is False
    assert found["phase"] is None
    assert "no_face" in found["hints"]
    assert found["windows"] == []


def test_a_clip_of_one_picture_has_no_verdict(tmp_path: Path) -> None:
    found = _play(tmp_path, Camera(margin=5.0), 1)
    assert found["pictures"] == 1
    assert found["phase"] is None
    assert found["sums"] == []


def test_a_clip_shorter_than_a_window_is_still_measured(tmp_path: Path) -> None:
    found = _play(tmp_path, Camera(margin=5.0), 32)
    assert found["seconds"] < POLICY.window_s
    assert len(found["sums"]) == 1


@pytest.mark.parametrize("content", [b"", b"no film", b"\x00" * 4096])
def test_what_cannot_be_read_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    item = Item(tmp_path / "a.mp4", "a.mp4", "live", False)
    see = _before(Camera())
    assert play.play(item, see, POLICY, D)["failure"].startswith("media_")
    assert play.still(replace(item, still=True), see, POLICY)["failure"].startswith("media_")
    gave = acquire(item, see)
    assert gave.failure.startswith("media_")
    gone = replace(item, path=tmp_path / "gone.mp4")
    assert play.play(gone, see, POLICY, D)["failure"] == "media_missing"


def test_stills_are_judged_by_the_picture_alone(tmp_path: Path) -> None:
    item = _film(tmp_path / "one.mp4", 1)
    live = play.still(item, _before(Camera(margin=4.0)), POLICY)
    assert [row["cue"] for row in live["rows"]] == ["spoof", "bezel", "glow"]
    assert live["sum"] == pytest.approx(
        4.0 * POLICY.spoof_gain + POLICY.spoof_offset + POLICY.glow_offset
    )
    assert not live["veto"]
    edged = play.still(item, _before(Camera(margin=4.0, edges=(1.0, 1.0, 0.0, 0.0))), POLICY)
    assert edged["veto"]
    assert play.still(item, _before(Camera(person=None)), POLICY)["failure"] == "no_face"
    tight = Camera(reach=0.8)
    assert play.still(item, _before(tight), POLICY)["failure"] == "crop_too_tight"


def test_a_look_takes_three_pictures_a_second(tmp_path: Path) -> None:
    item = _film(tmp_path / "film.mp4", 60)

    def see(frame: Frame, ask: Ask) -> Observation:
        assert ask.detect
        assert ask.embed_above == 0.0
        shown = face(embedding=identity(1), quality=0.2 + frame.seq / 100)
        return replace(Camera().shot(Ask()), face=shown, rival=0.1)

    gave = acquire(item, see)
    assert gave.pictures == len(gave.views) == 13
    assert gave.failure == ""
    assert {view.rival for view in gave.views} == {0.1}
