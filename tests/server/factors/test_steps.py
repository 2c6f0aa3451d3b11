"""The table of a login: what may follow what, and that nothing else may."""

from __future__ import annotations

import itertools

import pytest

from server.factors.steps import ENDS, MOVES, Act, State, after, shown_after


def walk(*acts: Act) -> tuple[State | None, tuple[str, ...]]:
    """Where these lead, and what was shown by then."""
    state: State | None = State.WHO
    shown: tuple[str, ...] = ()
    for act in acts:
        assert state is not None
        state = after(state, act)
        shown = shown_after(shown, act, "otp")
    return state, shown


@pytest.mark.parametrize(
    ("acts", "shown"),
    [
        ((Act.PASSKEY, Act.FACE_ENOUGH), ("key", "face")),
        ((Act.NAMED, Act.PASSKEY, Act.FACE_ENOUGH), ("key", "face")),
        ((Act.NAMED, Act.DEVICE_KEY, Act.FACE_ENOUGH), ("webcrypto", "face")),
        ((Act.NAMED, Act.NO_KEY, Act.FACE_ENOUGH), ("face",)),
        ((Act.NAMED, Act.NO_KEY, Act.FACE_AND_CODE, Act.CODE), ("face", "otp")),
        ((Act.UNNAMED, Act.FACE_ENOUGH), ("face",)),
        ((Act.PASSKEY, Act.KEY_ALONE), ("key",)),
    ],
)
def test_the_ways_to_the_end(acts: tuple[Act, ...], shown: tuple[str, ...]) -> None:
    assert walk(*acts) == (State.DONE, shown)


def test_nobody_is_done_without_a_face_or_a_key_alone() -> None:
    for length in range(1, 6):
        for acts in itertools.product(Act, repeat=length):
            state: State | None = State.WHO
            shown: tuple[str, ...] = ()
            for act in acts:
                state = after(state, act) if state is not None else None
                shown = shown_after(shown, act, "otp")
            if state is State.DONE:
                assert "face" in shown or acts[-1] is Act.KEY_ALONE
                assert acts[-1] in (Act.FACE_ENOUGH, Act.KEY_ALONE, Act.CODE)


def test_a_key_never_comes_after_the_face() -> None:
    for state in (State.FACE, State.OTP):
        assert after(state, Act.PASSKEY) is None
        assert after(state, Act.DEVICE_KEY) is None


def test_somebody_else_begins_with_nothing_shown() -> None:
    assert walk(Act.PASSKEY, Act.AGAIN) == (State.WHO, ())
    state, shown = walk(Act.NAMED, Act.NO_KEY, Act.FACE_AND_CODE, Act.AGAIN, Act.NAMED)
    assert (state, shown) == (State.KEY, ())


def test_an_end_is_an_end_and_everything_else_can_be_given_up() -> None:
    assert {State.DONE, State.REFUSED, State.EXPIRED} == ENDS
    for state in State:
        assert after(state, Act.GIVEN_UP) == (None if state in ENDS else State.REFUSED)
        assert after(state, Act.LATE) == (None if state in ENDS else State.EXPIRED)


def test_every_state_is_reached_and_every_act_is_used() -> None:
    reached = {State.WHO, *(to for moves in MOVES.values() for to in moves.values())}
    assert reached == set(State)
    assert {act for moves in MOVES.values() for act in moves} == set(Act)
