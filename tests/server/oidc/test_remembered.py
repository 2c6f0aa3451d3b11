"""The cookie of who logged in on a browser: three at most, sealed, for a while."""

from __future__ import annotations

from datetime import timedelta

import pytest

from server.keys.vault import Vault
from server.oidc.remembered import KEPT, LONGEST, Person, read, with_person, without, write
from tests.server.conformance.records import NOW

VAULT = Vault([bytes(32)])
ANN, BOB, CLEO, DAN = (Person("shop", name) for name in ("ann", "bob", "cleo", "dan"))


def test_it_is_read_as_it_was_written_until_its_time_is_over() -> None:
    value = write(VAULT, (ANN, BOB), NOW)
    assert "ann" not in value
    assert read(VAULT, value, NOW + KEPT - timedelta(seconds=1)) == (ANN, BOB)
    assert read(VAULT, value, NOW + KEPT) == ()


def test_the_last_one_comes_first_once_and_the_fourth_goes() -> None:
    persons: tuple[Person, ...] = ()
    for one in (ANN, BOB, ANN, CLEO, DAN):
        persons = with_person(persons, one)
    assert persons == (DAN, CLEO, ANN)
    assert without(persons, CLEO) == (DAN, ANN)
    assert without(persons, Person("bank", "ann")) == persons


def test_names_as_long_as_any_fit() -> None:
    long = tuple(Person("c" * 64, letter * 128) for letter in "abc")
    value = write(VAULT, long, NOW)
    assert len(value) <= LONGEST
    assert read(VAULT, value, NOW) == long


@pytest.mark.parametrize("value", [None, "", "x", "é", "A" * (LONGEST + 1)])
def test_what_is_not_ours_names_nobody(value: str | None) -> None:
    assert read(VAULT, value, NOW) == ()
    other = write(Vault([b"\x01" * 32]), (ANN,), NOW)
    assert read(VAULT, other, NOW) == ()
