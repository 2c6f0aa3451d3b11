"""The challenge is another one for each login, attempt and salt."""

from __future__ import annotations

import pytest

from server.factors.key_challenge import challenge_of


def test_no_two_are_the_same() -> None:
    salts = (bytes(32), b"\x01" * 32)
    made = {
        challenge_of(login, attempt, salt)
        for login in ("a", "b", "ab")
        for attempt in (0, 1, 256)
        for salt in salts
    }
    assert len(made) == 18
    assert {len(one) for one in made} == {32}
    assert challenge_of("a", 1, salts[0]) == challenge_of("a", 1, salts[0])


def test_a_login_without_salt_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        challenge_of("a", 1, b"")
