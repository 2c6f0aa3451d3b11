"""The lines of a tape: JSON, one a line, each with a checksum over itself and all before it.

A chain without a key: it finds damage, and changes by whoever does not mend the chain as well; it
is no signature. The one door to msgspec: the standard library takes five times as long to read a
line. Not here: what the lines mean (writer.py, reader.py). Source: docs/tape.md.
"""

from __future__ import annotations

import binascii
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import msgspec

from pipeline.tape import FORMAT, VERSION, TapeError

MARK, END = b',"sum":"', b'"}\n'
DIGITS = 16
"""Hex digits of SHA-256 that are kept: 64 bits, far more than damage needs."""
TAIL = len(MARK) + DIGITS + len(END)
MAX_LINE = 16 * 1024 * 1024
"""Bytes; a header with the templates of 10,000 people has 7 MB."""

_decode: Callable[[bytes], Any] = msgspec.json.Decoder().decode
unpacked = msgspec.convert
"""`unpacked(text, bytes)`: what base64 (RFC 4648 section 4) stands for. Raises ValueError."""
_encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode


class Chain:
    """The checksum so far."""

    def __init__(self) -> None:
        self._last = b""

    def next(self, body: bytes) -> bytes:
        """Hex digits for the line that has `body` before its checksum."""
        digest = hashlib.sha256(self._last + body, usedforsecurity=False)
        self._last = binascii.hexlify(digest.digest()[: DIGITS // 2])
        return self._last


def seal(line: dict[str, Any], chain: Chain) -> bytes:
    """A line ready to be written."""
    body = _encode(line).encode("utf-8", "surrogatepass")[:-1]
    return body + MARK + chain.next(body) + END


def unsealed(stream: BinaryIO, *, torn: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number from 1 and content of each line, its checksum among it.

    Raises TapeError. `torn`: a last line that was not written to its end is left out; whether there
    is more to say of the end is the reader's (reader.py).
    """
    chain, number = Chain(), 0
    while raw := stream.readline(MAX_LINE + 1):
        number += 1
        if len(raw) > MAX_LINE:
            raise _wrong(number, "the line is too long for a tape")
        fits = raw.endswith(MARK + chain.next(raw[:-TAIL]) + END)
        if not fits:
            if not raw.endswith(b"\n"):
                if torn and number > 1:
                    return
                if number == 1:
                    raise TapeError("tape_not", "this is not a tape", 1)
                raise TapeError("tape_truncated", "the tape breaks off within this line", number)
            if raw[-TAIL:][: len(MARK)] != MARK or not raw.endswith(END):
                raise _wrong(number, "this is no line of a tape")
        try:
            line = _decode(raw)
        except (ValueError, RecursionError):
            raise _wrong(number, "this is no JSON") from None
        if number == 1:
            _check_version(line)
        if not fits:
            raise TapeError("tape_changed", "the checksum does not fit: changed or damaged", number)
        yield number, line


def _wrong(number: int, text: str) -> TapeError:
    if number == 1:
        return TapeError("tape_not", "this is not a tape", 1)
    return TapeError("tape_corrupt", text, number)


def _check_version(line: dict[str, Any]) -> None:
    """Before the checksum, whose rules are of this version."""
    if line.get("format") != FORMAT or line.get("version").__class__ is not int:
        raise TapeError("tape_not", "this is not a tape", 1)
    if line["version"] > VERSION:
        raise TapeError(
            "tape_newer", f"a newer Lookgate made this tape (version {line['version']})", 1
        )
    if line["version"] < 1:
        raise TapeError("tape_not", "this is not a tape", 1)
