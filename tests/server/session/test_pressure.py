"""How many sessions are carried: a queue in simulated time, whose threads lose half their speed."""

from __future__ import annotations

import math
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from server.problems import Problem
from server.session.occupancy import Holder, Occupancy, Place, Room
from server.session.pressure import CYCLE_S, FIRST_S, SETTLE_S, Pressure

ROOM = Room(showing=64, connecting=64, subject_addresses=3, identify=30)


def test_as_many_are_carried_as_threads_look_at_in_a_cycle() -> None:
    for workers in (1, 2, 64):
        assert Pressure(workers).sessions() == round(workers * CYCLE_S / FIRST_S)


def test_half_the_speed_carries_half_and_is_known_within_a_few_looks() -> None:
    pressure = Pressure(2)
    whole = pressure.sessions()
    for _ in range(60):
        pressure.looked(2 * FIRST_S)
    assert whole / 2 <= pressure.sessions() <= whole / 2 + 2
    for _ in range(60):
        pressure.looked(FIRST_S)
    assert whole - 2 <= pressure.sessions() <= whole


def test_one_look_that_stood_still_closes_nothing() -> None:
    pressure = Pressure(2)
    pressure.looked(30.0)
    assert pressure.sessions() > 4


def test_where_pictures_wait_longer_than_a_cycle_fewer_are_carried() -> None:
    pressure = Pressure(2)
    whole = pressure.sessions()
    for _ in range(200):
        pressure.waited(CYCLE_S)
    assert pressure.sessions() == whole
    for _ in range(200):
        pressure.waited(2 * CYCLE_S)
    assert pressure.sessions() <= whole / 2 + 1


def test_somebody_is_always_carried() -> None:
    pressure = Pressure(1)
    for _ in range(1000):
        pressure.looked(60.0)
        pressure.waited(60.0)
    assert pressure.sessions() == 1
    Occupancy(ROOM, pressure).enter(Holder("shop", "ann", "a"), 0.0)


LOOKS = 25
"""That a session needs."""
LOOK_S = 0.011
"""With all of the CPU."""
CAMERA_S = 1 / 15
CONNECT_S = 0.2
ALONE_S = CONNECT_S + (LOOKS - 1) * CAMERA_S + LOOK_S


@dataclass
class Caller:
    """Comes again and again, and asks ten times a second for a place."""

    name: str
    next_s: float
    place: Place | None = None
    looks: int = 0
    asked_s: float | None = None
    """When it asked for its turn."""


@dataclass
class Run:
    """What came of it."""

    took_s: list[tuple[float, float]] = field(default_factory=list)
    """When sessions ended, and how long they took."""
    present: list[int] = field(default_factory=list)
    """Sessions at each millisecond."""

    def rate(self, since_s: float, until_s: float) -> float:
        """Sessions a second that ended between the two."""
        return sum(since_s < at_s <= until_s for at_s, _ in self.took_s) / (until_s - since_s)

    def p95_s(self, since_s: float, until_s: float) -> float:
        """How long those took that ended between the two."""
        found = sorted(took for at_s, took in self.took_s if since_s < at_s <= until_s)
        return found[int(0.95 * len(found))]


def simulate(callers: int, workers: int = 2, *, blind: bool = False) -> Run:
    """40 s; after 20 s every look takes twice as long. `blind`: nobody is refused."""
    pressure, done = Pressure(workers), Run()
    occupancy = Occupancy(ROOM, None if blind else pressure)
    people = [Caller(str(n), 0.01 * n) for n in range(callers)]
    threads: list[tuple[float, float, Caller] | None] = [None] * workers
    queue: deque[Caller] = deque()
    for now_s in (step / 1000 for step in range(40_000)):
        for n, job in enumerate(threads):
            if job is not None and job[0] <= now_s:
                _, began_s, caller = job
                threads[n] = None
                pressure.looked(now_s - began_s)
                caller.looks += 1
                caller.next_s = max(now_s, began_s + CAMERA_S)
                if caller.looks == LOOKS and caller.place is not None:
                    done.took_s.append((now_s, now_s - caller.place.started_s))
                    caller.place.give_back()
                    caller.place, caller.looks, caller.next_s = None, 0, now_s + 0.05
        for caller in people:
            if caller.next_s > now_s:
                continue
            if caller.place is None:
                caller.next_s = now_s + 0.1
                with suppress(Problem):
                    caller.place = occupancy.enter(Holder("shop", caller.name, "a"), now_s)
                    caller.next_s = now_s + CONNECT_S
            elif caller.place.show():
                caller.asked_s, caller.next_s = now_s, math.inf
                queue.append(caller)
        for n, job in enumerate(threads):
            if job is None and queue:
                caller = queue.popleft()
                pressure.waited(now_s - (caller.asked_s or now_s))
                look_s = LOOK_S if now_s < 20.0 else 2 * LOOK_S
                threads[n] = (now_s + look_s, now_s, caller)
        done.present.append(len(occupancy))
    return done


@pytest.mark.parametrize("callers", [32, 64])
def test_four_times_what_is_carried_bends_and_does_not_break(callers: int) -> None:
    run = simulate(callers)
    best = 2 / (LOOKS * LOOK_S)
    assert run.rate(5.0, 20.0) >= 0.9 * best
    assert run.p95_s(5.0, 20.0) <= 2 * ALONE_S
    # Half the CPU is gone: within three seconds as many are there as half of it carries.
    assert run.rate(23.0, 40.0) >= 0.9 * best / 2
    assert run.p95_s(25.0, 40.0) <= 2 * ALONE_S
    assert max(run.took_s)[1] <= 3 * ALONE_S


def test_the_same_without_being_measured_breaks() -> None:
    run = simulate(64, blind=True)
    assert run.p95_s(5.0, 20.0) > 3 * ALONE_S


def test_one_alone_is_never_slower() -> None:
    run = simulate(1)
    assert run.p95_s(0.0, 20.0) == pytest.approx(ALONE_S, abs=0.05)


def test_of_many_who_come_at_once_few_slip_in_before_they_are_measured() -> None:
    run = simulate(32)
    assert run.present[100] == 4  # at once, on an idle server
    assert max(run.present[: int(1000 * SETTLE_S)]) == 4
    assert max(run.present) <= 1.25 * 2 * CYCLE_S / LOOK_S
    assert max(run.present[int(1000 * SETTLE_S) : 3000]) > 8  # and the others follow soon
