"""The lines of a tape: JSON, one a line, each with a checksum over itself and all before it.

A chain without a key: it finds damage, and changes by whoever does not mend the chain as well; it
is no signature. Read by msgspec: the standard library takes five times as long. Not here: what the
lines mean (writer.py, reader.py). Source: docs/tape.md.
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

decoded: Callable[[bytes], Any] = msgspec.json.Decoder().decode
"""What a line says, its checksum among it. Raises ValueError, RecursionError."""
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


def unsealed(stream: BinaryIO, *, torn: bool = False) -> Iterator[tuple[int, bytes]]:
    """Number from 1 and bytes of each line whose checksum fits.

    Raises TapeError. `torn`: a last line that was not written to its end is left out; whether there
    is more to say of the end is the reader's (reader.py).
    """
    chain, number = Chain(), 0
    while raw := stream.readline(MAX_LINE + 1):
        number += 1
        if len(raw) > MAX_LINE:
            raise wrong(number, "the line is too long for a tape")
        fits = raw.endswith(MARK + chain.next(raw[:-TAIL]) + END)
        if not fits:
            if not raw.endswith(b"\n"):
                if torn and number > 1:
                    return
                if number == 1:
                    raise TapeError("tape_not", "this is not a tape", 1)
                raise TapeError("tape_truncated", "the tape breaks off within this line", number)
            if raw[-TAIL:][: len(MARK)] != MARK or not raw.endswith(END):
                raise wrong(number, "this is no line of a tape")
        if number == 1:
            _check_version(raw)
        if not fits:
            try:
                decoded(raw)
            except (ValueError, RecursionError):
                raise wrong(number, "this is no JSON") from None
            raise TapeError("tape_changed", "the checksum does not fit: changed or damaged", number)
        yield number, raw


def wrong(number: int, text: str) -> TapeError:
    """What to say of a line that is none."""
    if number == 1:
        return TapeError("tape_not", "this is not a tape", 1)
    return TapeError("tape_corrupt", text, number)


class _Head(msgspec.Struct):
    """Of a header, what says whether the rest can be read."""

    format: Any = None
    version: Any = None


_head = msgspec.json.Decoder(_Head).decode


def _check_version(raw: bytes) -> None:
    """Before the checksum, whose rules are of this version."""
    try:
        head = _head(raw)
    except (ValueError, RecursionError):
        raise wrong(1, "this is no JSON") from None
    if head.format != FORMAT or head.version.__class__ is not int or head.version < 1:
        raise wrong(1, "another format")
    if head.version > VERSION:
        text = f"a newer Lookgate made this tape (version {head.version})"
        raise TapeError("tape_newer", text, 1)
    if head.version < VERSION:
        text = f"an older Lookgate made this tape: version {head.version}, not {VERSION}"
        raise TapeError("tape_older", text, 1)
