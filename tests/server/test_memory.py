"""The allocator is asked politely, and nothing depends on its answer."""

from __future__ import annotations

import ctypes
import gc
import weakref

import pytest

from server import memory


def test_glibc_is_told() -> None:
    glibc = hasattr(ctypes.CDLL(None), "gnu_get_libc_version")
    assert memory.share_arenas() is glibc


def test_giving_back_answers_whatever_there_was() -> None:
    freed = [bytearray(1 << 20) for _ in range(32)]
    del freed
    assert memory.give_back() in (True, False)


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
