"""The table of levels: each row, and what is less than a client's least."""

from __future__ import annotations

import pytest

from server.oidc.claims import ACRS, Assurance, assurance, meets

ROWS = [
    ({"face"}, "urn:lookgate:face", "face"),
    ({"face", "otp"}, "urn:lookgate:face+otp", "face otp mfa"),
    ({"face", "recovery"}, "urn:lookgate:face+otp", "face otp mfa"),
    ({"webcrypto", "face"}, "urn:lookgate:key+face", "swk face mfa"),
    ({"key", "face"}, "phr", "pop user face mfa"),
    ({"key", "face", "otp"}, "phr", "pop user face otp mfa"),
    ({"key"}, "urn:lookgate:key", "pop user"),
]


@pytest.mark.parametrize(("shown", "acr", "amr"), ROWS)
def test_each_row_of_the_table(shown: set[str], acr: str, amr: str) -> None:
    assert assurance(frozenset(shown)) == Assurance(acr, tuple(amr.split()))


@pytest.mark.parametrize("shown", [set(), {"otp"}, {"webcrypto"}, {"recovery", "webcrypto"}])
def test_what_is_no_login_has_no_level(shown: set[str]) -> None:
    assert assurance(frozenset(shown)) is None
    assert meets(None, ["urn:lookgate:face"], frozenset(shown), key_alone=True) is None


def test_the_first_value_that_was_shown_is_said_else_the_best() -> None:
    both = frozenset({"key", "face"})
    asked = ["silver", "urn:lookgate:face+otp", "urn:lookgate:face", "phr"]
    assert meets(None, asked, both) == Assurance("urn:lookgate:face", assurance(both).amr)  # type: ignore[union-attr]
    assert meets(None, ["silver"], both) == assurance(both)
    assert meets(None, [], both) == assurance(both)
    assert meets(None, ["phr"], frozenset({"face"})) == assurance(frozenset({"face"}))


@pytest.mark.parametrize(("shown", "acr", "_"), ROWS)
def test_less_than_the_clients_least_is_nothing(shown: set[str], acr: str, _: str) -> None:
    for least in ACRS:
        found = meets(least, [], frozenset(shown), key_alone=True)
        if least == "urn:lookgate:key":  # a face is no key, however much is shown beside it
            assert (found is not None) == ("key" in shown)
        else:
            assert (found is not None) == (ACRS.index(acr) <= ACRS.index(least)), least
    assert meets("of a newer version", [], frozenset(shown), key_alone=True) is None


def test_a_value_below_the_clients_least_is_not_said() -> None:
    both = frozenset({"key", "face"})
    said = meets("phr", ["urn:lookgate:face"], both)
    assert said is not None
    assert said.acr == "phr"


def test_a_passkey_alone_is_for_clients_that_allow_it() -> None:
    key = frozenset({"key"})
    assert meets(None, [], key, key_alone=True) == assurance(key)
    assert meets(None, [], key) is None
    both = meets(None, ["urn:lookgate:key"], frozenset({"key", "face"}))
    assert both is not None
    assert both.acr == "phr"
