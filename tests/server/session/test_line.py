"""Who is next: literal times, apps and addresses."""

from __future__ import annotations

import pytest

from server.problems import Problem
from server.session.line import AGAIN_S, GRACE_S, Line
from server.session.occupancy import Holder, Room

ROOM = Room(showing=8, connecting=12, subject_addresses=3, identify=5)


def holder(who: str) -> Holder:
    """`app/address/subject`; without a subject anybody."""
    client, address, subject = who.split("/")
    return Holder(client, subject or None, address)


def join(line: Line, who: str, session: str = "", now_s: float = 0.0) -> list[str]:
    """Who had to leave for it, itself included."""
    session = session or who
    found, gone = line.join(session, holder(who), now_s)
    return [one.session_id for one in gone] + ([] if found else [session])


def order(line: Line) -> list[str]:
    return [one.session_id for one in line.order()]


def served(line: Line, count: int) -> list[str]:
    found = []
    for _ in range(count):
        one = line.order()[0]
        line.serve(one)
        found.append(one.session_id)
    return found


def test_first_come_first_served_at_one_address() -> None:
    line = Line(8, ROOM)
    for name in "abc":
        join(line, f"shop/1/{name}")
    assert [line.ahead(one) for one in line.order()] == [0, 1, 2]
    assert served(line, 3) == ["shop/1/a", "shop/1/b", "shop/1/c"]
    assert len(line) == 0


def test_addresses_of_an_app_are_served_in_turn() -> None:
    line = Line(8, ROOM)
    for who in ("shop/1/a", "shop/1/b", "shop/1/c", "shop/2/d", "shop/3/e"):
        join(line, who)
    assert order(line) == ["shop/1/a", "shop/2/d", "shop/3/e", "shop/1/b", "shop/1/c"]
    assert served(line, 5) == order(line) or len(line) == 0


def test_apps_are_served_in_turn_whatever_addresses_they_bring() -> None:
    line = Line(20, ROOM)
    for n in range(6):
        join(line, f"flood/{n}/p{n}")
    join(line, "shop/1/a")
    join(line, "shop/1/b")
    assert served(line, 4) == ["flood/0/p0", "shop/1/a", "flood/1/p1", "shop/1/b"]


def test_one_that_comes_again_and_again_passes_nobody() -> None:
    line = Line(20, ROOM)
    join(line, "shop/1/a")
    join(line, "flood/1/x")
    assert served(line, 1) == ["shop/1/a"]
    join(line, "shop/1/b")
    assert served(line, 1) == ["flood/1/x"]
    join(line, "flood/1/y")
    assert served(line, 2) == ["shop/1/b", "flood/1/y"]


def test_asking_again_keeps_the_rank_and_counts_once() -> None:
    line = Line(8, ROOM)
    for name in "ab":
        join(line, f"shop/1/{name}")
    assert join(line, "shop/1/a") == []
    assert order(line) == ["shop/1/a", "shop/1/b"]


def test_who_does_not_ask_again_in_time_is_gone() -> None:
    line = Line(8, ROOM)
    join(line, "shop/1/a")
    join(line, "shop/1/b")
    held = line.find("shop/1/a")
    assert held is not None
    held.until_s = float("inf")
    assert line.expire(AGAIN_S + GRACE_S - 0.01) == []
    assert [one.session_id for one in line.expire(AGAIN_S + GRACE_S)] == ["shop/1/b"]
    assert line.expire(1e9) == []
    assert held.present


def test_a_person_at_an_address_stands_in_line_once() -> None:
    line = Line(8, ROOM)
    join(line, "shop/1/a", "first")
    join(line, "shop/1/b")
    assert join(line, "shop/1/a", "second") == ["first"]
    assert order(line) == ["second", "shop/1/b"]
    for address in "23":
        join(line, f"shop/{address}/a")
    with pytest.raises(Problem) as refusal:
        join(line, "shop/4/a")
    assert refusal.value.code == "too_many_sessions"
    join(line, "bank/4/a")


def test_without_a_subject_an_address_stands_in_line_so_often() -> None:
    line = Line(20, ROOM)
    for n in range(5):
        join(line, "shop/1/", str(n))
    with pytest.raises(Problem):
        join(line, "shop/1/", "6")
    join(line, "shop/2/", "6")


def test_where_it_is_full_the_last_of_the_longest_leaves() -> None:
    line = Line(4, ROOM)
    for name in "abcd":
        join(line, f"flood/1/{name}")
    assert join(line, "flood/1/e") == ["flood/1/e"]
    assert join(line, "shop/1/x") == ["flood/1/d"]
    assert join(line, "flood/2/y") == ["flood/1/c"]
    assert join(line, "shop/1/z") == ["flood/1/b"]
    assert len(line) == 4
    assert join(Line(0, ROOM), "shop/1/a") == ["shop/1/a"]
