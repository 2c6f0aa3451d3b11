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


class Later:
    """An event loop's timers, and how often memory was given back."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, Callable[[], None]]] = []
        self.given = 0
        self.back = memory.GivingBack(lambda s, call: self.calls.append((s, call)), self.give)

    def give(self) -> None:
        self.given += 1

    def come(self) -> None:
        """The time of the only timer that runs."""
        ((wait_s, call),) = self.calls
        assert wait_s == memory.PACE_S
        self.calls.clear()
        call()

    def until_given(self) -> float:
        """Seconds until memory is given back the next time."""
        before, waited_s = self.given, 0.0
        while self.given == before:
            self.come()
            waited_s += memory.PACE_S
        return waited_s


def test_what_is_free_in_a_crowd_is_given_back_at_every_pace() -> None:
    later = Later()
    for _ in range(memory.CROWD):
        later.back.session_began()
    assert later.given == 0
    for n in range(1, 4):
        later.come()
        assert later.given == n
    later.back.session_ended()
    later.come()
    assert later.given == 4, "it was one until now"
    later.come()
    assert later.given == 4
    later.back.session_began()
    later.come()
    assert later.given == 5


def test_without_a_crowd_it_is_kept_for_the_next_session() -> None:
    later = Later()
    later.back.session_began()
    later.come()
    later.back.session_ended()
    later.back.session_began()
    assert later.given == 0
    assert later.until_given() == memory.KEPT_S - memory.PACE_S
    assert later.until_given() == memory.KEPT_S, "one is still live"


def test_who_ended_shortly_before_is_given_back_the_next_time_too() -> None:
    later = Later()
    later.back.session_began()
    for _ in range(int(memory.KEPT_S / memory.PACE_S) - 1):
        later.come()
    later.back.session_ended()
    later.come()
    assert later.given == 1
    assert later.until_given() == memory.KEPT_S
    assert later.calls == [], "nobody is live, and nobody has ended since"
    later.back.session_began()
    assert len(later.calls) == 1, "and again for the next"


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.share_arenas() is False
    assert memory.give_back() is False
