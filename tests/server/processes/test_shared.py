"""Places and rates that are asked of a supervisor: two processes and a desk, over real links."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from server.limits import OwnRates
from server.metrics import Metrics
from server.problems import Problem
from server.processes import shared
from server.processes.child import Child
from server.processes.desk import Carried, Desk
from server.processes.link import Link
from server.processes.shared import SharedAdmission, SharedPlace, SharedRates
from server.session.admission import Elsewhere, admission_of
from server.session.lockout import Caller
from server.session.occupancy import Holder
from tests.server.stage import settings

CALLER = Caller("10.0.0.1", "a device")


@dataclass
class One:
    """A process: its side, and the desk's."""

    child: Child
    link: Link
    admission: SharedAdmission
    handed: list[Any]


class Several:
    """Processes at one desk."""

    def __init__(self, folder: Path, **changed: str) -> None:
        self.told = settings(folder, **changed)
        self.all: list[One] = []
        self.carried = Carried()
        self.carried.report(0, 100, 100)
        loop = asyncio.get_running_loop()
        self.admission = admission_of(
            self.told, self.carried, metrics=Metrics(), clock=loop.time, call_later=loop.call_later
        )
        self.rates = OwnRates(client_rate=1.0, offer_rate=1.0, clock=loop.time)
        self.desk = Desk(self.admission, self.carried, lambda: [one.child for one in self.all])
        self.runs: list[asyncio.Task[None]] = []

    async def join(self) -> One:
        """One more process."""
        ours, theirs = [await Link.of(end) for end in socket.socketpair()]
        number = len(self.all) + 1
        child = Child(number, None, ours, 0.0)  # type: ignore[arg-type]
        child.opened.set()
        one = One(child, theirs, SharedAdmission(theirs, number), [])

        async def opened(body: Any) -> Any:
            one.handed.append(one.admission.place(body["place"], body["patience"]))
            assert Caller(**body["caller"]) == CALLER
            return {"sdp": f"answer of {number} to {body['sdp']}"}

        async def take(body: Any) -> Any:
            keys = [tuple(key) for key in body["keys"]]
            return {"wait_s": await self.rates.take(*keys, expected=body["expected"])}

        asks = {
            "enter": lambda body: self.desk.enter(child, body),
            "hand": lambda body: self.desk.hand(child, body),
            "take": take,
        }
        tells = {
            "take_over": self.desk.take_over,
            "show": lambda body: self.desk.show(child, body),
            "give_back": self.desk.give_back,
        }
        self.runs.append(asyncio.create_task(self._talk(child, asks, tells)))
        self.runs.append(asyncio.create_task(theirs.run({"open": opened}, one.admission.hears())))
        self.all.append(one)
        return one

    async def _talk(self, child: Child, asks: Any, tells: Any) -> None:
        await child.link.run(asks, tells)
        self.desk.gone(child)

    async def until(self, wanted: Any) -> None:
        async with asyncio.timeout(5):
            while not wanted():  # noqa: ASYNC110
                await asyncio.sleep(0.002)


@asynccontextmanager
async def several(folder: Path, **changed: str) -> AsyncIterator[Several]:
    made = Several(folder, **{"max_sessions": "4", **changed})
    for _ in range(2):
        await made.join()
    try:
        yield made
    finally:
        for one in made.all:
            one.link.close()
            one.child.link.close()
        await asyncio.gather(*made.runs)


def holder(n: int) -> Holder:
    return Holder("shop", f"person{n}", "192.0.2.1")


async def test_sessions_go_where_the_fewest_are_and_no_place_is_counted_twice(
    tmp_path: Path,
) -> None:
    async with several(tmp_path) as found:
        first, second = found.all
        places = [await first.admission.enter(holder(n), f"s{n}", 0.0) for n in range(4)]
        assert [isinstance(one, Elsewhere) for one in places] == [False, True, False, True]
        with pytest.raises(Problem) as refused:
            await second.admission.enter(holder(4), "s4", 0.0)
        assert (refused.value.code, refused.value.standing is not None) == ("busy", True)
        elsewhere = places[1]
        assert isinstance(elsewhere, Elsewhere)
        assert await elsewhere.answer(b"hash", "an offer", CALLER) == "answer of 2 to an offer"
        assert len(second.handed) == 1
        assert found.admission.occupancy.wanted()
        await found.until(lambda: first.admission.wanted and second.admission.wanted)


async def test_a_process_that_carries_less_gets_less(tmp_path: Path) -> None:
    async with several(tmp_path) as found:
        first = found.all[0]
        found.carried.report(1, 2, 9)
        found.carried.report(2, 6, 9)
        places = [await first.admission.enter(holder(n), f"s{n}", 0.0) for n in range(4)]
        assert [isinstance(one, Elsewhere) for one in places] == [True, True, False, True]


async def test_a_place_shows_when_the_supervisor_says_so(tmp_path: Path) -> None:
    async with several(tmp_path) as found:
        first = found.all[0]
        place = await first.admission.enter(holder(0), "s0", 0.0)
        assert isinstance(place, SharedPlace)
        assert not place.show()  # nobody has been asked yet
        await found.until(place.show)
        place.give_back()
        await found.until(lambda: len(found.admission.occupancy) == 0)


async def test_no_more_show_than_the_processes_carry(tmp_path: Path) -> None:
    async with several(tmp_path) as found:
        first, second = found.all
        one = await first.admission.enter(holder(0), "s0", 0.0)
        other = await first.admission.enter(holder(1), "s1", 0.0)
        late = await first.admission.enter(holder(2), "s2", 0.0)
        assert isinstance(one, SharedPlace)
        assert isinstance(other, Elsewhere)
        assert isinstance(late, SharedPlace)
        await other.answer(b"hash", "o", CALLER)
        found.carried.report(0, 1, 1)
        (there,) = second.handed
        await found.until(lambda: one.show() and there.show())  # CROWDED of one
        for _ in range(3):
            assert not late.show()
            await SharedRates(first.link).take()  # what it said before was heard
        one.give_back()
        await found.until(late.show)


async def test_a_newer_session_ends_the_older_one_in_another_process(tmp_path: Path) -> None:
    async with several(tmp_path) as found:
        first, second = found.all
        older = await first.admission.enter(holder(0), "s0", 0.0)
        newer = await second.admission.enter(holder(0), "s1", 0.0)
        assert isinstance(older, SharedPlace)
        assert isinstance(newer, SharedPlace)
        replaced = asyncio.Event()
        older.when_replaced(replaced.set)
        newer.take_over()
        async with asyncio.timeout(5):
            await replaced.wait()
        assert len(found.admission.occupancy) == 1


async def test_places_of_a_process_that_dies_are_free_at_once(tmp_path: Path) -> None:
    async with several(tmp_path) as found:
        first, second = found.all
        for n in range(4):
            await first.admission.enter(holder(n), f"s{n}", 0.0)
        # Two are its own, and it had not handed the other two on.
        first.link.close()
        await found.until(lambda: len(found.admission.occupancy) == 0)
        for n in range(4, 8):
            await second.admission.enter(holder(n), f"s{n}", 0.0)


async def test_a_place_that_comes_free_goes_to_who_waits_in_another_process(
    tmp_path: Path,
) -> None:
    async with several(tmp_path, max_sessions="1") as found:
        first, second = found.all
        held = await first.admission.enter(holder(0), "s0", 0.0)
        waiting = asyncio.create_task(second.admission.enter(holder(1), "s1", 10.0))
        await found.until(lambda: len(found.admission.line))
        assert isinstance(held, SharedPlace)
        held.give_back()
        async with asyncio.timeout(5):
            got = await waiting
        got.give_back()
        await found.until(lambda: len(found.admission.occupancy) == 0)
        await second.admission.quiet()


async def test_a_place_that_nobody_waits_for_is_given_back(tmp_path: Path) -> None:
    async with several(tmp_path, max_sessions="1") as found:
        first, second = found.all
        held = await first.admission.enter(holder(0), "s0", 0.0)
        waiting = asyncio.create_task(second.admission.enter(holder(1), "s1", 10.0))
        await found.until(lambda: len(found.admission.line))
        waiting.cancel()
        await asyncio.wait((waiting,))
        await found.until(lambda: not len(found.admission.line))
        held.give_back()
        await found.until(lambda: len(found.admission.occupancy) == 0)


async def test_a_process_that_leaves_gets_no_session_and_hands_on_what_it_is_asked(
    tmp_path: Path,
) -> None:
    async with several(tmp_path) as found:
        first, second = found.all
        first.child.leaving = True
        place = await first.admission.enter(holder(0), "s0", 0.0)
        assert isinstance(place, Elsewhere)
        assert await place.answer(b"hash", "o", CALLER) == "answer of 2 to o"
        first.child.leaving = False
        place = await second.admission.enter(holder(1), "s1", 0.0)
        assert isinstance(place, Elsewhere)
        # The one that was chosen leaves before the offer is there: another answers, here itself.
        first.child.leaving = True
        assert await place.answer(b"hash", "p", CALLER) == "answer of 2 to p"


async def test_who_gets_no_answer_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "ASK_S", 0.05)
    ours, theirs = [await Link.of(end) for end in socket.socketpair()]
    admission, rates = SharedAdmission(theirs, 1), SharedRates(theirs)
    with pytest.raises(Problem) as silent:
        await admission.enter(holder(0), "s0", 0.0)
    with pytest.raises(Problem) as unlimited:
        await rates.take(("client", "shop"))
    ours.close()
    theirs.close()
    with pytest.raises(Problem) as gone:
        await admission.enter(holder(0), "s0", 0.0)
    assert [one.value.code for one in (silent, unlimited, gone)] == ["busy"] * 3
    await admission.quiet()


async def test_a_process_that_stops_tells_those_who_wait(tmp_path: Path) -> None:
    async with several(tmp_path, max_sessions="1") as found:
        first, second = found.all
        await first.admission.enter(holder(0), "s0", 0.0)
        waiting = asyncio.create_task(second.admission.enter(holder(1), "s1", 10.0))
        await found.until(lambda: len(found.admission.line))
        second.admission.stop()
        with pytest.raises(Problem, match="stopped"):
            await waiting
        await found.until(lambda: not len(found.admission.line))


async def test_rates_are_counted_for_all(tmp_path: Path) -> None:
    async with several(tmp_path) as found:
        first, second = (SharedRates(one.link) for one in found.all)
        taken = [await one.take(("client", "shop")) for one in (first, second) * 3]
        assert taken == [0.0] * 6
        assert await first.take(("client", "shop")) > 0.0
        assert await second.take(("client", "shop")) > 0.0
        assert await second.take(("client", "other")) == 0.0
