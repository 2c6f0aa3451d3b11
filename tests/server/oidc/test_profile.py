"""What may stand in a profile."""

from __future__ import annotations

from typing import Any

import pytest

from server.oidc.profile import ProfileError, profile_bytes, profile_of


def test_a_profile_is_read_as_it_was_written() -> None:
    said = {"name": "Änne", "email": "a@shop.example", "email_verified": True}
    assert profile_of(profile_bytes(said)) == said
    assert profile_of(profile_bytes({"name": "Änne", "email": None})) == {"name": "Änne"}
    assert profile_of(profile_bytes({})) == {}


def test_an_address_that_nobody_looked_at_is_not_verified() -> None:
    said = profile_of(profile_bytes({"email": "a@shop.example"}))
    assert said["email_verified"] is False


@pytest.mark.parametrize(
    "said",
    [
        {"sub": "eve"},
        {"name": ""},
        {"name": 7},
        {"name": "a\u202eb"},
        {"name": "x" * 129},
        {"email": "nobody"},
        {"email": "a@b c"},
        {"email": "a@" + "b" * 253},
        {"email_verified": True},
        {"email": "a@b", "email_verified": 1},
    ],
)
def test_what_apps_must_not_be_told(said: dict[str, Any]) -> None:
    with pytest.raises(ProfileError):
        profile_bytes(said)
