"""Recovery codes: how they look, how they are read, and for whom."""

from __future__ import annotations

import re

import pytest

from server.factors.recovery import COUNT, hash_of, new_codes


def test_ten_different_codes_of_120_bits() -> None:
    codes = new_codes()
    assert len(set(codes)) == COUNT
    for code in codes:
        assert re.fullmatch("([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}", code)


def test_a_code_is_all_of_what_was_drawn() -> None:
    low, high = new_codes(bytes)[0], new_codes(lambda n: b"\xff" * n)[0]
    assert (low.replace("-", ""), high.replace("-", "")) == ("0" * 24, "Z" * 24)
    ends = {new_codes(lambda n, one=one: one + bytes(n - 1))[0] for one in (b"\x01", b"\x80")}
    assert len(ends) == 2


def test_it_is_read_as_people_write_it() -> None:
    code = new_codes(lambda n: bytes([1]) + bytes(n - 2) + bytes([33]))[0]
    assert "0" in code
    assert "1" in code
    as_kept = hash_of(code, people="shop", subject="ann")
    assert as_kept is not None
    for typed in (
        code.lower(),
        code.replace("-", ""),
        code.replace("-", " "),
        code.replace("0", "O").replace("1", "l"),
    ):
        assert hash_of(typed, people="shop", subject="ann") == as_kept


def test_it_is_one_persons() -> None:
    code = new_codes()[0]
    assert hash_of(code, people="shop", subject="ann") != hash_of(code, people="shop", subject="an")
    assert hash_of(code, people="sho", subject="pann") != hash_of(
        code, people="shop", subject="ann"
    )


@pytest.mark.parametrize("typed", ["", "AAAA", "U" * 24, "A" * 25, "ß" * 24])
def test_anything_else_is_no_code(typed: str) -> None:
    assert hash_of(typed, people="shop", subject="ann") is None
