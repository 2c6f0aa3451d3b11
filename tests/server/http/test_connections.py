"""Who gets a connection, and who gives way."""

from __future__ import annotations

from dataclasses import dataclass

from server.http.connections import Connections, kept_back


@dataclass(eq=False)
class One:
    dropped: bool = False

    def drop(self) -> None:
        self.dropped = True


def test_the_one_that_waited_longest_gives_way() -> None:
    all_of = Connections(3, 3)
    first, second, third, fourth, fifth = (One() for _ in range(5))
    assert all(all_of.add(one, "a") for one in (first, second, third))
    all_of.begin(first)
    all_of.wait(first)  # it was answered, so the second has waited longest
    assert all_of.add(fourth, "b")
    assert [one.dropped for one in (first, second, third)] == [False, True, False]
    assert len(all_of) == 3
    assert all_of.add(fifth, "b")
    assert (first.dropped, third.dropped) == (False, True)


def test_nobody_who_is_being_answered_gives_way() -> None:
    all_of = Connections(2, 2)
    first, second, third = One(), One(), One()
    for one in (first, second):
        all_of.add(one, "a")
        all_of.begin(one)
    assert not all_of.add(third, "b")
    assert len(all_of) == 2
    all_of.remove(first)
    assert all_of.add(third, "b")
    assert not first.dropped
    assert not second.dropped


def test_an_address_makes_room_among_its_own() -> None:
    all_of = Connections(10, 2)
    other, first, second, third = (One() for _ in range(4))
    assert all_of.add(other, "b")
    assert all_of.add(first, "a")
    assert all_of.add(second, "a")
    assert all_of.add(third, "a")
    assert [one.dropped for one in (other, first, second)] == [False, True, False]
    for one in (second, third):
        all_of.begin(one)
    assert not all_of.add(One(), "a")
    assert all_of.add(One(), "b")


def test_what_comes_through_a_proxy_counts_for_no_address() -> None:
    all_of = Connections(5, 1)
    assert all(all_of.add(One(), None) for _ in range(5))
    assert len(all_of) == 5


def test_one_that_was_not_taken_in_changes_nothing() -> None:
    all_of = Connections(1, 1)
    first, second = One(), One()
    all_of.add(first, "a")
    all_of.begin(first)
    assert not all_of.add(second, "a")
    all_of.wait(second)
    all_of.remove(second)
    assert len(all_of) == 1
    assert not all_of.add(One(), "a")


def test_media_keep_descriptors_for_every_address_of_every_session() -> None:
    fewest = kept_back(sessions=0, addresses=1, backlog=128)
    assert kept_back(sessions=8, addresses=3, backlog=128) == fewest + 40
