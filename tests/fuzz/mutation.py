"""Bytes changed a little, as fuzzers do: pure, from a random generator that is given.

Source: the stages of AFL (lcamtuf, "Binary fuzzing strategies", 2014).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

MOST_CHANGES = 6
EDGES = (0, 1, 2, 0x20, 0x22, 0x2C, 0x30, 0x39, 0x5C, 0x7B, 0x7F, 0x80, 0xC0, 0xFF)
"""Bytes that mean something to parsers."""
TOKENS = (b"null", b"true", b"NaN", b"1e999", b"-1", b"99999999999999999999", b"{}", b"[]", b'""',
          b"\\u0000", b"\\ud800", b"\r\n", b"\xff\xff\xff\xff", b"__proto__")  # fmt: skip
LARGEST = 200_000
"""Bytes; what grows beyond is cut."""

Change = Callable[[bytearray, random.Random, Sequence[bytes]], None]


def _bit(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _byte(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    data[rng.randrange(len(data))] = rng.choice(EDGES)


def _cut(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    del data[slice(*_part(data, rng))]


def _again(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    first, last = _part(data, rng)
    data[first:first] = data[first:last] * rng.randint(1, 8)


def _token(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    at = rng.randrange(len(data))
    word = rng.choice(TOKENS)
    data[at : at + rng.choice((0, len(word)))] = word


def _splice(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    other = rng.choice(others)
    first, last = _part(other, rng)
    at = rng.randrange(len(data))
    data[at : at + rng.choice((0, last - first))] = other[first:last]


def _end(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    del data[rng.randrange(len(data)) :]


CHANGES: tuple[Change, ...] = (_bit, _byte, _cut, _again, _token, _splice, _end)


def _part(data: Sequence[int], rng: random.Random) -> tuple[int, int]:
    first = rng.randrange(len(data) or 1)
    return first, first + rng.choice((1, 2, 4, 16, 64, 1024))


def changed(examples: Sequence[bytes], rng: random.Random) -> bytes:
    """One of the examples after a few changes, never one as it is."""
    while True:
        data = bytearray(rng.choice(examples))
        for _ in range(rng.randint(1, MOST_CHANGES)):
            if data:
                rng.choice(CHANGES)(data, rng, examples)
        found = bytes(data[:LARGEST])
        if found not in examples:
            return found
