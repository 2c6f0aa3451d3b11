"""What one session asks for next, by what its frames came to."""

from __future__ import annotations

from pipeline.observation import Ask
from pipeline.policy import Policy
from pipeline.session.asks import Asks
from pipeline.session.measurements import Situation
from tests.pipeline.observations import ROI, Camera

POLICY = Policy()
GATHERING = Situation(POLICY, gathering=True)


def shown(asks: Asks, camera: Camera, now: Situation = GATHERING) -> Ask:
    """One frame: what was asked for it."""
    asked = asks.next(now)
    obs = camera.shot(asked)
    asks.note(obs)
    if obs.looked:
        asks.follow(obs)
    return asked


def test_a_face_is_looked_for_and_then_followed_until_it_is_another() -> None:
    asks, camera = Asks(POLICY, enrolling=False), Camera()
    first, second = shown(asks, camera), shown(asks, camera)
    assert (first.detect, first.roi) == (True, None)
    assert (second.detect, second.roi) == (False, ROI)
    asks.forget()
    assert asks.next(GATHERING).roi is None
    asks.missed = True
    assert asks.next(GATHERING).detect


def test_a_doubt_asks_whose_face_it_is_once() -> None:
    asks, camera = Asks(POLICY, enrolling=False), Camera()
    doubtful = Situation(POLICY, gathering=True, doubts=True)
    for _ in range(12):
        shown(asks, camera)
    asked = [shown(asks, camera, doubtful).embed_above is not None for _ in range(4)]
    assert asked == [True, False, True, False]


def test_nothing_but_a_face_is_asked_for_before_a_window() -> None:
    asks, camera = Asks(POLICY, enrolling=False), Camera()
    for _ in range(12):
        asked = shown(asks, camera, Situation(POLICY, doubts=True))
        assert asked == Ask(detect=asked.detect, roi=asked.roi)


def test_an_enrolment_lacks_embeddings_for_longer() -> None:
    counts = []
    for enrolling in (False, True):
        asks, camera, count = Asks(POLICY, enrolling=enrolling), Camera(), 0
        asks.begin()
        while asks.lacking:
            asked = shown(asks, camera)
            count += asked.embed_above is not None
        counts.append(count)
    assert counts == [POLICY.embeddings, POLICY.enroll_embeddings]
