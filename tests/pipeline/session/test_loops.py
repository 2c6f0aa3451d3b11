"""Sessions that begin afresh again and again tell the person why, whatever the cause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline.events import Decided, Event, Hinted, PhaseChanged
from pipeline.inputs import Seen, TimePassed
from pipeline.observation import Bars
from pipeline.policy import Policy
from pipeline.reasons import Hint, Phase, Purpose
from pipeline.session import SessionPipeline
from tests.pipeline.observations import Camera, gallery

Act = Callable[[Camera, int], None]
"""What happens before the n-th frame of 15 a second."""
DOUBTFUL = {"margin": -1.0, "glow": 0.3, "eye_change": 0.3, "edges": (0.2, 0.2, 0.1, 0.0)}
"""Evidence that stays between the two sums."""


def played(
    act: Act, seconds: float = 8.0, policy: Policy | None = None, **camera: object
) -> list[Event]:
    shown = Camera(**camera)  # type: ignore[arg-type]
    session = SessionPipeline(
        purpose=Purpose.LOGIN,
        policy=policy or Policy(),
        gallery=gallery(1),
        model_id="test",
        started_s=100.0,
    )
    events: list[Event] = []
    for n in range(int(seconds * shown.fps)):
        act(shown, n)
        events += session.receive(Seen(shown.shot(session.ask())))
    return events


def hints(events: list[Event]) -> set[Hint]:
    return {event.hint for event in events if isinstance(event, Hinted) and event.hint}


def restarts(events: list[Event]) -> int:
    return sum(isinstance(e, PhaseChanged) and e.phase is Phase.FRAMING for e in events)


def _lost(camera: Camera, n: int) -> None:
    """Twice a second the face is followed no longer, and found again at once."""
    camera.look = {"same": n % 8 != 7}


def _jumps(camera: Camera, n: int) -> None:
    camera.look = {"box_px": (30.0 if n // 8 % 2 else 230.0, 140.0, 180.0, 200.0)}


def _second(camera: Camera, n: int) -> None:
    camera.rival = 0.8 if n % 32 < 16 else 0.0  # a detection a second


def _borders(camera: Camera, n: int) -> None:
    camera.bars = Bars(0, 60, 0, 60) if n // 45 % 2 else Bars()


def _nothing(camera: Camera, n: int) -> None:
    pass


@pytest.mark.parametrize(
    ("act", "camera", "hint"),
    [
        (_lost, {}, Hint.FACE_LOST),
        (_jumps, {}, Hint.HOLD_STILL),
        (_second, {}, Hint.ONE_FACE_ONLY),
        (_borders, {}, Hint.PICTURE_JUMPS),
        (_nothing, {"fps": 1.8}, Hint.CAMERA_SLOW),
    ],
)
def test_a_session_that_begins_afresh_three_times_says_why(
    act: Act, camera: dict[str, object], hint: Hint
) -> None:
    events = played(act, 24.0 if act is _borders else 12.0, **(DOUBTFUL | camera))
    assert restarts(events) >= 3
    assert hint in hints(events)


def test_once_or_twice_is_no_loop() -> None:
    def twice(camera: Camera, n: int) -> None:
        camera.look = {"same": n not in (7, 15)}

    assert hints(played(twice, 4.0)) == set()


def test_windows_that_end_undecided_three_times_say_what_was_wanting() -> None:
    policy = replace(Policy(), windows=9)
    events = played(_nothing, 20.0, policy, lids=0.05)
    assert restarts(events) >= 3
    assert hints(events) == {Hint.OPEN_EYES}
    assert not any(isinstance(e, Decided) and e.phase is Phase.ACCEPTED for e in events)


def test_frames_that_are_refused_by_turns_are_mentioned() -> None:
    def flickers(camera: Camera, n: int) -> None:
        camera.look = {"box_px": (230.0, 140.0, 60.0 if n // 3 % 2 else 90.0, 100.0)}

    assert Hint.COME_CLOSER in hints(played(flickers, 3.0))


def test_pictures_that_come_later_and_later_are_the_connections_fault() -> None:
    """Few pictures, and each is here half a second later than the first was: a full queue."""
    session = SessionPipeline(
        purpose=Purpose.LOGIN,
        policy=Policy(),
        gallery=gallery(1),
        model_id="test",
        started_s=100.0,
    )
    camera, events = Camera(), list[Event]()
    for n in range(30):
        shot = camera.shot(session.ask())
        late_s = min(0.05 * n, 0.5)
        events += session.receive(Seen(replace(shot, media_s=shot.arrival_s - 100.0 - late_s)))
        if n == 10:
            quiet_s = session.deadline_s()
            events += session.receive(TimePassed(quiet_s))
            camera.now_s = quiet_s
    assert hints(events) == {Hint.CONNECTION_SLOW}
    slow = [played(_nothing, 12.0, fps=fps) for fps in (1.0, 1.8)]
    assert [hints(events) for events in slow] == [{Hint.CAMERA_SLOW}] * 2
