"""Which picture is looked at, and when a session without a face leaves: no threads, no network."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pipeline.frame import Frame
from pipeline.inputs import Seen
from pipeline.observation import Ask
from pipeline.session.fingerprint import Path
from server.metrics import Metrics
from server.session.presence import Presence
from server.session.watching import NOBODY_S, Watcher
from tests.pipeline.observations import Camera
from tests.server.fake_connection import FakeConnection
from tests.server.stage import PIXELS, Clock


class Room:
    """A place, threads and a clock that the test rules."""

    def __init__(self) -> None:
        self.clock, self.camera, self.connection = Clock(), Camera(), FakeConnection()
        self.wanted_by_others = False
        self.free = asyncio.Event()
        self.free.set()
        self.looked: list[int] = []
        self.gave_way = 0
        self.seen: list[Seen] = []
        self.presence = Presence(self.clock.s)
        self.presence.open(self.clock.s)
        self.watcher = Watcher(
            place=self,  # type: ignore[arg-type]
            viewer=self,  # type: ignore[arg-type]
            presence=self.presence,
            metrics=Metrics(),
            clock=self.clock,
            ask=lambda: Ask(detect=True),
            search=self._search,
            tell=self.seen.append,  # type: ignore[arg-type]
            give_way=self._give_way,
        )

    async def _search(self, seen: Any) -> None:
        return None

    def _give_way(self) -> None:
        self.gave_way += 1

    # As a place

    def show(self) -> bool:
        return True

    def wanted(self) -> bool:
        return self.wanted_by_others

    # As a viewer

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        await self.free.wait()
        yield

    async def see(self, picture: Frame, ask: Ask) -> Any:
        self.looked.append(picture.seq)
        return self.camera.shot(ask)

    # What a test does

    async def show_pictures(self, seconds: float) -> None:
        """At 2 a second."""
        for _ in range(round(2 * seconds)):
            self.clock.s += 0.5
            self.put(len(self.looked))
            async with asyncio.timeout(5):
                seen = len(self.seen)
                while len(self.seen) == seen:  # noqa: ASYNC110
                    await asyncio.sleep(0)

    def put(self, seq: int) -> None:
        self.connection.frames.put(Frame(PIXELS, seq, self.clock.s, 0.0))


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    found = Room()
    task = asyncio.create_task(found.watcher.run(found.connection))
    yield found
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_the_newest_picture_is_looked_at_when_its_turn_comes(room: Room) -> None:
    room.free.clear()
    for n in range(5):
        room.put(n)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert room.looked == []
    assert room.presence.gone_s() > 1e9  # its peer is not silent while it waits for us
    room.free.set()
    async with asyncio.timeout(5):
        while not room.seen:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert room.looked == [4]
    assert room.connection.frames.dropped == 4


async def test_where_threads_are_free_every_picture_is_looked_at(room: Room) -> None:
    await room.show_pictures(5.0)
    assert room.looked == list(range(10))
    assert room.connection.frames.dropped == 0


async def test_a_session_without_a_face_gives_way_to_those_who_wait(room: Room) -> None:
    room.camera.person, room.wanted_by_others = None, True
    await room.show_pictures(NOBODY_S)
    assert room.gave_way == 0
    await room.show_pictures(0.5)
    assert room.gave_way == 1


async def test_nobody_waits_so_nobody_gives_way(room: Room) -> None:
    room.camera.person = None
    await room.show_pictures(3 * NOBODY_S)
    assert room.gave_way == 0


async def test_a_face_keeps_its_place(room: Room) -> None:
    room.wanted_by_others = True
    await room.show_pictures(3 * NOBODY_S)
    room.camera.person = None  # it turns away for a moment
    await room.show_pictures(NOBODY_S - 0.5)
    assert room.gave_way == 0
    room.camera.person = 1
    await room.show_pictures(1.0)
    room.camera.person = None
    await room.show_pictures(NOBODY_S - 0.5)
    assert room.gave_way == 0


async def test_how_every_picture_goes_is_kept_for_the_verdict(room: Room) -> None:
    await room.show_pictures(8.0)
    expected = Path()
    for told in room.seen:
        expected.add(told.obs)
    assert room.watcher.path.kept() == expected.kept() is not None
