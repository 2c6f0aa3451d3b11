"""The allocator is asked politely, and nothing depends on its answer."""

from __future__ import annotations

import ctypes
import gc
import os
import weakref
from collections.abc import Callable
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


def test_a_full_collection_does_not_wait_for_as_much_again_as_the_start_made() -> None:
    kept = [[n] for n in range(600_000)]  # as the libraries hold it
    rings = 0

    def count(phase: str, info: dict[str, int]) -> None:
        nonlocal rings
        rings += phase == "stop" and info["generation"] == 2

    try:
        memory.keep_started()
        gc.callbacks.append(count)
        came = [[n] for n in range(110_000)]  # a full round of the two younger generations
    finally:
        gc.callbacks.remove(count)
        gc.unfreeze()
    assert rings > 0
    assert len(kept) > len(came)


def test_what_ended_is_given_back_not_more_often_than_once_a_pace() -> None:
    later: list[tuple[float, Callable[[], None]]] = []
    given: list[int] = []
    back = memory.GivingBack(lambda s, call: later.append((s, call)), lambda: given.append(1))
    back.session_ended()
    back.session_ended()
    ((wait_s, call),) = later
    assert wait_s == memory.PACE_S
    assert given == []
    call()
    assert given == [1]


def test_who_ends_while_others_wait_is_given_back_a_whole_pace_later_too() -> None:
    later: list[tuple[float, Callable[[], None]]] = []
    given: list[int] = []
    back = memory.GivingBack(lambda s, call: later.append((s, call)), lambda: given.append(1))
    back.session_ended()
    back.session_ended()
    later.pop()[1]()
    ((wait_s, call),) = later
    assert wait_s == memory.PACE_S
    later.clear()
    call()
    assert given == [1, 1]
    assert later == [], "nobody has ended since"
    back.session_ended()
    assert len(later) == 1, "and again for the next"


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.share_arenas() is False
    assert memory.give_back() is False
