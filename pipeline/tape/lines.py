"""The lines of a tape: JSON, one a line, each with a checksum over itself and all before it.

A chain without a key: it finds damage, and changes by whoever does not mend the chain as well; it
is no signature. The one door to msgspec: the standard library takes five times as long to read a
line. Not here: what the lines mean (writer.py, reader.py). Source: docs/tape.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import msgspec

from pipeline.tape import FORMAT, VERSION, TapeError

MARK, END = b',"sum":"', b'"}'
DIGITS = 16
"""Hex digits of SHA-256 that are kept: 64 bits, far more than damage needs."""
TAIL = len(MARK) + DIGITS + len(END)
MAX_LINE = 16 * 1024 * 1024
"""Bytes; a header with the templates of 10,000 people has 7 MB."""
TOO_LONG = "the line is too long for a tape"
FIRST, MOST = 8 * 1024, 128 * 1024
"""Bytes that are read at a time, at first and at most."""

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
        self._last = digest.hexdigest()[:DIGITS].encode("ascii")
        return self._last


def seal(line: dict[str, Any], chain: Chain) -> bytes:
    """A line ready to be written."""
    body = _encode(line).encode("utf-8", "surrogatepass")[:-1]
    return body + MARK + chain.next(body) + END + b"\n"


def unsealed(stream: BinaryIO, *, torn: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number from 1 and content of each line, its checksum among it.

    Raises TapeError. `torn`: a last line that was not written to its end is left out; whether there
    is more to say of the end is the reader's (reader.py).
    """
    chain, number, rest, size = Chain(), 0, b"", FIRST
    while chunk := stream.read(size):
        # The header first, for those who want no more; then pieces of many lines.
        size = MOST
        *lines, rest = (rest + chunk).split(b"\n")
        for raw in lines:
            number += 1
            body, tail = raw[:-TAIL], raw[-TAIL:]
            if len(raw) >= MAX_LINE:
                raise _wrong(number, TOO_LONG)
            if not (tail.startswith(MARK) and tail.endswith(END)):
                raise _wrong(number, "this is no line of a tape")
            try:
                line = _decode(raw)
            except (ValueError, RecursionError):
                raise _wrong(number, "this is no JSON") from None
            if number == 1:
                _check_version(line)
            if chain.next(body) != tail[len(MARK) : -len(END)]:
                text = "the checksum does not fit: changed or damaged"
                raise TapeError("tape_changed", text, number)
            yield number, line
        if len(rest) >= MAX_LINE:
            raise _wrong(number + 1, TOO_LONG)
    if not rest or (torn and number):
        return
    if number == 0:
        raise TapeError("tape_not", "this is not a tape", 1)
    raise TapeError("tape_truncated", "the tape breaks off within this line", number + 1)


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
