"""A search among many runs in a thread, and changes no answer."""

from __future__ import annotations

import threading

import pytest

from pipeline.events import Decided
from pipeline.inputs import Began, Seen
from pipeline.policy import POLICIES
from pipeline.reasons import Phase, Purpose
from pipeline.session import SessionPipeline
from pipeline.template import Floats, Gallery, Match
from server.session import searching
from server.session.searching import SearchedAhead, for_session, search_ahead
from tests.pipeline.observations import Camera, gallery, identity


async def decided(
    at_once: int, person: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[Decided, list[threading.Thread]]:
    """What a session decides that may search by itself among so many, and where it searched."""
    threads: list[threading.Thread] = []
    search = Gallery.best

    def watched(self: Gallery, probe: Floats) -> Match | None:
        threads.append(threading.current_thread())
        return search(self, probe)

    monkeypatch.setattr(Gallery, "best", watched)
    monkeypatch.setattr(searching, "AT_ONCE", at_once)
    people, camera = for_session(gallery(1, 2, 3)), Camera(person=person)
    session = SessionPipeline(
        purpose=Purpose.IDENTIFY,
        policy=POLICIES["standard"],
        gallery=people,
        model_id="test",
        started_s=camera.now_s,
    )
    session.receive(Began())
    for _ in range(200):
        seen = camera.shot(session.ask())
        await search_ahead(session, people, seen)
        for event in session.receive(Seen(seen)):
            if isinstance(event, Decided):
                monkeypatch.undo()
                return event, threads
    raise AssertionError("no decision")


@pytest.mark.parametrize("person", [2, 7])
async def test_many_are_searched_beside_the_loop_and_few_at_once(
    person: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = threading.current_thread()
    at_once, in_loop = await decided(3, person, monkeypatch)
    beside, threads = await decided(2, person, monkeypatch)
    assert at_once == beside
    assert at_once.phase is (Phase.ACCEPTED if person == 2 else Phase.REJECTED)
    assert in_loop
    assert set(in_loop) == {here}
    assert threads
    assert here not in threads


async def test_what_was_looked_for_ahead_is_no_answer_to_another_probe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(searching, "AT_ONCE", 2)
    people = for_session(gallery(1, 2, 3))
    assert isinstance(people, SearchedAhead)
    for ahead, asked in ((1, 2), (2, 3), (3, 3)):
        await people.look(identity(ahead))
        match = people.best(identity(asked))
        assert match is not None
        assert match.subject == f"person-{asked}"
        assert match == gallery(1, 2, 3).best(identity(asked))
