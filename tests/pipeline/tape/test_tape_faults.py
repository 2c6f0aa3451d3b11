"""Damaged, forged and foreign tapes: each is refused with a code and the line."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.observation import Tracks
from pipeline.tape import LINES, VERSION, TapeError
from pipeline.tape.fields import names
from pipeline.tape.lines import END, MARK, TAIL, Chain, seal
from pipeline.tape.reader import open_tape
from pipeline.tape.replay import replay
from tests.tapes.make import HERE


def _lines(folder: Path) -> list[bytes]:
    return (folder / LINES).read_bytes().splitlines(keepends=True)


def _write(folder: Path, lines: list[bytes]) -> None:
    (folder / LINES).write_bytes(b"".join(lines))


def _resealed(folder: Path, change: Any) -> None:
    """A tape whose chain was mended by whoever changed it."""
    chain, out = Chain(), []
    for n, raw in enumerate(_lines(folder), 1):
        line = json.loads(raw)
        del line["sum"]
        out.append(seal(change(n, line), chain))
    _write(folder, out)


def _fault(path: Path, **how: bool) -> tuple[str, int | None]:
    with pytest.raises(TapeError) as caught:
        replay(open_tape(path), **how)
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.line is None or f"line {caught.value.line}:" in text
    return caught.value.code, caught.value.line


def test_a_tape_that_is_cut_off_names_the_line(folder: Path) -> None:
    lines = _lines(folder)
    _write(folder, lines[:9])
    assert _fault(folder) == ("tape_truncated", 9)
    _write(folder, [*lines[:9], lines[9][:-20]])
    assert _fault(folder) == ("tape_truncated", 10)
    result = replay(open_tape(folder), torn=True)  # up to there it is whole
    assert result.torn
    assert result.same
    assert result.decided is None
    assert result.observations >= 2


@pytest.mark.parametrize("at", [1, 2, 7])
def test_a_changed_line_is_named(folder: Path, at: int) -> None:
    lines = _lines(folder)
    lines[at - 1] = lines[at - 1].replace(b'"t":100', b'"t":101')
    _write(folder, lines)
    assert _fault(folder) == ("tape_changed", at)


def test_a_missing_a_doubled_and_a_swapped_line_are_named(folder: Path) -> None:
    lines = _lines(folder)
    _write(folder, lines[:4] + lines[5:])
    assert _fault(folder) == ("tape_changed", 5)
    _write(folder, lines[:5] + lines[4:])
    assert _fault(folder) == ("tape_changed", 6)
    _write(folder, [*lines[:4], lines[5], lines[4], *lines[6:]])
    assert _fault(folder) == ("tape_changed", 5)


def test_a_corrupt_line_is_named(folder: Path) -> None:
    lines = _lines(folder)
    for wrong in (b"\0" * 200 + b"\n", b"{}\n", lines[3][:-3] + b"\n", b"\n"):
        _write(folder, [*lines[:3], wrong, *lines[4:]])
        assert _fault(folder) == ("tape_corrupt", 4)
        assert _fault(folder, torn=True) == ("tape_corrupt", 4)


def test_a_header_whose_text_is_no_utf8_is_refused(folder: Path) -> None:
    """In a member that no session has, which the fuzz run found."""
    chain, out = Chain(), []
    for n, raw in enumerate(_lines(folder)):
        body = raw[:-TAIL]
        if n == 0:
            body = body[:1] + b'"more":"\xef\xbf",' + body[1:]
        out.append(body + MARK + chain.next(body) + END)
    _write(folder, out)
    assert _fault(folder) == ("tape_not", 1)


@pytest.mark.parametrize(
    ("version", "code"), [(VERSION + 1, "tape_newer"), (VERSION - 1, "tape_older")]
)
def test_a_tape_of_another_version_is_refused_whatever_else_is_in_it(
    folder: Path, version: int, code: str
) -> None:
    def other(n: int, line: dict[str, Any]) -> dict[str, Any]:
        return {**line, "version": version, "session": "elsewhere"} if n == 1 else line

    _resealed(folder, other)
    assert _fault(folder) == (code, 1)


def test_what_is_no_tape_is_refused(tmp_path: Path, folder: Path) -> None:
    assert _fault(tmp_path / "nothing")[0] == "tape_missing"
    assert _fault(tmp_path)[0] == "tape_not"
    (tmp_path / "text").write_text("hello")
    assert _fault(tmp_path / "text")[0] == "tape_not"
    other = tmp_path / "other"
    other.mkdir()
    for text in ("", "hello\n", "{}\n", '{"format":"lookgate-tape"}\n', "5", "\0\n"):
        (other / LINES).write_text(text)
        assert _fault(other)[0] == "tape_not"
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    assert _fault(tmp_path / "empty.zip")[0] == "tape_not"
    data = (HERE / "accepted.zip").read_bytes()
    (tmp_path / "half.zip").write_bytes(data[: len(data) // 2])
    assert _fault(tmp_path / "half.zip")[0] == "tape_not"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda n, line: {**line, "session": {}} if n == 1 else line, 1),
        (lambda n, line: {**line, "k": "surprise"} if n == 5 else line, 5),
        (lambda n, line: {**line, "t": "late"} if n == 5 else line, 5),
        (lambda n, line: {**line, "with": {}} if line.get("k") == "step" else line, 7),
        (lambda n, line: {**line, "ask": 5} if line.get("k") == "ask" else line, 5),
        (lambda n, line: {**line, "lines": 3} if line.get("k") == "end" else line, None),
        (lambda n, line: {"k": "end", "t": 1.0, "lines": 2, "frames": 0} if n == 3 else line, 4),
    ],
)
def test_lines_that_say_what_cannot_be(folder: Path, change: Any, line: int | None) -> None:
    _resealed(folder, change)
    code, at = _fault(folder)
    assert code == "tape_invalid"
    assert at is not None
    assert line is None or at <= line


@pytest.mark.parametrize(
    "body", [b'{"k":"note","t":1,"text":"', b'{"k":"in","t":1,"message":{"a":' + b"[" * 10**5]
)
def test_a_sealed_line_that_is_no_json_is_named(folder: Path, body: bytes) -> None:
    lines, chain = _lines(folder), Chain()
    for raw in lines[:3]:
        chain.next(raw[:-TAIL])
    _write(folder, [*lines[:3], body + MARK + chain.next(body) + END, *lines[4:]])
    assert _fault(folder) == ("tape_corrupt", 4)


def test_of_several_faults_the_first_is_named(folder: Path) -> None:
    def twice(n: int, line: dict[str, Any]) -> dict[str, Any]:
        # The checksum of line 9 is looked at first, then the kind of line 7, then these arrays.
        if n == 5 and line["k"] == "ask":
            line["ask"]["tracks"] = {
                "is": "Tracks",
                **{name: {"a": 10**6} for name in names(Tracks)},
            }
        return {**line, "k": "surprise"} if n == 7 else line

    _resealed(folder, twice)
    lines = _lines(folder)
    _write(folder, [*lines[:8], lines[8].replace(b'"t":', b'"t": '), *lines[9:]])
    assert _fault(folder) == ("tape_invalid", 5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ticks": 2**63},
        {"ticks": -1},
        {"ticks": 1.5},
        {"n": True},
        {"size": "many"},
        {"key": 1},
        {"codec": "AV1"},
        {"sha256": "0"},
    ],
)
def test_frames_that_cannot_be(folder: Path, wrong: dict[str, Any]) -> None:
    frame = {"n": 0, "codec": "VP8", "ticks": 0, "size": 9, "key": True, "sha256": "0" * 16}

    def change(n: int, line: dict[str, Any]) -> dict[str, Any]:
        return {"k": "frame", "t": 100.0, **frame, **wrong} if n == 5 else line

    _resealed(folder, change)
    assert _fault(folder) == ("tape_invalid", 5)


def test_a_tampered_tape_with_a_mended_chain_replays_to_something_else(folder: Path) -> None:
    def accepted(n: int, line: dict[str, Any]) -> dict[str, Any]:
        if line.get("k") == "event" and line["event"]["is"] == "Decided":
            return {**line, "event": {"is": "Decided", "phase": "accepted", "reasons": []}}
        return line

    _resealed(folder, accepted)
    result = replay(open_tape(folder))
    assert not result.same
    assert "accepted" in result.differences[-1].recorded
    assert "cancelled" in result.differences[-1].now
