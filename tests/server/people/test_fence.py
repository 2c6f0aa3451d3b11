"""A person is removed at any moment of an enrolment: afterwards nothing is stored of them.

Sessions here look at made observations. tests/server/processes/test_withdrawn.py is the same over
WebRTC, with two processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.parts import Parts
from server.people.forgetting import forget_subject
from server.session.withdrawn import end_withdrawn
from server.store.mongo.store import MongoStore
from server.store.port import NotFound, Store
from server.store.sqlite.store import SqliteStore
from tests.pipeline.observations import Camera
from tests.server.stage import CLIENT, Clock, Stage, claimed, close_parts, gallery_of, make_parts

DELETIONS = 100
LONG = 60
"""Frames: more than an enrolment takes."""


@pytest.fixture
def camera() -> Camera:
    return Camera()


@pytest.fixture(params=["sqlite", "secantusdb"])
async def opened(
    tmp_path: Path, camera: Camera, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[Parts, Clock]]:
    if request.param == "sqlite":
        store: Store = SqliteStore(tmp_path / "test.sqlite3")
    else:
        url = request.getfixturevalue("secantus").url
        store = MongoStore(url, database=f"fence_{secrets.token_hex(4)}")
    await store.open()
    record = str(tmp_path / "tapes")
    parts, clock = await make_parts(tmp_path, camera, store=store, record=record)
    yield parts, clock
    await close_parts(parts)


async def _enrol(
    opened: tuple[Parts, Clock], camera: Camera, subject: str, moment: asyncio.Event, at: int
) -> tuple[str, str, int]:
    """An enrolment that says when it has come `at` so many frames: session, end, frames."""
    parts, clock = opened
    camera.seq = 0  # it knows so many pictures
    record = await claimed(parts, "enroll", subject)
    stage = Stage.of(parts, clock, camera, record, await gallery_of(parts, record))
    await stage.open()
    shown = 0
    while not stage.task.done() and not stage.connection.of("verdict") and shown < LONG:
        if shown == at:
            moment.set()
        await stage.show(1)
        shown += 1
    moment.set()
    verdict = await stage.end()
    assert ("token" in verdict) == (verdict["outcome"] == "accepted")
    codes = [message["error"]["code"] for message in stage.connection.of("error")]
    if verdict["outcome"] != "accepted":
        assert codes == ["session_over"], verdict
    return record.session_id, verdict["outcome"], shown


async def _come(moment: asyncio.Event, enrolment: asyncio.Task[object]) -> None:
    """Wait for the moment; one that cannot come any more raises what ended its enrolment."""
    waiting = asyncio.ensure_future(moment.wait())
    await asyncio.wait([waiting, enrolment], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not moment.is_set():
        await enrolment


async def _nothing(parts: Parts, subject: str, session_id: str) -> None:
    with pytest.raises(NotFound):
        await parts.store.templates.get(CLIENT, subject)
    with pytest.raises(NotFound):
        await parts.store.sessions.get(session_id)
    assert list(await parts.store.fingerprints.of_subject(CLIENT, subject)) == []
    assert parts.shelf is not None
    assert not [tape for tape in parts.shelf.folder.glob("*/*") if session_id[:12] in tape.name]


async def test_a_hundred_removals_at_random_moments_of_an_enrolment(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    parts, _ = opened
    _, outcome, frames = await _enrol(opened, camera, "undisturbed", asyncio.Event(), 0)
    assert outcome == "accepted"
    assert len(await parts.store.fingerprints.of_subject(CLIENT, "undisturbed")) == 1
    moment = asyncio.Event()
    last = asyncio.create_task(_enrol(opened, camera, "undisturbed too", moment, frames - 1))
    await _come(moment, last)
    began_s = time.monotonic()
    await last
    verdict_s = time.monotonic() - began_s
    drawn, ends = random.Random(14), Counter[str]()
    for n in itertools.count():
        # On a slow machine the drawn moments come later, so that more of them are drawn.
        if n >= DELETIONS and (n >= 3 * DELETIONS or ends["accepted"] >= 5 <= ends["expired"] / 4):
            break
        subject, moment = f"person{n}", asyncio.Event()
        # Half of them about the verdict, where something is written.
        at = drawn.randrange(frames) if n % 2 else frames - 1
        enrolment = asyncio.create_task(_enrol(opened, camera, subject, moment, at))
        await _come(moment, enrolment)
        longest_s = (0.03, 0.0, 0.03, 2 * verdict_s)[n % 4]
        await asyncio.sleep(drawn.uniform(0.0, longest_s))
        if n % 20 == 19:  # however slow the machine, some come too late for the enrolment
            await asyncio.wait([enrolment])
        erased = await forget_subject(
            parts.store, parts.protection.ledger, parts.shelf, CLIENT, subject
        )
        with pytest.raises(NotFound):  # whatever the enrolment does from here on
            await parts.store.templates.get(CLIENT, subject)
        await end_withdrawn(parts.peers, parts.store.sessions)
        session_id, outcome, _ = await enrolment
        assert erased["sessions"] == 1
        assert outcome == "accepted" or erased["templates"] == 0
        await _nothing(parts, subject, session_id)
        standing = await parts.protection.ledger.standing(CLIENT, [subject])
        assert (subject in standing.counters, standing.turned_back) == (False, False)
        ends[outcome] += 1
    assert ends["accepted"] >= 5  # and the removal took all of it
    assert ends["expired"] >= 20  # some before the verdict
    assert set(ends) <= {"accepted", "expired", "rejected"}


async def test_a_ticket_of_before_opens_nothing(opened: tuple[Parts, Clock]) -> None:
    parts, _ = opened
    record = await claimed(parts, "enroll", "ann")
    other = await claimed(parts, "enroll", "bob")
    assert (await forget_subject(parts.store, parts.protection.ledger, parts.shelf, CLIENT, "ann"))[
        "sessions"
    ] == 1
    with pytest.raises(NotFound):
        await parts.store.sessions.claim(record.session_id, record.ticket_hash, parts.now())
    assert (await parts.store.sessions.get(other.session_id)).state == "live"


async def test_only_sessions_that_went_are_ended(
    opened: tuple[Parts, Clock], camera: Camera
) -> None:
    parts, clock = opened
    stages = []
    for subject in ("ann", "bob"):
        record = await claimed(parts, "enroll", subject)
        stages.append(Stage.of(parts, clock, camera, record, await gallery_of(parts, record)))
        await stages[-1].open()
    assert await end_withdrawn(parts.peers, parts.store.sessions) == 0
    await forget_subject(parts.store, parts.protection.ledger, parts.shelf, CLIENT, "ann")
    assert await end_withdrawn(parts.peers, parts.store.sessions) == 1
    verdict = await stages[0].end()
    assert (verdict["outcome"], verdict["reasons"]) == ("expired", ["cancelled"])
    stages[1].peer.on_message('{"type":"cancel"}')
    assert (await stages[1].end())["reasons"] == ["cancelled"]
    assert stages[1].connection.of("error") == []
    with contextlib.suppress(NotFound):
        assert (await parts.store.sessions.get(stages[1].peer.record.session_id)).subject == "bob"
