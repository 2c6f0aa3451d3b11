"""The allocator is asked politely, and nothing depends on its answer."""

from __future__ import annotations

import ctypes
import gc
import os
import weakref
from pathlib import Path

import pytest

from server import memory

GLIBC = hasattr(ctypes.CDLL(None), "gnu_get_libc_version")
PIECE, PIECES = 64 * 1024, 1024
"""Bytes of one piece, too small for a mapping of its own, and how many: 64 MB."""


def resident() -> int:
    """Bytes of the process that are in memory: proc_pid_statm(5), the second number, in pages."""
    pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_glibc_is_told() -> None:
    assert memory.share_arenas() is GLIBC


@pytest.mark.skipif(not GLIBC, reason="another C library")
def test_what_was_freed_goes_back_to_the_system() -> None:
    pieces = [bytearray(PIECE) for _ in range(PIECES)]
    # What stays keeps the allocator from giving the rest back by itself: it only trims the top.
    stays = pieces[::8]
    del pieces
    before = resident()
    assert memory.give_back()
    assert before - resident() > PIECE * PIECES // 2
    assert len(stays) == PIECES // 8


def test_what_ended_sessions_hold_in_rings_is_freed() -> None:
    class Connection:
        pass

    ended = Connection()
    ended.callbacks = [ended]  # type: ignore[attr-defined]
    gone = weakref.ref(ended)
    del ended
    memory.give_back()
    assert gone() is None


def test_what_the_start_made_is_not_gone_through_again() -> None:
    try:
        memory.keep_started()
        assert gc.get_freeze_count() > 1000
    finally:
        gc.unfreeze()


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.share_arenas() is False
    assert memory.give_back() is False
