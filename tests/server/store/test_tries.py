"""The rules of a counter, at literal times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from server.store.tries import (
    DECAY,
    FIRST_S,
    IN_A_ROW,
    IN_ALL,
    LIMITS,
    LONGEST_S,
    UNDER_WAY,
    Kind,
    Refused,
    Tally,
    ended,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PERSON, DOOR = LIMITS[Kind.STRANGERS], LIMITS[Kind.ADDRESS]
SECOND = timedelta(seconds=1)


def tally(n: int, total: int | None = None, last: datetime = NOON) -> Tally:
    return Tally(n, n if total is None else total, NOON, last)


@pytest.mark.parametrize(
    ("n", "wait_s"),
    [(4, None), (5, 30.0), (6, 60.0), (9, 480.0), (10, 900.0), (11, 900.0), (49, 900.0)],
)
def test_the_wait_doubles_from_30_s_to_15_min(n: int, wait_s: float | None) -> None:
    refused = None if wait_s is None else Refused(wait_s)
    assert tally(n).refusal(NOON, PERSON) == refused
    assert tally(n).refusal(NOON + timedelta(seconds=wait_s or 0.0), PERSON) is None


def test_after_fifty_in_all_only_an_unlock_helps() -> None:
    assert tally(1, IN_ALL - 1).refusal(NOON, PERSON) is None
    for later in (timedelta(0), timedelta(days=4000)):
        assert tally(1, IN_ALL).refusal(NOON + later, PERSON) == Refused(0.0, disabled=True)
    assert tally(1, IN_ALL).unlock().refusal(NOON, PERSON) is None
    assert tally(1, IN_ALL).refusal(NOON, DOOR) is None


def test_who_is_under_way_counts_and_may_be_the_last_of_fifty() -> None:
    one = tally(1, IN_ALL - 1).take("s", NOON, PERSON)
    assert one.refusal(NOON, PERSON) == Refused(FIRST_S)
    assert one.fail("s", NOON).refusal(NOON, PERSON) == Refused(0.0, disabled=True)
    assert one.give_back("s").refusal(NOON, PERSON) is None


def test_after_the_limit_they_come_one_at_a_time() -> None:
    now = NOON + timedelta(seconds=FIRST_S)
    one = tally(IN_A_ROW).take("s", now, PERSON)
    for later_s in (0.0, 59.0):
        assert one.refusal(now + timedelta(seconds=later_s), PERSON) == Refused(FIRST_S)
    assert one.give_back("s").refusal(now, PERSON) is None
    assert one.fail("s", now).refusal(now, PERSON) == Refused(2 * FIRST_S)


def test_who_never_comes_back_failed() -> None:
    one = tally(IN_A_ROW).take("s", NOON, PERSON)
    late = one.at(NOON + UNDER_WAY, PERSON)
    assert (late.n, late.total, late.taken) == (IN_A_ROW + 1, IN_A_ROW + 1, ())
    assert late.give_back("s") == late
    assert one.at(NOON + UNDER_WAY - SECOND, PERSON).taken == one.taken


def test_failures_in_a_row_are_forgotten_after_a_day_without_one() -> None:
    old = tally(IN_A_ROW + 3, 20)
    assert old.at(NOON + DECAY - SECOND, PERSON).n == IN_A_ROW + 3
    after = old.at(NOON + DECAY, PERSON)
    assert (after.n, after.total) == (0, 20)


def test_where_successes_forgive_nothing_a_day_begins_with_its_first_failure() -> None:
    busy = Tally(49, 49, NOON, NOON + DECAY - SECOND)
    assert busy.take("s", NOON + DECAY - SECOND, DOOR).n == 50
    assert busy.take("s", NOON + DECAY, DOOR).n == 1
    assert busy.take("s", NOON + DECAY, PERSON).n == 50


@pytest.mark.parametrize("days", [-4000, -31, -1, 0, 1, 31, 4000])
def test_whatever_the_clock_does_no_wait_is_longer_than_the_longest(days: int) -> None:
    one = Tally(30, 30, NOON, NOON).take("s", NOON, PERSON)
    refused = one.fail("s", NOON).refusal(NOON + timedelta(days=days), PERSON)
    assert refused is None or 0.0 < refused.wait_s <= LONGEST_S
    assert (refused is None) == (days > 0)
    refused = one.refusal(NOON + timedelta(days=days), PERSON)
    assert refused is None or 0.0 < refused.wait_s <= LONGEST_S


def test_a_success_resets_a_device_and_codes_and_is_given_back_elsewhere() -> None:
    one = tally(3).take("s", NOON, PERSON).take("other", NOON, PERSON)
    for kind in (Kind.DEVICE, Kind.CODE):
        after = ended(one, kind, "s", failed=None, at=NOON)
        assert (after.n, after.total, len(after.taken)) == (1, 1, 1)
    for kind in (Kind.STRANGERS, Kind.NAME, Kind.ADDRESS, Kind.CLIENT):
        assert ended(one, kind, "s", failed=None, at=NOON).n == 4


def test_ending_twice_or_what_was_never_taken_changes_nothing() -> None:
    one = tally(3)
    assert one.fail("s", NOON) == one.give_back("s") == one
    once = one.take("s", NOON, PERSON).fail("s", NOON)
    assert once.fail("s", NOON + SECOND) == once
