"""Waiting for a place: an event loop, whose clock the test turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from server.metrics import Metrics
from server.problems import Problem
from server.session.admission import LOOK_S, LocalAdmission, Place
from server.session.forecast import STAY_S
from server.session.line import AGAIN_S, GRACE_S, Line
from server.session.occupancy import Holder, Occupancy, Room
from tests.server.stage import Clock

ROOM = Room(showing=2, connecting=8, subject_addresses=3, identify=5)


def person(n: int, client: str = "shop") -> Holder:
    return Holder(client, f"person {n}", f"address {n}")


class Limit:
    """A capacity that the test sets."""

    def __init__(self) -> None:
        self.count = 100

    def sessions(self) -> int:
        return self.count

    def at_once(self) -> int:
        return 100


class House:
    """Two places, a line, and those who come."""

    def __init__(self, line: int = 4) -> None:
        self.clock, self.metrics, self.limit = Clock(), Metrics(), Limit()
        self.admission = LocalAdmission(
            Occupancy(ROOM, self.limit),
            Line(line, ROOM),
            metrics=self.metrics,
            clock=self.clock,
            call_later=self.clock.call_later,
        )
        self.tasks: list[asyncio.Task[Place]] = []

    async def at_once(self, n: int) -> Place:
        place = await self.admission.enter(person(n), f"s{n}", 0.0)
        place.take_over()
        assert place.show()
        return place

    def waits(self, outcome: str) -> float:
        name = f'{self.metrics.waits.name}_count{{outcome="{outcome}"}}'
        return dict(self.metrics.waits.samples())[name]

    async def refused(self, n: int, wait_s: float = 0.0) -> Problem:
        with pytest.raises(Problem) as refusal:
            await self.admission.enter(person(n), f"s{n}", wait_s)
        return refusal.value

    async def held(self, n: int, holder: Holder | None = None) -> asyncio.Task[Place]:
        """Asks, and is kept waiting."""
        asking: Coroutine[Any, Any, Place] = self.admission.enter(holder or person(n), f"s{n}", 9.0)
        self.tasks.append(asyncio.create_task(asking))
        await settled()
        return self.tasks[-1]


async def settled() -> None:
    """What is to happen now has happened."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    found = House()
    yield found
    for task in found.tasks:
        task.cancel()
    await asyncio.gather(*found.tasks, return_exceptions=True)


async def test_a_place_that_comes_free_is_given_to_who_came_first(house: House) -> None:
    places = [await house.at_once(n) for n in range(2)]
    first, second = await house.held(2), await house.held(3)
    assert house.metrics.refusals.value("busy") == 0
    places[0].give_back()
    await settled()
    assert first.done()
    assert not second.done()
    first.result().give_back()
    await settled()
    assert second.done()
    assert len(house.admission.line) == 0
    assert house.waits("entered") == 2


async def test_who_is_told_to_wait_knows_the_rank_and_how_long(house: House) -> None:
    for n in range(2):
        await house.at_once(n)
    told = [await house.refused(n) for n in (2, 3, 4)]
    assert [one.code for one in told] == ["busy"] * 3
    standings = [one.standing for one in told]
    # Two places that were taken at this moment and are kept for STAY_S each.
    expected = [(0, STAY_S), (1, STAY_S), (2, 2 * STAY_S)]
    assert [(one.ahead, one.wait_s) for one in standings if one] == expected
    assert [one.retry_after_s for one in told] == [AGAIN_S] * 3
    assert house.metrics.refusals.value("busy") == 3


async def test_the_time_told_follows_how_long_places_are_kept(house: House) -> None:
    for _ in range(60):
        place = await house.at_once(0)
        house.clock.advance(10.0)
        place.give_back()
    await house.at_once(0)
    house.clock.advance(4.0)
    await house.at_once(1)
    told = [(await house.refused(n)).standing for n in (2, 3)]
    assert [one.wait_s for one in told if one] == pytest.approx([6.0, 10.0])


async def test_nobody_passes_those_whose_question_is_held(house: House) -> None:
    places = [await house.at_once(n) for n in range(2)]
    waiting = await house.held(2)
    house.limit.count = 1
    places[0].give_back()
    await settled()
    assert not waiting.done()
    house.limit.count = 2  # nobody says so
    assert (await house.refused(3)).code == "busy"  # whoever asks has those served who came before
    await settled()
    assert waiting.done()


async def test_more_that_the_cpus_carry_is_noticed_while_somebody_waits(house: House) -> None:
    house.limit.count = 1
    await house.at_once(0)
    waiting = await house.held(1)
    house.limit.count = 2
    house.clock.advance(LOOK_S)
    await settled()
    assert waiting.done()
    assert len(house.clock.alarms) == sum(alarm.over for alarm in house.clock.alarms)


async def test_who_holds_a_place_begins_anew_though_others_wait(house: House) -> None:
    for n in range(2):
        await house.at_once(n)
    waiting = await house.held(2)
    await house.at_once(1)
    assert not waiting.done()


async def test_a_held_question_that_is_given_up_takes_no_place(house: House) -> None:
    places = [await house.at_once(n) for n in range(2)]
    waiting = await house.held(2)
    places[0].give_back()  # it has the place, and goes before it knows
    waiting.cancel()
    await settled()
    assert len(house.admission.occupancy) == 1
    gone = await house.held(3)
    assert gone.done()
    late = await house.held(4)
    late.cancel()
    await settled()
    assert len(house.admission.line) == 0


async def test_a_rank_is_kept_for_who_asks_again_in_time(house: House) -> None:
    for n in range(2):
        await house.at_once(n)
    await house.refused(2)
    await house.refused(3)
    house.clock.advance(AGAIN_S + GRACE_S - 0.1)
    again = (await house.refused(3)).standing
    assert again is not None
    assert again.ahead == 1
    house.clock.advance(0.2)
    again = (await house.refused(3)).standing
    assert again is not None
    assert again.ahead == 0
    assert house.waits("left") == 1


async def test_a_full_line_sends_away_without_a_rank(house: House) -> None:
    for n in range(2):
        await house.at_once(n)
    for n in range(2, 6):
        await house.held(n, Holder("shop", str(n), "one office"))
    problem = await house.refused(7)
    assert problem.standing is not None  # of another address: the office's last one leaves for it
    with pytest.raises(Problem) as left:
        await house.tasks[-1]
    assert (left.value.code, left.value.standing) == ("busy", None)
    with pytest.raises(Problem) as refusal:
        await house.admission.enter(Holder("shop", "8", "one office"), "s8", 9.0)
    assert (refusal.value.code, refusal.value.standing) == ("busy", None)
    assert house.metrics.refusals.value("line_full") == 2


async def test_the_same_session_is_held_once(house: House) -> None:
    for n in range(2):
        await house.at_once(n)
    first, second = await house.held(2), await house.held(2)
    assert first.done()
    assert not second.done()
    assert len(house.admission.line) == 1
    with pytest.raises(Problem):
        first.result()


async def test_a_session_knows_that_others_wait(house: House) -> None:
    place = await house.at_once(0)
    await house.at_once(1)
    assert not place.wanted()
    await house.held(2)
    assert place.wanted()


async def test_a_server_that_stops_tells_who_waits(house: House) -> None:
    places = [await house.at_once(n) for n in range(2)]
    waiting = await house.held(2)
    house.admission.stop()
    places[0].give_back()
    with pytest.raises(Problem) as refusal:
        await waiting
    assert refusal.value.code == "server_stopping"
    assert (await house.refused(3)).code == "server_stopping"
