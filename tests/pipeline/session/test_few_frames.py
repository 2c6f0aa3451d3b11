"""What a session asks for where few of its frames are seen: less a second, no more in a frame."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from pipeline.events import Decided, Hinted
from pipeline.inputs import Seen
from pipeline.observation import Ask
from pipeline.policy import Policy
from pipeline.reasons import Hint, Phase
from tests.pipeline.observations import Camera
from tests.pipeline.session.test_session import doubtful, started

POLICY = Policy()
RATES = (15.0, 7.5, 5.0, 2.0, 1.0)
"""Frames seen a second."""
NET_RUNS = 6
"""Most of a frame: detector, mesh twice (a face that left its square), both eyes, one vote; or an
embedding instead of the last two."""


def runs(ask: Ask) -> int:
    """Nets that see() runs at most."""
    if not ask.detect and ask.roi is None:
        return 0
    dear = ask.spoof + 2 * ask.eyes + (ask.embed_above is not None)
    return 1 + 2 * ask.detect + dear


def weight(ask: Ask) -> int:
    return ask.spoof + ask.edges + ask.eyes + ask.motion + 2 * (ask.embed_above is not None)


def seen(camera: Camera, seconds: float) -> tuple[list[Ask], Decided | None]:
    """What was asked, and how it ended."""
    session, decided = started(), None
    for _ in range(int(seconds * camera.fps)):
        if session.over:
            break
        for event in session.receive(Seen(camera.shot(session.ask()))):
            decided = event if isinstance(event, Decided) else decided
    return camera.asked, decided


@pytest.mark.parametrize("make", [Camera, doubtful])
@pytest.mark.parametrize("fps", RATES)
def test_no_frame_carries_more_than_its_room(make, fps):
    asked, _ = seen(make(fps=fps), 10)
    assert len(asked) >= 10 or fps > 2
    assert max(map(weight, asked)) <= POLICY.asks_needed
    assert max(map(runs, asked)) <= NET_RUNS


@pytest.mark.parametrize("make", [Camera, doubtful])
def test_fewer_frames_ask_for_less_a_second(make):
    camera = make(fps=15.0)
    asked, _ = seen(camera, 3)
    full = sum(map(runs, asked)) / (camera.now_s - 100.0)
    for fps in RATES[1:]:
        camera = make(fps=fps)
        asked, _ = seen(camera, 10)
        assert sum(map(runs, asked)) / (camera.now_s - 100.0) <= full * 1.02, fps


@pytest.mark.parametrize("fps", [7.5, 5.0, 2.5])
def test_a_login_with_few_frames_costs_no_more_in_all_and_ends_alike(fps):
    asked, decided = seen(Camera(fps=15.0), 10)
    few, alike = seen(Camera(fps=fps), 10)
    assert decided == alike
    assert decided is not None
    assert decided.phase is Phase.ACCEPTED
    assert sum(map(weight, few)) <= 1.1 * sum(map(weight, asked))


def test_of_a_quick_cameras_frames_every_second_is_glanced_at_while_nothing_is_in_doubt():
    """And while the window lacks nothing: somebody with shut eyes, who is waited for."""
    clear, _ = seen(Camera(fps=15.0, lids=0.1), 2.9)
    glances = [runs(ask) == 0 for ask in clear]
    first = glances.index(True)
    assert 0.4 < sum(glances[first:]) / len(glances[first:]) <= 0.55
    assert not any(one and other for one, other in pairwise(glances))
    assert all(any(getattr(ask, name) for ask in clear[:first]) for name in ("spoof", "edges"))
    slow, _ = seen(Camera(fps=12.0, lids=0.1), 2.9)
    assert all(map(runs, slow))


def test_a_frame_that_was_glanced_at_is_no_lost_face_and_no_hint():
    camera, session = Camera(fps=15.0), started()
    said = [Hint.NO_FACE]
    while not session.over:
        events = session.receive(Seen(camera.shot(session.ask())))
        said += [event.hint for event in events if isinstance(event, Hinted)]
    assert said == [Hint.NO_FACE]


def test_nobody_is_accepted_before_the_window_has_what_it_needs():
    fewer = {"settle_s": 0.4, "min_frames": 6, "embeddings": 1, "spoof_votes": 2}
    policy = replace(POLICY, **fewer, motion_samples=9)  # which nothing else waits for
    camera, session = Camera(fps=7.5), started(policy=policy)
    while not session.over:
        shot = camera.shot(session.ask())
        session.receive(Seen(shot))
    votes = sum(ask.spoof for ask in camera.asked)
    looks = sum(ask.motion for ask in camera.asked)
    assert session.phase is Phase.ACCEPTED
    assert votes >= policy.spoof_votes
    assert looks > policy.motion_samples
