"""How long somebody will wait: known cases, and a busy server in simulated time that is judged."""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

import pytest

from server.metrics import Metrics
from server.problems import Problem
from server.session.admission import LocalAdmission, Place
from server.session.forecast import BACK_S, LEAST_S, OLDER, STAY_S, STAYS, Forecast
from server.session.line import Line
from server.session.occupancy import Holder, Occupancy, Room
from server.session.pressure import SETTLE_S, Pressure
from tests.server.stage import Alarm


def told(stays_s: Sequence[float] = (), carried: int | None = None) -> Forecast:
    """A forecast that knows these stays, and what has been carried for long."""
    forecast = Forecast()
    for stay_s in stays_s:
        forecast.left(stay_s)
    if carried is not None:
        forecast.carried(carried, 0.0)
    return forecast


def waits_s(forecast: Forecast, ages_s: Sequence[float], limit: int, people: int) -> list[float]:
    """Of so many in line, with nothing but the limit in their way."""
    return [forecast.wait_s(ahead, ages_s, limit, math.inf) for ahead in range(people)]


def test_those_who_came_together_leave_together() -> None:
    assert waits_s(told(), [0.0, 0.0], 2, 3) == [STAY_S, STAY_S, 2 * STAY_S]
    assert waits_s(told(), [0.5, 1.25], 2, 3) == [STAY_S - 1.25, STAY_S - 0.5, 2 * STAY_S - 1.25]


def test_a_session_stays_as_those_did_that_became_so_old() -> None:
    forecast = told([1.5] * 40 + [8.0] * 20)
    assert waits_s(forecast, [0.0], 1, 1) == [1.5]
    assert waits_s(forecast, [1.6], 1, 1) == [8.0 - 1.6]
    assert waits_s(forecast, [10.0], 1, 1) == [OLDER * 10.0]


def test_old_stays_are_forgotten() -> None:
    assert waits_s(told([30.0] * STAYS + [1.5] * STAYS), [0.0], 1, 1) == [1.5]


def test_offers_that_came_to_nothing_do_not_shorten_what_is_under_way() -> None:
    assert waits_s(told([0.01] * 50 + [3.0] * 10), [0.5], 1, 1) == [2.5]


def test_more_who_have_a_place_than_are_carried_leave_first() -> None:
    assert waits_s(told(), [0.5, 0.5, 1.0], 2, 1) == [STAY_S - 0.5]


def test_a_place_that_is_free_is_told_as_the_least() -> None:
    assert waits_s(told(), [], 1, 2) == [LEAST_S, STAY_S]


def test_a_slow_start_is_part_of_it() -> None:
    ages_s = [0.0] * 4
    found = [told().wait_s(ahead, ages_s, 64, 4) for ahead in range(16)]
    # Four are known after SETTLE_S, so four more may begin; then eight are.
    assert found == [*[SETTLE_S] * 4, *[2 * SETTLE_S] * 8, *[3 * SETTLE_S] * 4]


def test_a_limit_that_shut_for_a_moment_opens_again() -> None:
    stay_s = 10.0
    ages_s = [n * stay_s / 8 for n in range(8)]
    forecast = told([stay_s] * STAYS, 8)
    waits = [forecast.wait_s(40, ages_s, limit, math.inf) for limit in (8, 2)]
    assert waits[0] == pytest.approx(40 * stay_s / 8, abs=2 * BACK_S)
    assert waits[0] <= waits[1] <= waits[0] + 3 * BACK_S
    assert forecast.wait_s(0, [0.0, 0.0], 2, math.inf) <= BACK_S  # before anybody leaves


def test_a_limit_that_is_open_now_lets_in_now() -> None:
    forecast = told([10.0] * STAYS, 8)
    assert [forecast.wait_s(n, [0.0] * 8, 10, math.inf) for n in (1, 2)] == [LEAST_S, 10.0]


def test_the_newest_limits_count() -> None:
    forecast = told([10.0] * STAYS, 8)
    for n in range(200):
        forecast.carried(4, 0.1 * n)
    assert waits_s(forecast, [0.0] * 4, 4, 5) == pytest.approx([10.0] * 4 + [20.0])


# A server in simulated time

WORKERS = 2
CAMERA_S = 1 / 15
CONNECT_S = 0.2
LOOK_S = 0.016
CARRIED = 14
"""Sessions that two threads look at every 0.12 s if a look takes that long."""
ROOM = Room(showing=64, connecting=64, subject_addresses=3, identify=30)
LASTS_S = ((0.6, 1.45), (0.22, 2.05), (0.16, 2.85), (0.015, 8.0), (0.005, 24.8))
"""Share of logins, and how long they look after they have connected: as `benchmarks.capacity` has
them, and some whom nothing but their time limit ends."""
MEAN_S = 2.1
"""They keep a place for so long on average, with what it takes to connect."""
LOOKS_A_S = 7.0
"""That a login needs."""


class Time:
    """A clock, and what is due."""

    def __init__(self) -> None:
        self.s = 0.0
        self._due: list[tuple[float, int, Alarm]] = []

    def __call__(self) -> float:
        return self.s

    def call_later(self, delay_s: float, call: Callable[[], None]) -> Alarm:
        alarm = Alarm(self.s + delay_s, call)
        heappush(self._due, (alarm.at_s, len(self._due), alarm))
        return alarm

    def step(self) -> None:
        """To what is due next."""
        self.s, _, alarm = heappop(self._due)
        if not alarm.over:
            alarm.call()


@dataclass(eq=False)
class Login:
    """One person's attempt."""

    name: str
    lasts_s: float
    asked_s: float
    shown_s: float | None = None
    """The wait that was shown first."""
    place: Place | None = None
    entered_s: float = math.inf
    first_s: float | None = None
    looks: int = 0


@dataclass
class Crowd:
    """A server whose threads look at pictures, and those who come to it."""

    seed: int
    noisy: bool
    """Others take half of the CPU now and then."""
    again: bool
    """Who is done is followed by another."""
    time: Time = field(default_factory=Time)
    logins: list[Login] = field(default_factory=list)
    asking: set[asyncio.Task[None]] = field(default_factory=set)
    queue: deque[tuple[float, Login]] = field(default_factory=deque)
    """Who asked for a turn, and when."""
    idle: int = WORKERS
    slower: float = 1.0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.pressure = Pressure(WORKERS)
        self.admission = LocalAdmission(
            Occupancy(ROOM, self.pressure),
            Line(400, ROOM),
            metrics=Metrics(),
            clock=self.time,
            call_later=self.time.call_later,
        )
        if self.noisy:
            self.time.call_later(3.0, self.disturb)

    def disturb(self) -> None:
        self.slower = 3.0 - self.slower
        least_s, most_s = (0.3, 3.0) if self.slower > 1.0 else (2.0, 8.0)
        self.time.call_later(self.random.uniform(least_s, most_s), self.disturb)

    def come(self) -> None:
        shares, lasts_s = zip(*LASTS_S, strict=True)
        (about_s,) = self.random.choices(lasts_s, shares)
        lasts_s = about_s * self.random.uniform(0.95, 1.1)
        login = Login(f"person {len(self.logins)}", lasts_s, self.time())
        self.logins.append(login)
        task = asyncio.ensure_future(self.ask(login))
        self.asking.add(task)
        task.add_done_callback(self.asking.discard)

    async def ask(self, login: Login) -> None:
        """Once at once, then held, as pages do."""
        holder = Holder("shop", login.name, "an office")
        try:
            place = await self.admission.enter(holder, login.name, 0.0)
        except Problem as problem:
            if problem.standing is None:
                return  # the line is full
            login.shown_s = round(problem.standing.wait_s, 1)  # as it is on the wire
            place = await self.admission.enter(holder, login.name, 3600.0)
        login.place, login.entered_s = place, self.time()
        self.time.call_later(CONNECT_S * self.random.uniform(0.7, 1.6), lambda: self.show(login))

    def show(self, login: Login) -> None:
        """A picture of it is there."""
        assert login.place is not None
        if not login.place.show():
            self.time.call_later(CAMERA_S, lambda: self.show(login))
            return
        if login.first_s is None:
            login.first_s = self.time()
        self.queue.append((self.time(), login))
        self.look()

    def look(self) -> None:
        while self.idle and self.queue:
            asked_s, login = self.queue.popleft()
            self.pressure.waited(self.time() - asked_s)
            self.idle -= 1
            look_s = LOOK_S * self.slower * (2.0 if login.looks % 6 == 0 else 0.8)
            look_s *= self.random.uniform(0.7, 1.3)
            self.time.call_later(look_s, lambda login=login, s=look_s: self.looked(login, s))

    def looked(self, login: Login, look_s: float) -> None:
        self.idle += 1
        self.pressure.looked(look_s)
        login.looks += 1
        assert login.place is not None
        assert login.first_s is not None
        lasted_s = self.time() - login.first_s
        if lasted_s >= login.lasts_s and login.looks >= LOOKS_A_S * login.lasts_s:
            login.place.give_back()
            if self.again:
                self.time.call_later(0.03, self.come)
        else:
            self.time.call_later(max(0.0, CAMERA_S - look_s), lambda: self.show(login))
        self.look()

    async def run(self, seconds: float) -> None:
        while self.time() < seconds:
            self.time.step()
            for _ in range(4 if self.asking else 0):
                await asyncio.sleep(0)
        for task in self.asking:
            task.cancel()
        await asyncio.gather(*self.asking, return_exceptions=True)

    def waits(self) -> list[tuple[float, float]]:
        """What was shown first, and what it became."""
        return [
            (login.shown_s, login.entered_s - login.asked_s)
            for login in self.logins
            if login.shown_s is not None and login.entered_s < math.inf
        ]


async def crowd(
    load: float, *, noisy: bool = False, again: bool = True
) -> list[tuple[float, float]]:
    """The waits of three times 60 s. `again`: so many times those who are carried come again and
    again; else so many times those come who can be served, and the line grows."""
    waits = []
    for seed in range(3):
        found = Crowd(seed, noisy, again)
        if again:
            for n in range(round(load * CARRIED)):
                found.time.call_later(n / (load * CARRIED), found.come)
        else:
            at_s = 0.0
            while at_s < 60.0:
                at_s += found.random.expovariate(load * CARRIED / MEAN_S)
                found.time.call_later(at_s, found.come)
        await found.run(60.0)
        waits += found.waits()
    return waits


def share(waits: Sequence[tuple[float, float]], least_s: float = 0.0) -> float:
    """Of waits of which what was shown was half to twice what it became. Those that were shown and
    became below `least_s` are true as well."""
    near = [
        0.5 * became_s <= shown_s <= 2.0 * became_s or max(shown_s, became_s) < least_s
        for shown_s, became_s in waits
    ]
    return sum(near) / len(near)


@pytest.mark.parametrize(("load", "noisy"), [(1.5, False), (2.0, False), (4.0, False),
                                             (2.0, True), (4.0, True)])  # fmt: skip
async def test_what_is_shown_is_half_to_twice_what_it_becomes(load: float, noisy: bool) -> None:
    waits = await crowd(load, noisy=noisy)
    assert len(waits) > 900
    assert share(waits) >= 0.9


@pytest.mark.parametrize("noisy", [False, True])
async def test_a_line_that_grows_is_told_as_well(noisy: bool) -> None:
    waits = await crowd(1.5, noisy=noisy, again=False)
    assert max(became_s for _, became_s in waits) > 15.0
    assert share(waits) >= 0.9


async def test_waits_below_a_second_are_told_as_such() -> None:
    waits = await crowd(1.2)
    assert max(became_s for _, became_s in waits) < 2.0
    assert share(waits, least_s=1.0) >= 0.9
