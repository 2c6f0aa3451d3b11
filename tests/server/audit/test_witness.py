"""What is kept beside the database of how far chains had come."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import pytest

from server.audit.witness import Witness

A, B = b"a" * 32, b"b" * 32


def test_it_says_the_newest_of_each_chain(tmp_path: Path) -> None:
    one, other = Witness(tmp_path), Witness(tmp_path)
    assert one.heads() == {}
    one.begin("k.1")
    assert one.heads() == {}  # begun, and nothing is written yet
    other.begin("k.2")
    for seq in range(3):
        one.stands(seq, A)
    other.stands(0, B)
    assert one.heads() == other.heads() == {"k.1": (2, A), "k.2": (0, B)}
    one.end()
    assert other.heads()["k.1"] == (2, A)
    assert (tmp_path / "audit").stat().st_mode & 0o077 == 0


def test_who_was_named_as_far_as_it_says_is_dropped(tmp_path: Path) -> None:
    one, other = Witness(tmp_path), Witness(tmp_path)
    one.begin("k.1")
    one.stands(5, A)
    for named in ({"k.1": 4}, {"k.3": 9}, {}):
        other.drop(named)
        assert one.heads() == {"k.1": (5, A)}
    other.drop({"k.1": 5})
    assert one.heads() == {}
    # It was not dead after all.
    one.stands(6, B)
    assert one.heads() == {"k.1": (6, B)}


def test_a_folder_that_cannot_be_written_is_told_once_and_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "audit").write_text("a file")
    witness = Witness(tmp_path)
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            witness.begin("k.1")
            witness.stands(0, A)
    assert [one.message for one in caplog.records] == [
        "the audit has no witness beside the database"
    ]
    assert witness.heads() == {}


def test_a_file_that_cannot_be_dropped_is_told_and_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Witness(tmp_path)
    one.begin("k.1")
    one.stands(5, A)

    def read_only(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "unlink", read_only)
    one.drop({"k.1": 5})
    assert one.heads() == {"k.1": (5, A)}
    assert [(line.message, line.exc_info) for line in caplog.records] == [
        ("the audit has no witness beside the database", None)
    ]
