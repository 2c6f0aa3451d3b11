"""Who may have a session: literal times and addresses, no event loop."""

from __future__ import annotations

import pytest

from server.problems import Problem
from server.session.occupancy import HURRIED, YOUNG_S, Holder, Occupancy, Place, Room
from server.session.presence import Patience

ROOM = Room(showing=8, connecting=12, subject_addresses=3, identify=30)


def ann(address: str = "a", client: str = "shop") -> Holder:
    return Holder(client, "ann", address)


def person(n: int, address: str = "a") -> Holder:
    return Holder("shop", f"person {n}", address)


def anybody(address: str = "a", client: str = "shop") -> Holder:
    return Holder(client, None, address)


def refused(occupancy: Occupancy, holder: Holder, now_s: float = 0.0) -> str:
    before = len(occupancy)
    with pytest.raises(Problem) as refusal:
        occupancy.enter(holder, now_s)
    assert len(occupancy) == before
    assert refusal.value.retry_after_s
    return refusal.value.code


def taken(occupancy: Occupancy, holder: Holder, now_s: float = 0.0) -> Place:
    place = occupancy.enter(holder, now_s)
    place.take_over()
    return place


def shown(occupancy: Occupancy, holder: Holder, now_s: float = 0.0) -> Place:
    place = taken(occupancy, holder, now_s)
    assert place.show()
    return place


def test_a_newer_session_of_a_person_at_an_address_ends_the_older() -> None:
    occupancy, ended = Occupancy(ROOM), list[int]()
    for n in range(20):
        place = taken(occupancy, ann())
        assert ended == list(range(n))
        place.when_replaced(lambda n=n: ended.append(n))  # type: ignore[misc]
        assert len(occupancy) == 1
        assert place.show()


def test_the_older_one_lives_until_the_ticket_was_taken() -> None:
    occupancy, ended = Occupancy(ROOM), list[str]()
    older = shown(occupancy, ann())
    older.when_replaced(lambda: ended.append("older"))
    occupancy.enter(ann(), 0.0).give_back()  # its ticket was used
    assert ended == []
    assert len(occupancy) == 1
    taken(occupancy, ann())
    assert ended == ["older"]
    older.give_back()
    assert len(occupancy) == 1


def test_of_two_that_begin_at_once_the_later_one_stays() -> None:
    occupancy, ended = Occupancy(ROOM), list[str]()
    first, second = occupancy.enter(ann(), 0.0), occupancy.enter(ann(), 0.0)
    second.take_over()
    first.take_over()
    second.when_replaced(lambda: ended.append("second"))
    first.when_replaced(lambda: ended.append("first"))
    assert ended == ["first"]
    assert len(occupancy) == 1


@pytest.mark.parametrize(
    "other", [ann("b"), Holder("shop", "bob", "a"), ann(client="bank"), anybody()]
)
def test_nobody_elses_session_is_ended(other: Holder) -> None:
    occupancy, ended = Occupancy(ROOM), list[str]()
    shown(occupancy, other).when_replaced(lambda: ended.append("other"))
    for _ in range(5):
        shown(occupancy, ann())
    assert ended == []
    assert len(occupancy) == 2


def test_a_person_may_be_at_so_many_addresses() -> None:
    occupancy = Occupancy(ROOM)
    places = [shown(occupancy, ann(address)) for address in "abc"]
    assert refused(occupancy, ann("d")) == "too_many_sessions"
    shown(occupancy, ann("b"))  # one that is there may begin anew
    shown(occupancy, ann("d", client="bank"))  # another relying app's ann is another
    places[0].give_back()
    shown(occupancy, ann("d"))


def test_one_account_at_one_address_keeps_nobody_out() -> None:
    occupancy = Occupancy(ROOM)
    for n in range(500):
        shown(occupancy, ann(), n / 10)
        if n % 20 == 0:
            shown(occupancy, person(1, "b"), n / 10).give_back()


def test_thirty_people_of_one_office_come_at_once() -> None:
    occupancy = Occupancy(Room(showing=30, connecting=32, subject_addresses=3, identify=30))
    for n in range(30):
        taken(occupancy, person(n))
    assert refused(occupancy, person(30)) == "busy"


def test_without_a_subject_an_address_has_so_many_but_never_all() -> None:
    occupancy = Occupancy(ROOM)
    for _ in range(7):
        shown(occupancy, anybody())
    assert refused(occupancy, anybody()) == "too_many_sessions"
    shown(occupancy, anybody("b"))
    few = Occupancy(Room(showing=8, connecting=12, subject_addresses=3, identify=2))
    for _ in range(2):
        shown(few, anybody())
    assert refused(few, anybody()) == "too_many_sessions"
    shown(few, anybody(client="bank"))
    one = Occupancy(Room(showing=1, connecting=1, subject_addresses=3, identify=30))
    shown(one, anybody())
    assert refused(one, anybody()) == "too_many_sessions"


def test_all_places_are_taken() -> None:
    occupancy = Occupancy(ROOM)
    places = [shown(occupancy, person(n)) for n in range(8)]
    assert not occupancy.may_show()
    assert refused(occupancy, ann()) == "busy"
    places[3].give_back()
    assert occupancy.may_show()
    shown(occupancy, ann())


def test_who_holds_a_place_may_begin_anew_though_all_are_taken() -> None:
    occupancy = Occupancy(ROOM)
    for n in range(7):
        shown(occupancy, person(n))
    shown(occupancy, ann())
    shown(occupancy, ann())


def test_one_that_connects_keeps_a_place_while_it_is_young() -> None:
    occupancy = Occupancy(ROOM)
    for n in range(8):
        taken(occupancy, person(n), 10.0)
    assert refused(occupancy, ann(), 10.0 + YOUNG_S - 0.01) == "busy"
    late = taken(occupancy, ann(), 10.0 + YOUNG_S)
    assert late.show()


def test_beginning_anew_and_anew_keeps_no_place() -> None:
    occupancy = Occupancy(ROOM)
    for n in range(8):
        taken(occupancy, person(n), 10.0)
        taken(occupancy, person(n), 12.0)
    assert refused(occupancy, ann(), 10.0 + YOUNG_S - 0.01) == "busy"
    taken(occupancy, ann(), 10.0 + YOUNG_S)
    # Who showed a picture has the time again.
    place = taken(occupancy, person(0), 13.0)
    assert place.show()
    assert taken(occupancy, person(0), 20.0).young_s == 20.0


def test_those_that_only_connect_are_bounded_too() -> None:
    occupancy = Occupancy(ROOM)
    for n in range(12):
        taken(occupancy, person(n), n * YOUNG_S)
    assert refused(occupancy, ann(), 12 * YOUNG_S) == "busy"


def test_one_that_was_slow_waits_for_a_place_to_show_its_picture() -> None:
    occupancy = Occupancy(ROOM)
    slow = taken(occupancy, ann(), 0.0)
    others = [shown(occupancy, person(n), YOUNG_S) for n in range(8)]
    assert not slow.show()
    assert not slow.show()
    others[0].give_back()
    assert slow.show()
    assert refused(occupancy, person(9), YOUNG_S) == "busy"


def test_there_is_less_time_to_connect_where_places_run_short() -> None:
    occupancy = Occupancy(ROOM)
    patience = [taken(occupancy, person(n)).patience for n in range(8)]
    assert patience == [Patience()] * 6 + [HURRIED] * 2
    assert HURRIED.connect_s < Patience().connect_s


def test_a_place_is_given_back_exactly_once() -> None:
    occupancy = Occupancy(ROOM)
    place = taken(occupancy, ann())
    place.give_back()
    assert len(occupancy) == 0
    with pytest.raises(AssertionError):
        place.give_back()
