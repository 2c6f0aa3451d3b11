"""Heads that turn as asked, and all others."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pipeline.challenge import TURNS, Direction, Draws, draw_turns
from pipeline.cues.turn import TurnAnswer
from pipeline.decision import Evidence, Stand
from pipeline.observation import Motion
from tests.pipeline.lights import POLICY, observation
from tests.pipeline.observations import chosen_points, face

WAYS = {
    Direction.LEFT: (22.0, 0.0),
    Direction.RIGHT: (-22.0, 0.0),
    Direction.UP: (0.0, 16.0),
    Direction.DOWN: (0.0, -16.0),
}
ORDERS = [
    order
    for order in itertools.product(Direction, repeat=TURNS)
    if all(one is not other for one, other in itertools.pairwise(order))
]


class Head:
    """A person before a camera at 15 pictures a second."""

    def __init__(
        self,
        turns: tuple[Direction, ...],
        *,
        rest: tuple[float, float] = (3, -6),
        mirrored: bool = False,
        ratio: float = 0.9,
        looks: int = 10**6,
    ) -> None:
        """`ratio`: what a plane leaves of the points' motion; `looks`: at motion, while turned."""
        self.cue, self.rest, self.seq = TurnAnswer(turns), rest, 0
        self.ratio, self.looks = ratio, looks
        self.sign = -1 if mirrored else 1
        self.rng = np.random.default_rng(1)

    def hold(self, way: Direction | None, seconds: float, share: float = 1.0) -> None:
        """Look one way for a while; None is the camera."""
        yaw, pitch = (0.0, 0.0) if way is None else WAYS[way]
        for _ in range(round(seconds * 15)):
            sway = self.rng.normal(0, 1.0, 2)
            seen = face(
                motion=self._motion(turned=way is not None),
                yaw_deg=self.sign * self.rest[0] + self.sign * share * yaw + sway[0],
                pitch_deg=self.rest[1] + share * pitch + sway[1],
            )
            self.cue.add(observation(self.seq, 100 + self.seq / 15, seen), POLICY)
            self.seq += 1

    def answer(self) -> None:
        """Do all that is asked."""
        self.hold(None, 0.4)
        while (way := self.cue.asks) is not None:
            self.hold(None, 0.4)
            self.hold(way, 0.6)
            self.hold(None, 0.4)

    def _motion(self, *, turned: bool) -> Motion | None:
        if self.seq % 4:
            return None
        residual = 0.03 if turned and self.looks > 0 else 0.004
        self.looks -= turned
        rest = (residual, residual * self.ratio, *[0.0] * 6)
        return Motion(chosen_points(0), 0.1, *rest)

    def row(self) -> Evidence:
        return self.cue.row()


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("order", ORDERS[::3])
def test_every_order_can_be_answered_mirrored_or_not(
    order: tuple[Direction, ...], mirrored: bool
) -> None:
    head = Head(order, mirrored=mirrored)
    head.hold(None, 0.4)
    for way in order:
        assert head.cue.asks is way
        head.hold(None, 0.5)  # nobody reacts at once
        head.hold(way, 0.4, 0.5)
        head.hold(way, 0.4)
        assert head.cue.asks is None
        head.hold(None, 0.4)
    assert (head.row().stand, head.row().reason) == (Stand.FOR, "turned")
    assert head.cue.share() == 1.0
    sideways = {Direction.LEFT, Direction.RIGHT} & set(order)
    assert head.row().numbers.get("mirrored") == (float(mirrored) if sideways else None)


@pytest.mark.parametrize("first", [Direction.LEFT, Direction.RIGHT])
def test_a_camera_does_not_change_its_mirror(first: Direction) -> None:
    head = Head((Direction.LEFT, Direction.RIGHT, Direction.UP, Direction.LEFT))
    head.hold(None, 0.9)
    head.hold(first, 0.6)
    head.hold(None, 0.9)
    head.hold(first, 0.6)
    assert (head.row().stand, head.row().reason) == (Stand.AGAINST, "another_way")


def test_a_film_of_turns_fits_two_orders_in_108() -> None:
    film = (Direction.LEFT, Direction.UP, Direction.RIGHT, Direction.DOWN)
    passed = 0
    for order in ORDERS:
        head = Head(order)
        head.hold(None, 0.4)
        for way in film:
            head.hold(None, 0.6)
            head.hold(way, 0.6)
        row = head.row()
        passed += row.stand is Stand.FOR
        if row.stand is not Stand.FOR:
            assert (row.stand, row.certain, row.reason) == (Stand.AGAINST, True, "another_way")
    assert (passed, len(ORDERS)) == (2, 108)


def test_stillness_is_unknown_and_too_slow() -> None:
    head = Head(draw_turns(Draws(bytes(16))))
    head.hold(None, 4.0)
    assert head.row().reason == "not_yet"
    head.hold(None, 2.0)
    assert (head.row().stand, head.row().reason) == (Stand.UNKNOWN, "too_slow")
    assert head.cue.over


def test_a_turn_that_was_under_way_is_no_answer() -> None:
    head = Head((Direction.LEFT, Direction.UP, Direction.LEFT))
    head.hold(None, 5 / 15)
    head.hold(Direction.LEFT, 3 / 15)
    assert (head.row().stand, head.row().reason) == (Stand.AGAINST, "too_soon")


def test_a_half_turn_and_a_slip_of_one_picture_are_nothing() -> None:
    head = Head((Direction.LEFT, Direction.UP, Direction.LEFT))
    head.hold(None, 1.0)
    head.hold(Direction.RIGHT, 1 / 15)
    head.hold(Direction.LEFT, 0.5, 0.5)
    assert head.cue.asks is Direction.LEFT
    assert head.row().stand is Stand.UNKNOWN


def test_without_coming_back_the_next_one_does_not_begin() -> None:
    head = Head((Direction.LEFT, Direction.UP, Direction.LEFT))
    head.hold(None, 1.0)
    head.hold(Direction.LEFT, 3.0)
    assert head.cue.asks is None
    assert head.row().numbers["done"] == 1.0


def test_a_face_that_is_away_says_nothing() -> None:
    cue = TurnAnswer((Direction.LEFT, Direction.UP, Direction.LEFT))
    for seq in range(20):
        cue.add(observation(seq, 100 + seq / 15, None), POLICY)
    assert cue.asks is None
    assert cue.row().stand is Stand.UNKNOWN


def test_once_over_nothing_is_asked_or_changed_any_more() -> None:
    head = Head((Direction.LEFT, Direction.UP, Direction.LEFT))
    head.hold(None, 0.9)
    began, took_s = head.seq, head.cue.took_s
    assert took_s == pytest.approx((began - 1) / 15)
    head.hold(Direction.DOWN, 0.6)
    assert (head.cue.over, head.cue.asks) == (True, None)
    row, took_s = head.row(), head.cue.took_s
    assert (row.stand, row.reason) == (Stand.AGAINST, "another_way")
    head.hold(None, 0.9)
    head.hold(Direction.LEFT, 0.6)
    assert (head.row(), head.cue.asks, head.cue.took_s) == (row, None, took_s)


def test_a_turn_that_was_not_asked_for_says_nothing_of_the_mirror() -> None:
    head = Head((Direction.UP, Direction.LEFT, Direction.UP))
    head.hold(None, 0.9)
    head.hold(Direction.RIGHT, 0.6)
    assert head.row().reason == "another_way"
    assert "mirrored" not in head.row().numbers


@pytest.mark.parametrize(
    ("ratio", "looks", "answer"),
    [
        (0.9, 99, (Stand.FOR, "turned", False)),
        (0.51, 3, (Stand.FOR, "turned", False)),
        (0.49, 3, (Stand.AGAINST, "flat", True)),
        (0.2, 99, (Stand.AGAINST, "flat", True)),
        (0.9, 2, (Stand.UNKNOWN, "not_measured", False)),
        (0.2, 2, (Stand.UNKNOWN, "not_measured", False)),
    ],
)
def test_what_turns_as_a_plane_does_is_no_head(
    ratio: float, looks: int, answer: tuple[Stand, str, bool]
) -> None:
    head = Head(draw_turns(Draws(bytes(16))), ratio=ratio, looks=looks)
    head.answer()
    assert head.row().numbers["done"] == TURNS
    assert (head.row().stand, head.row().reason, head.row().certain) == answer
