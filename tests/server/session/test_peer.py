"""One session's life: what is said, recorded and counted, whichever way it ends."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.events import Decided, PhaseChanged
from pipeline.frame import Frame
from pipeline.inputs import Began, Seen
from pipeline.observation import Ask, Observation
from pipeline.reasons import Phase, Purpose
from pipeline.session import SessionPipeline
from pipeline.template import Floats, Gallery, Match
from server.keys.token import verify
from server.parts import Parts
from server.people.consent import open_consent
from server.session import peer, protocol, searching
from server.session.occupancy import YOUNG_S, Holder, Place
from server.store.port import Conflict, NotFound, SessionRecord, Unavailable
from tests.pipeline.observations import Camera, gallery
from tests.server.stage import (
    CLIENT,
    PIXELS,
    POLICY,
    VAULT,
    Clock,
    Stage,
    claimed,
    close_parts,
    enrolled,
    failed,
    failures,
    gallery_of,
    make_parts,
)

LONG = 60
"""Frames: 4 s at 15 a second, more than a window."""


@pytest.fixture
def camera() -> Camera:
    return Camera()


@pytest.fixture
async def opened(tmp_path: Path, camera: Camera) -> AsyncIterator[tuple[Parts, Clock]]:
    parts, clock = await make_parts(tmp_path, camera)
    yield parts, clock
    await close_parts(parts)


@pytest.fixture
async def small(tmp_path: Path, camera: Camera) -> AsyncIterator[tuple[Parts, Clock]]:
    """With two places."""
    parts, clock = await make_parts(tmp_path, camera, max_sessions="2")
    yield parts, clock
    await close_parts(parts)


async def _stage(
    opened: tuple[Parts, Clock], camera: Camera, purpose: str, subject: str | None, **more: Any
) -> Stage:
    parts, clock = opened
    record = await claimed(parts, purpose, subject, **more)
    stage = Stage.of(parts, clock, camera, record, await gallery_of(parts, record))
    await stage.open()
    return stage


async def _state(stage: Stage) -> SessionRecord:
    return await stage.parts.store.sessions.get(stage.peer.record.session_id)


async def _ended(
    opened: tuple[Parts, Clock],
    camera: Camera,
    purpose: str,
    subject: str | None,
    *,
    frames: int = LONG,
    **more: Any,
) -> tuple[Stage, dict[str, Any]]:
    """A session that was shown what stands before the camera, and its verdict."""
    stage = await _stage(opened, camera, purpose, subject, **more)
    await stage.show(frames)
    return stage, await stage.end()


async def _disconnected(stage: Stage) -> None:
    """The session ends by itself, as one whose page went away."""
    async with asyncio.timeout(5):
        await stage.task
    record = await _state(stage)
    assert (record.state, record.reasons) == ("expired", ("disconnected",))


def _let_go(stage: Stage) -> None:
    assert len(stage.parts.opening.admission.occupancy) == 0
    assert not stage.parts.peers
    assert stage.connection.closings == 1


async def test_a_login_is_recorded_and_gets_a_token(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    parts, clock = opened
    await enrolled(parts, "ann", 1)
    await failed(parts, "ann")
    stage, verdict = await _ended(opened, camera, "login", "ann")
    assert (verdict["outcome"], verdict["reasons"], verdict["retry"]) == ("accepted", [], False)
    claims = verify(
        verdict["token"],
        expected_issuer=parts.settings.public_url,
        expected_audience=CLIENT,
        expected_nonce="n" * 20,
        expected_purpose="login",
        jwks=await parts.keyring.jwks(clock.now()),
        now=clock.now(),
    )
    assert claims["sub"] == "ann"
    assert claims["sid"] == stage.peer.record.session_id
    assert verdict["expires_in_s"] == claims["exp"] - claims["iat"]
    record = await _state(stage)
    assert record.state == "accepted"
    assert {row["cue"] for row in json.loads(record.evidence)} >= {"face", "spoof", "identity"}
    assert await failures(parts, "ann") == 1  # that of another, who must not gain by this
    assert stage.connection.sent[0]["type"] == "welcome"
    assert [m["phase"] for m in stage.connection.of("phase")] == [
        "framing",
        "gathering",
        "accepted",
    ]
    assert parts.metrics.sessions.value("login", "accepted", "") == 1
    _let_go(stage)


async def test_a_film_that_is_shown_to_two_sessions_is_known(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    await enrolled(opened[0], "ann", 1)
    reasons = []
    for begins in (0, 0, 60):
        camera.seq = begins
        stage, verdict = await _ended(opened, camera, "login", "ann")
        assert verdict["outcome"] == "accepted"
        rows = json.loads((await _state(stage)).evidence)
        reasons += [row["reason"] for row in rows if row["cue"] == "replayed"]
    assert reasons == ["none_before", "as_before", "as_none_before"]


async def test_where_replays_are_refused_the_page_hears_liveness_and_nothing_more(
    tmp_path: Path, camera: Camera
) -> None:
    opened = await make_parts(tmp_path, camera, replayed="refuse")
    await enrolled(opened[0], "ann", 1)
    heard = []
    for _ in range(2):
        camera.seq = 0
        stage, verdict = await _ended(opened, camera, "login", "ann")
        heard.append((verdict["outcome"], verdict["reasons"]))
    await close_parts(opened[0])
    assert heard == [("accepted", []), ("rejected", ["liveness"])]
    assert "token" not in verdict
    assert "replay" not in json.dumps(stage.connection.sent)


@pytest.mark.parametrize(
    ("purpose", "subject", "change"),
    [
        ("login", "ann", {}),
        ("login", "ann", {"person": 2}),
        ("login", "ann", {"motion": 0.0}),
        ("login", "ann", {"margin": -9.0}),
        ("login", "ann", {"rival": 0.8}),
        ("identify", None, {}),
        ("enroll", "new", {}),
        ("login", "ann", {"luma": 12.0}),
    ],
)
async def test_says_what_a_plain_loop_says_for_the_same_frames(
    opened: tuple[Parts, Clock],
    camera: Camera,
    monkeypatch: pytest.MonkeyPatch,
    purpose: str,
    subject: str | None,
    change: dict[str, Any],
) -> None:
    parts, clock = opened
    await enrolled(parts, "ann", 1)
    await enrolled(parts, "bob", 3)
    frames = 130

    def camera_again() -> Camera:
        fresh = Camera()
        for name, value in change.items():
            setattr(fresh, name, value)
        return fresh

    # The plain loop: no network, no tasks, no clock.
    record = await claimed(parts, purpose, subject)
    found = await gallery_of(parts, record)
    session = SessionPipeline(
        purpose=Purpose(purpose),
        policy=POLICY,
        gallery=found,
        model_id="test",
        started_s=clock.s,
    )
    plain = camera_again()
    plain.now_s = clock.s
    events = session.receive(Began())
    for _ in range(frames):
        if session.over:
            break
        events += session.receive(Seen(plain.shot(session.ask())))
    decided = next((event for event in events if isinstance(event, Decided)), None)

    # The shell, with the server's threads looking at the same scene.
    live = Camera()
    live.__dict__.update(camera_again().__dict__)
    monkeypatch.setattr(camera, "shot", live.shot)
    stage = await _stage(opened, live, purpose, subject)
    await stage.show(frames)
    said = [m for m in stage.connection.sent if m["type"] in ("phase", "hint", "progress")]
    expected = [json.loads(protocol.encode(e)) for e in events if not isinstance(e, Decided)]
    if decided is None:
        stage.peer.on_state("closed")
        await stage.task
    else:
        verdict = await stage.end()
        assert verdict["outcome"] == decided.phase.value
        assert verdict["reasons"] == [reason.value for reason in decided.reasons]
        said = [m for m in stage.connection.sent if m["type"] in ("phase", "hint", "progress")]
    assert said == expected
    assert live.asked == plain.asked


async def test_among_many_a_face_is_looked_for_in_a_thread(
    opened: tuple[Parts, Clock], camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()
    search = Gallery.best

    def watched(self: Gallery, probe: Floats) -> Match | None:
        threads.add(threading.current_thread())
        return search(self, probe)

    monkeypatch.setattr(Gallery, "best", watched)
    monkeypatch.setattr(searching, "AT_ONCE", 1)
    await enrolled(opened[0], "ann", 1)
    await enrolled(opened[0], "bob", 3)
    _, verdict = await _ended(opened, camera, "identify", None)
    assert verdict["outcome"] == "accepted"
    assert threads
    assert threading.current_thread() not in threads


async def test_another_person_is_refused_and_counted(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    parts, _ = opened
    await enrolled(parts, "ann", 1)
    camera.person = 2
    stage, verdict = await _ended(opened, camera, "login", "ann")
    assert (verdict["outcome"], verdict["reasons"], verdict["retry"]) == (
        "rejected",
        ["no_match"],
        True,
    )
    assert "token" not in verdict
    assert (await failures(parts, "ann")) == 1
    assert (await _state(stage)).reasons == ("no_match",)
    _let_go(stage)


async def test_a_wearer_who_shows_is_refused_counted_and_on_record(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    """The page hears `liveness` and no more; the record says which break it was, and how often."""
    parts, _ = opened
    await enrolled(parts, "ann", 1)
    stage = await _stage(opened, camera, "login", "ann")
    await stage.show(10)
    camera.person, camera.look = 2, {"same": True}  # in the same place
    await stage.show(LONG)
    verdict = await stage.end()
    assert (verdict["outcome"], verdict["reasons"]) == ("rejected", ["liveness"])
    assert (await failures(parts, "ann")) == 1
    record = await _state(stage)
    rows = {row["cue"]: row for row in json.loads(record.evidence or "[]")}
    row = rows["continuity"]
    assert (row["stand"], row["reason"]) == ("against", "another_face")
    assert row["numbers"] == {"another_face": 1.0}
    _let_go(stage)


async def test_an_unknown_subject_ends_as_a_mismatch_does(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    parts, _ = opened
    await enrolled(parts, "ann", 2)
    ends = []
    for subject in ("ann", "nobody"):
        stage, _ = await _ended(opened, camera, "login", subject)
        # But progress, which is that of other pictures of the same camera.
        told = [m for m in stage.connection.sent if m["type"] != "progress"]
        ends.append([{**m, "session": ""} for m in told])
        assert (await failures(parts, subject)) == 1
    assert ends[0] == ends[1]


async def test_a_decoy_is_never_accepted_even_if_a_face_were_the_same(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    parts, clock = opened
    record = await claimed(parts, "login", "nobody")
    own = Gallery(("nobody",), gallery(1).matrix)  # the face that stands before the camera
    stage = Stage.of(parts, clock, camera, record, own)
    await stage.open()
    await stage.show(LONG)
    verdict = await stage.end()
    assert (verdict["outcome"], verdict["reasons"]) == ("rejected", ["internal"])
    assert "token" not in verdict
    assert (await _state(stage)).state == "rejected"


@pytest.mark.parametrize("person", [1, 2])
async def test_a_template_of_another_embedder_is_as_good_as_none(
    opened: tuple[Parts, Clock], camera: Camera, person: int
) -> None:
    """Its owner is refused as a stranger is, and a decoy in its place opens nothing."""
    parts, _ = opened
    await enrolled(parts, "ann", 1)
    kept = await parts.store.templates.get(CLIENT, "ann")
    await parts.store.templates.put(replace(kept, model_id="older"), replace=True)
    camera.person = person
    _, verdict = await _ended(opened, camera, "login", "ann")
    assert verdict["reasons"] == ["no_match"]
    assert (await failures(parts, "ann")) == 1


async def test_an_acceptance_does_not_stand_on_a_template_that_was_not_compared(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    parts, clock = opened
    await enrolled(parts, "ann", 1)
    kept = await parts.store.templates.get(CLIENT, "ann")
    await parts.store.templates.put(replace(kept, model_id="older"), replace=True)
    record = await claimed(parts, "login", "ann")
    own = Gallery(("ann",), gallery(1).matrix)  # a decoy like the face before the camera
    stage = Stage.of(parts, clock, camera, record, own)
    await stage.open()
    await stage.show(LONG)
    verdict = await stage.end()
    assert (verdict["outcome"], verdict["reasons"]) == ("rejected", ["internal"])
    assert "token" not in verdict


async def test_the_fifth_failure_says_that_trying_again_makes_no_sense(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    parts, _ = opened
    await enrolled(parts, "ann", 1)
    for _ in range(4):
        await failed(parts, "ann")
    camera.person = 2
    _, verdict = await _ended(opened, camera, "login", "ann")
    assert verdict["retry"] is False


async def test_identify_names_the_person(opened: tuple[Parts, Clock], camera: Camera) -> None:
    parts, _ = opened
    await enrolled(parts, "ann", 1)
    await enrolled(parts, "bob", 3)
    camera.person = 3
    stage, verdict = await _ended(opened, camera, "identify", None)
    assert verdict["outcome"] == "accepted"
    assert (await _state(stage)).subject == "bob"


async def test_an_enrolment_stores_a_template_that_logs_in(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    parts, _ = opened
    _, verdict = await _ended(opened, camera, "enroll", "ann", frames=200)
    assert verdict["outcome"] == "accepted"
    sealed = await parts.store.templates.get(CLIENT, "ann")
    assert sealed.model_id == "test"
    agreed = open_consent(VAULT, sealed)
    assert agreed is not None
    assert (agreed.text_id, agreed.client) == ("lookgate", CLIENT)
    _, verdict = await _ended(opened, camera, "login", "ann")
    assert verdict["outcome"] == "accepted"


async def test_of_two_enrolments_the_second_changes_nothing(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    parts, _ = opened
    stage = await _stage(opened, camera, "enroll", "ann")
    await enrolled(parts, "ann", 7)
    before = await parts.store.templates.get(CLIENT, "ann")
    await stage.show(200)
    verdict = await stage.end()
    assert (verdict["outcome"], verdict["reasons"]) == ("rejected", ["internal"])
    assert stage.connection.of("error")[0]["error"]["code"] == "subject_enrolled"
    assert await parts.store.templates.get(CLIENT, "ann") == before
    assert (await _state(stage)).state == "rejected"


async def test_replace_replaces(opened: tuple[Parts, Clock], camera: Camera) -> None:
    parts, _ = opened
    await enrolled(parts, "ann", 7)
    before = await parts.store.templates.get(CLIENT, "ann")
    _, verdict = await _ended(opened, camera, "enroll", "ann", frames=200, replace=True)
    assert verdict["outcome"] == "accepted"
    assert await parts.store.templates.get(CLIENT, "ann") != before


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unavailable, "store_unavailable"),
        (Conflict, "session_over"),
        (NotFound, "session_over"),
        (RuntimeError, "internal"),
    ],
)
async def test_what_cannot_be_recorded_is_not_accepted(
    opened: tuple[Parts, Clock],
    camera: Camera,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
    code: str,
) -> None:
    parts, _ = opened
    await enrolled(parts, "ann", 1)
    stage = await _stage(opened, camera, "login", "ann")

    async def refuse(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(parts.store.endings, "accept", refuse)
    await stage.show(LONG)
    verdict = await stage.end()
    assert (verdict["outcome"], verdict["reasons"]) == ("rejected", ["internal"])
    assert "token" not in verdict
    assert [m["error"]["code"] for m in stage.connection.of("error")] == [code]
    assert [m["phase"] for m in stage.connection.of("phase")][-1] == "rejected"
    _let_go(stage)


@pytest.mark.parametrize("verb", ["mint", "accept"])
async def test_what_the_page_hears_is_what_is_recorded_in_the_end(
    opened: tuple[Parts, Clock], camera: Camera, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    parts, _ = opened
    stage = await _stage(opened, camera, "enroll", "ann")

    async def refuse(*args: Any, **kwargs: Any) -> None:
        raise Unavailable

    monkeypatch.setattr(parts.keyring if verb == "mint" else parts.store.endings, verb, refuse)
    await stage.show(200)
    verdict = await stage.end()
    assert (verdict["outcome"], verdict["reasons"]) == ("rejected", ["internal"])
    await parts.verdicts.settle()
    assert (await _state(stage)).state == "rejected"
    with pytest.raises(NotFound):
        await parts.store.templates.get(CLIENT, "ann")


async def test_a_bug_in_looking_ends_the_session_without_acceptance(
    opened: tuple[Parts, Clock],
    camera: Camera,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts, _ = opened
    await enrolled(parts, "ann", 1)
    stage = await _stage(opened, camera, "login", "ann")
    await stage.show(5)

    def broken(ask: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(camera, "shot", broken)
    with caplog.at_level(logging.ERROR):
        await stage.show(1)
        verdict = await stage.end()
    assert (verdict["outcome"], verdict["reasons"]) == ("rejected", ["internal"])
    assert (await _state(stage)).state == "rejected"
    assert any(record.message == "bug in a session" for record in caplog.records)
    _let_go(stage)


async def test_a_bug_in_the_core_ends_the_session_without_acceptance(
    opened: tuple[Parts, Clock], camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = await _stage(opened, camera, "login", "ann")

    def broken(*args: Any) -> Any:
        raise AssertionError("impossible")

    monkeypatch.setattr(SessionPipeline, "receive", broken)
    await stage.show(1)
    assert (await stage.end())["reasons"] == ["internal"]
    _let_go(stage)


def _message(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields})


async def test_ping_hello_and_cancel(opened: tuple[Parts, Clock], camera: Camera) -> None:
    stage = await _stage(opened, camera, "login", "ann")
    stage.peer.on_message(_message("hello", version=1, widget="w"))
    stage.peer.on_message(_message("ping", n=41))
    assert stage.connection.of("pong") == [{"type": "pong", "n": 41}]
    stage.peer.on_message(_message("cancel"))
    verdict = await stage.end()
    assert (verdict["reasons"], verdict["retry"]) == (["cancelled"], True)
    assert (await _state(stage)).reasons == ("cancelled",)
    stage.peer.on_message(_message("ping", n=42))  # after the end: nothing
    assert len(stage.connection.of("pong")) == 1
    _let_go(stage)


async def test_a_message_before_the_channel_was_noticed_is_answered_after_the_welcome(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    parts, clock = opened
    record = await claimed(parts, "login", "ann")
    stage = Stage.of(parts, clock, camera, record, gallery(1))
    await asyncio.sleep(0)
    stage.peer.on_message(_message("ping", n=1))
    assert [m["type"] for m in stage.connection.sent] == ["welcome", "phase", "pong"]
    await stage.open()
    assert len(stage.connection.of("welcome")) == 1
    stage.peer.on_state("closed")
    await stage.task


async def test_five_refused_messages_end_the_session(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    stage = await _stage(opened, camera, "login", "ann")
    for data in ("{", b"\x00", _message("nonsense"), _message("ping", n=-1), "x" * 5000):
        stage.peer.on_message(data)
    assert [m["error"]["code"] for m in stage.connection.of("error")] == [
        "message_malformed",
        "message_malformed",
        "message_unknown",
        "message_invalid",
        "message_too_large",
    ]
    assert (await stage.end())["reasons"] == ["disconnected"]
    _let_go(stage)


async def test_too_many_messages_end_the_session(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    stage = await _stage(opened, camera, "login", "ann")
    for n in range(50):
        stage.peer.on_message(_message("ping", n=n))
    assert len(stage.connection.of("pong")) == protocol.BURST
    assert {m["error"]["code"] for m in stage.connection.of("error")} == {"message_rate"}
    assert (await stage.end())["reasons"] == ["disconnected"]


@pytest.mark.parametrize("state", ["failed", "closed"])
async def test_a_lost_connection_ends_the_session(
    opened: tuple[Parts, Clock], camera: Camera, state: str
) -> None:
    stage = await _stage(opened, camera, "login", "ann")
    await stage.show(3)
    stage.peer.on_state("connected")
    stage.peer.on_state(state)
    await _disconnected(stage)
    _let_go(stage)


async def test_silence_is_noticed_within_five_seconds(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    stage = await _stage(opened, camera, "login", "ann")
    await stage.show(3)
    stage.clock.advance(3.4)
    stage.peer.on_message(_message("ping", n=1))  # the camera froze, but the page lives
    stage.clock.advance(3.4)
    assert stage.clock.next_s() == pytest.approx(stage.clock.s + 0.1)
    stage.clock.advance(0.2)
    await _disconnected(stage)
    alarms = [one for one in stage.clock.alarms if one.call.__self__ is stage.peer]  # type: ignore[attr-defined]
    assert alarms
    assert all(one.over for one in alarms), "a timer of a peer that has gone"
    _let_go(stage)


async def test_a_deadline_that_comes_nearer_is_not_slept_through(
    opened: tuple[Parts, Clock], camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a picture is measured the timer waits for the session's end, and then no longer."""
    stage = await _stage(opened, camera, "login", "ann")
    await stage.show(3)
    began, done, shot = threading.Event(), threading.Event(), camera.shot

    def slow(ask: Ask) -> Observation:
        began.set()
        assert done.wait(5)
        return shot(ask)

    monkeypatch.setattr(camera, "shot", slow)
    shown = asyncio.create_task(stage.show(1))
    await asyncio.to_thread(began.wait, 5)
    stage.clock.advance(5.0)
    assert stage.clock.next_s() == 100.0 + POLICY.time_limit_s
    done.set()
    await shown
    assert stage.clock.next_s() == stage.clock.s + 3.5
    stage.clock.advance(3.5)
    await _disconnected(stage)


async def test_a_bug_in_what_time_brings_ends_the_session_without_acceptance(
    opened: tuple[Parts, Clock], camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = await _stage(opened, camera, "login", "ann")

    def broken(*args: Any) -> Any:
        raise AssertionError("impossible")

    monkeypatch.setattr(SessionPipeline, "receive", broken)
    stage.clock.advance(4.0)
    assert (await stage.end())["reasons"] == ["internal"]
    _let_go(stage)


async def test_a_peer_that_never_connects_is_given_up(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    parts, clock = opened
    record = await claimed(parts, "login", "ann")
    stage = Stage.of(parts, clock, camera, record, gallery(1))
    await stage.until(lambda: clock.alarms)
    clock.advance(9.9)
    assert clock.next_s() == 110.0
    clock.advance(0.1)
    await _disconnected(stage)
    _let_go(stage)


async def test_a_page_without_a_camera_is_given_up(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    stage = await _stage(opened, camera, "login", "ann")
    for n in range(9):
        stage.clock.advance(1.0)
        stage.peer.on_message(_message("ping", n=n))
    stage.clock.advance(0.9)
    assert stage.clock.next_s() == 110.0
    stage.clock.advance(0.1)
    await _disconnected(stage)


async def test_an_empty_room_ends_by_the_time_limit_though_nothing_else_comes(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    camera.person = None
    stage = await _stage(opened, camera, "login", "ann")
    await stage.show(15)
    assert stage.connection.of("hint")[0]["hint"] == "no_face"
    for n in range(int(POLICY.time_limit_s)):
        stage.clock.advance(1.0)
        stage.peer.on_message(_message("ping", n=n))
    verdict = await stage.end()
    assert (verdict["outcome"], verdict["reasons"]) == ("expired", ["timeout"])
    assert any(m["hint"] == "camera_slow" for m in stage.connection.of("hint"))


async def test_a_page_that_does_not_close_is_closed(
    opened: tuple[Parts, Clock], camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "GOODBYE_S", 0.01)
    stage = await _stage(opened, camera, "login", "ann")
    stage.connection.stays = True
    stage.peer.on_message(_message("cancel"))
    assert (await stage.end())["reasons"] == ["cancelled"]
    _let_go(stage)


async def test_an_early_cancel_does_not_count(opened: tuple[Parts, Clock], camera: Camera) -> None:
    parts, _ = opened
    await enrolled(parts, "ann", 1)
    stage = await _stage(opened, camera, "login", "ann")
    await stage.show(3)
    stage.peer.on_message(_message("cancel"))
    await stage.end()
    assert (await failures(parts, "ann")) == 0


async def test_a_stopped_server_says_so(opened: tuple[Parts, Clock], camera: Camera) -> None:
    stage = await _stage(opened, camera, "login", "ann")
    stage.peer.stop()
    verdict = await stage.end()
    assert (verdict["outcome"], verdict["reasons"]) == ("rejected", ["internal"])
    assert stage.connection.of("error")[0]["error"]["code"] == "server_stopping"
    _let_go(stage)


async def test_an_end_is_said_only_once_it_is_recorded(
    opened: tuple[Parts, Clock], camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, _ = opened
    await enrolled(parts, "ann", 1)
    stage = await _stage(opened, camera, "login", "ann")
    accept, said_before = parts.store.endings.accept, []

    async def watched(*args: Any, **kwargs: Any) -> None:
        said_before.extend(stage.connection.sent)
        await accept(*args, **kwargs)

    monkeypatch.setattr(parts.store.endings, "accept", watched)
    await stage.show(LONG)
    await stage.end()
    ended = json.loads(protocol.encode(PhaseChanged(Phase.ACCEPTED)))
    assert ended not in said_before
    assert ended in stage.connection.sent


async def test_the_log_tells_when_gathering_began_and_when_it_was_enough(
    opened: tuple[Parts, Clock], camera: Camera, caplog: pytest.LogCaptureFixture
) -> None:
    parts, _ = opened
    await enrolled(parts, "ann", 1)
    caplog.set_level(logging.INFO, logger="server.session.peer")
    await _ended(opened, camera, "login", "ann")
    (line,) = (vars(record) for record in caplog.records if record.message == "session over")
    settle_ms = 1000 * POLICY.settle_s
    assert 0 <= line["gathering_ms"] <= line["decided_ms"] - settle_ms
    assert line["decided_ms"] <= line["verdict_ms"]


async def test_a_video_that_was_given_up_for_its_size_is_named(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    stage = await _stage(opened, camera, "enroll", "carol")
    stage.connection.skipped, stage.connection.overflown = {"too_large": 5, "rate": 0}, 7
    stage.peer.on_too_large()
    verdict = await stage.end()
    assert (verdict["outcome"], verdict["reasons"]) == ("expired", ["disconnected"])
    assert [m["error"]["code"] for m in stage.connection.of("error")] == ["video_too_large"]
    assert stage.parts.metrics.undecoded.value("too_large") == 5
    assert stage.parts.metrics.overflow.value() == 7
    stage.peer.on_too_large()  # too late to change anything
    assert len(stage.connection.of("error")) == 1


async def test_a_replaced_session_says_so_and_counts_what_stood_against_it(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    parts, _ = opened
    await enrolled(parts, "ann", 1)
    camera.person, camera.margin = 2, -0.5  # whose verdict takes longer
    stage = await _stage(opened, camera, "login", "ann")
    await stage.show(23)
    assert not stage.connection.of("verdict")
    stage.peer.place.replaced()
    verdict = await stage.end()
    assert (verdict["outcome"], verdict["reasons"]) == ("expired", ["cancelled"])
    assert [one["error"]["code"] for one in stage.connection.of("error")] == ["session_replaced"]
    assert (await failures(parts, "ann")) == 1
    _let_go(stage)


@pytest.mark.parametrize(("person", "counted"), [(2, 1), (1, 0)])
async def test_who_loses_the_face_and_then_cancels_counts_if_it_stood_against_him(
    opened: tuple[Parts, Clock], camera: Camera, person: int, counted: int
) -> None:
    """The evidence is thrown away at the break; how it stood is not."""
    parts, clock = opened
    await enrolled(parts, "ann", 1)
    camera.person = person
    record = await claimed(parts, "login", "ann")
    # A long window, so that nothing is decided before the break.
    slow = replace(POLICY, settle_s=5.0, window_s=6.0)
    stage = Stage.of(parts, clock, camera, record, await gallery_of(parts, record), slow)
    await stage.open()
    await stage.show(45)
    camera.person = None
    await stage.show(15)
    assert not stage.connection.of("verdict")
    stage.peer.on_message(_message("cancel"))
    assert (await stage.end())["reasons"] == ["cancelled"]
    assert await failures(parts, "ann") == counted
    _let_go(stage)


async def _crowd(
    opened: tuple[Parts, Clock], camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> tuple[Stage, list[Place]]:
    """A session that connected so slowly that others have all places when it shows a picture."""
    parts, clock = opened
    stage = await _stage(opened, camera, "login", "ann")
    clock.advance(YOUNG_S)
    stage.peer.on_message(_message("ping", n=1))
    others = []
    for n in range(parts.settings.max_sessions):
        others.append(
            parts.opening.admission.occupancy.enter(Holder(CLIENT, f"p{n}", "b"), clock.s)
        )
        assert others[-1].show()
    asked, show = list[bool](), stage.peer.place.show
    monkeypatch.setattr(stage.peer.place, "show", lambda: asked.append(show()) or asked[-1])
    stage.connection.frames.put(Frame(PIXELS, 0, clock.s, 0.0))
    await stage.until(lambda: asked == [False])
    return stage, others


async def test_pictures_wait_for_a_place(
    small: tuple[Parts, Clock], camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, _ = small
    await enrolled(parts, "ann", 1)
    stage, others = await _crowd(small, camera, monkeypatch)
    assert parts.metrics.frames.value() == 0
    others[0].give_back()
    await stage.show(LONG)
    assert (await stage.end())["outcome"] == "accepted"


async def test_who_finds_no_place_in_time_is_told_that_it_is_busy(
    small: tuple[Parts, Clock], camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, _ = await _crowd(small, camera, monkeypatch)
    for n in range(8):
        stage.peer.on_message(_message("ping", n=n))
        stage.clock.advance(1.0)
    await _disconnected(stage)
    assert [one["error"]["code"] for one in stage.connection.of("error")] == ["busy"]
