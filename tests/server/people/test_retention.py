"""What goes because its time is over, and that no clock that jumped takes anything."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pipeline.tape import LINES
from server.people.retention import (
    DOUBT,
    JUMP,
    ClockDoubted,
    Due,
    believe_clock,
    due,
    erase,
    looked,
)
from server.people.shelf import Shelf
from server.store.port import NotFound, Unavailable
from server.store.retention import ClockStand, Periods
from server.store.sqlite.store import SqliteStore
from tests.server.conformance.records import DAY, MINUTE, NOW, a_client, a_session, a_template

HOUR = timedelta(hours=1)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Two clients with a template and a session each."""
    store = SqliteStore(tmp_path / "store.sqlite3")
    await store.open()
    for client in ("shop", "zoo"):
        await store.clients.add(a_client(client))
        await store.templates.put(a_template(client_id=client), replace=False)
        await store.sessions.add(a_session(f"s-{client}", client_id=client, subject="ada"))
    yield store
    await store.close()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path / "tapes", 30.0)
    shelf.open()
    for client in ("shop", "zoo", "gone"):
        tape = shelf.place(client, client.ljust(12, "0"), NOW)
        tape.mkdir()
        (tape / LINES).write_text(json.dumps({"subject": "ada"}) + "\n")
    return shelf


class Forgets:
    """Removes from the store, and says whom it was told to."""

    def __init__(self, store: SqliteStore, fails: bool = False) -> None:
        self.told: list[tuple[str, str]] = []
        self._store, self._fails = store, fails

    async def __call__(self, client_id: str, subject: str) -> None:
        self.told.append((client_id, subject))
        if self._fails:
            raise Unavailable
        await self._store.forget_subject(client_id, subject)


def counts(found: list[Due] | object) -> dict[str, tuple[int, int, int]]:
    assert isinstance(found, list)
    return {one.client_id: (len(one.subjects), one.sessions, len(one.tapes)) for one in found}


async def test_each_client_has_its_own_periods(store: SqliteStore, shelf: Shelf) -> None:
    await store.retention.set("shop", Periods(90, 10, 5, NOW))
    for days, told in (
        (4, {"zoo": (0, 1, 0)}),
        (6, {"shop": (0, 0, 1), "zoo": (0, 1, 0)}),
        (11, {"shop": (0, 1, 1), "zoo": (0, 1, 0)}),
        (31, {"shop": (0, 1, 1), "zoo": (0, 1, 1), "gone": (0, 0, 1)}),
        (91, {"shop": (1, 1, 1), "zoo": (0, 1, 1), "gone": (0, 0, 1)}),
    ):
        assert counts(await due(store, shelf, NOW + days * DAY)) == told, days
    assert len(list(shelf.folder.glob("*/*"))) == 3  # nothing went yet
    forgets = Forgets(store)
    erased = counts(await erase(store, shelf, NOW + 91 * DAY, forgets))
    # The session goes with its person.
    assert erased == {"shop": (1, 0, 1), "zoo": (0, 1, 1), "gone": (0, 0, 1)}
    assert forgets.told == [("shop", "ada")]
    assert await due(store, shelf, NOW + 91 * DAY) == []
    assert (await store.templates.get("zoo", "ada")).subject == "ada"
    assert await due(store, None, NOW + 91 * DAY) == []


async def test_who_logs_in_stays_and_who_enrolled_before_the_period_has_all_of_it(
    store: SqliteStore,
) -> None:
    await store.retention.set("shop", Periods(30, None, None, NOW + 40 * DAY))
    forgets = Forgets(store)
    await erase(store, None, NOW + 69 * DAY, forgets)
    assert forgets.told == []  # 69 days old, and no success was counted before the 40th
    await store.sessions.add(a_session("login", state="live"))
    await store.endings.accept("login", at=NOW + 60 * DAY, subject="ada")
    await erase(store, None, NOW + 89 * DAY, forgets)
    assert forgets.told == []
    await erase(store, None, NOW + 91 * DAY, forgets)
    assert forgets.told == [("shop", "ada")]


async def test_who_cannot_be_removed_now_is_told_the_next_time(store: SqliteStore) -> None:
    await store.retention.set("shop", Periods(30, None, None, NOW))
    failing = Forgets(store, fails=True)
    erased = counts(await erase(store, None, NOW + 31 * DAY, failing))
    assert erased["shop"] == (0, 1, 0)
    assert counts(await due(store, None, NOW + 31 * DAY)) == {"shop": (1, 0, 0)}
    await erase(store, None, NOW + 31 * DAY, Forgets(store))
    with pytest.raises(NotFound):
        await store.templates.get("shop", "ada")


def _run(stand: ClockStand | None, *moments: datetime) -> tuple[ClockStand | None, list[bool]]:
    said = []
    for moment in moments:
        stand, believed = looked(stand, moment)
        said.append(believed)
    return stand, said


def _hourly(start: datetime, count: int) -> list[datetime]:
    return [start + n * HOUR for n in range(count)]


def test_a_clock_that_goes_on_is_believed_for_ever() -> None:
    _, said = _run(None, *_hourly(NOW, 24 * 90))
    assert all(said)
    assert _run(ClockStand(NOW), NOW + JUMP, NOW + JUMP - DAY)[1] == [True, True]


@pytest.mark.parametrize(
    ("jump", "looks"),
    [(31 * DAY, 71), (-31 * DAY, 71), (JUMP + MINUTE, 71), (-JUMP - MINUTE, 1)],
)
def test_a_clock_that_jumps_is_doubted_and_believed_again_when_it_is_back(
    jump: timedelta, looks: int
) -> None:
    stand, said = _run(ClockStand(NOW), *_hourly(NOW + jump, looks))
    assert not any(said)
    assert _run(stand, NOW + 3 * HOUR)[1] == [True]


def test_a_doubted_clock_is_believed_once_it_went_on_evenly() -> None:
    start = NOW + 31 * DAY
    _, said = _run(ClockStand(NOW), *_hourly(start, 24 * 3 + 2))
    assert said == [False] * 72 + [True] * 2
    # A second jump begins the doubt anew, and so does a silence.
    for leap in (40 * DAY, -2 * DAY, DAY + HOUR):
        stand, said = _run(ClockStand(NOW), *_hourly(start, 70))
        _, again = _run(stand, *_hourly(start + 69 * HOUR + leap, 72))
        assert not any(said + again)
    assert timedelta(hours=72) == DOUBT


def test_another_server_with_a_right_clock_keeps_a_wrong_one_in_doubt() -> None:
    moments = [(right, right + 31 * DAY) for right in _hourly(NOW, 24 * 10)]
    _, said = _run(ClockStand(NOW), *itertools.chain(*moments))
    assert said == [True, False] * (24 * 10)


async def test_nothing_is_erased_by_a_clock_that_jumped(store: SqliteStore) -> None:
    await believe_clock(store, NOW)
    await believe_clock(store, NOW + HOUR)
    with pytest.raises(ClockDoubted) as caught:
        await believe_clock(store, NOW + 31 * DAY)
    assert caught.value.code == "clock_doubted"
    await believe_clock(store, NOW + 2 * HOUR)
    await believe_clock(store, NOW + 31 * DAY, is_right=True)
    await believe_clock(store, NOW + 31 * DAY + HOUR)


async def test_who_logs_in_while_others_are_removed_stays(store: SqliteStore) -> None:
    await store.templates.put(a_template("bob"), replace=False)
    await store.retention.set("shop", Periods(30, None, None, NOW))
    late = NOW + 31 * DAY
    told = []

    async def forget(client_id: str, subject: str) -> None:
        told.append(subject)
        await store.sessions.add(a_session("bob", state="live", subject="bob", expires_at=late))
        await store.endings.accept("bob", at=late, subject="bob")

    await erase(store, None, late, forget)
    assert told == ["ada"]
